//! Numbers as the complaints print them, and exact division.

use kpkg_yaml::number::format_general;

/// English digits: commas in thousands, and powers of ten where Go would write an exponent.
pub(super) fn english(value: f64) -> String {
    let text = format_general(value);
    if let Some((mantissa, exponent)) = text.split_once('e') {
        let (sign, digits) = exponent.split_at(1);
        let sign = if sign == "-" { "⁻" } else { "" };
        return format!("{}×10{sign}{}", grouped(mantissa), superscript(digits));
    }
    grouped(&text)
}

fn superscript(digits: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    digits.chars().filter_map(|digit| digit.to_digit(10)).map(|digit| DIGITS[digit as usize]).collect()
}

fn grouped(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Whether one number is a multiple of another, in decimal.
pub(super) fn is_multiple(value: f64, of: f64) -> bool {
    if of == 0.0 {
        return true;
    }
    match (decimal(value), decimal(of)) {
        (Some((left, left_scale)), Some((right, right_scale))) => {
            let scale = left_scale.max(right_scale);
            let lift = |digits: i128, own: u32| digits.checked_mul(10_i128.checked_pow(scale - own)?);
            match (lift(left, left_scale), lift(right, right_scale)) {
                (Some(left), Some(right)) if right != 0 => left % right == 0,
                _ => (value / of).fract() == 0.0,
            }
        }
        _ => (value / of).fract() == 0.0,
    }
}

fn decimal(value: f64) -> Option<(i128, u32)> {
    let text = format!("{value}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    Some((format!("{whole}{fraction}").parse().ok()?, u32::try_from(fraction.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_english() {
        for (value, want) in
            [(1e7, "1×10⁰⁷"), (1234.5678, "1,234.5678"), (-5.0, "-5"), (100_000.0, "100,000"), (1e21, "1×10²¹")]
        {
            assert_eq!(english(value), want);
        }
        assert!(is_multiple(0.3, 0.1) && !is_multiple(1.0, 3.0) && is_multiple(9.0, 3.0));
    }
}
