//! Numbers as Go prints and reads them.

use std::fmt::Write;

/// From this decimal exponent on Go's `%v` writes `1e+06`.
const EXPONENT_LIMIT: i32 = 6;

/// Shortest decimal digits of a finite number and its decimal exponent (`0.d1d2.. * 10^exponent`).
fn shortest(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() { ("0".to_owned(), 1) } else { (trimmed.to_owned(), exponent + 1) }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// `strconv.FormatFloat(value, 'g', -1, 64)`: what `%v` prints.
pub fn format_general(value: f64) -> String {
    // Most numbers are; from a million on they get an exponent.
    if let Some(whole) = whole(value).filter(|whole| whole.unsigned_abs() < 1_000_000) {
        return whole.to_string();
    }
    special(value).map_or_else(|| general(&format!("{:e}", value.abs()), value.is_sign_negative()), str::to_owned)
}

/// `strconv.FormatFloat(value, 'g', -1, 32)`: how float keys of a mapping are spelt.
#[expect(clippy::cast_possible_truncation, reason = "the precision is dropped on purpose, as Go does")]
pub fn format_general_32(value: f64) -> String {
    special(f64::from(value as f32))
        .map_or_else(|| general(&format!("{:e}", (value as f32).abs()), value.is_sign_negative()), str::to_owned)
}

fn general(scientific: &str, negative: bool) -> String {
    let (digits, point) = shortest(scientific);
    let exponent = point - 1;
    let text =
        if (-4..EXPONENT_LIMIT).contains(&exponent) { fixed(&digits, point) } else { exponential(&digits, exponent) };
    with_sign(text, negative)
}

fn with_sign(text: String, negative: bool) -> String {
    if negative { format!("-{text}") } else { text }
}

fn fixed(digits: &str, point: i32) -> String {
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if point <= 0 {
        let zeros = usize::try_from(-point).unwrap_or(0);
        format!("0.{}{digits}", "0".repeat(zeros))
    } else if point >= length {
        let zeros = usize::try_from(point - length).unwrap_or(0);
        format!("{digits}{}", "0".repeat(zeros))
    } else {
        let at = usize::try_from(point).unwrap_or(0);
        format!("{}.{}", &digits[..at], &digits[at..])
    }
}

fn exponential(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let mut text = first.to_owned();
    if !rest.is_empty() {
        text.push('.');
        text.push_str(rest);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(text, "e{sign}{:02}", exponent.abs());
    text
}

/// A number that JSON and YAML write as this integer: whole, not too large, and not a zero with a sign.
#[expect(clippy::cast_possible_truncation, reason = "what would be cut off was looked for")]
pub fn whole(value: f64) -> Option<i64> {
    /// Up to here every integer is a float.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let is_whole = value.abs() < LARGEST && value.trunc().to_bits() == value.to_bits();
    (is_whole && (value != 0.0 || value.is_sign_positive())).then_some(value as i64)
}

/// A number as `encoding/json` writes it; `None` for NaN and the infinities, which it refuses.
pub fn format_json(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let magnitude = value.abs();
    let (digits, point) = shortest(&format!("{magnitude:e}"));
    let text = if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        exponential(&digits, point - 1).replace("e-0", "e-")
    } else {
        fixed(&digits, point)
    };
    Some(with_sign(text, value.is_sign_negative()))
}

/// `strconv.ParseFloat` of a plain decimal number; `None` where Go reports a syntax or range error.
pub fn parse_float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(value)
}

/// `strconv.ParseInt(text, 0, 64)` for texts without underscores: `0x`, `0o`, `0b` and leading-zero octal.
pub fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_uint(digits)?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// `strconv.ParseUint(text, 0, 64)` for texts without underscores.
pub fn parse_uint(text: &str) -> Option<u64> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        [b'0', _, ..] => (8, text.get(1..)?),
        _ => (10, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_form() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1e21, "1e+21"),
            (1e100, "1e+100"),
            (3.25, "3.25"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, want) in cases {
            assert_eq!(&format_general(*value), want);
        }
    }

    #[test]
    fn json_form() {
        let cases: &[(f64, &str)] = &[
            (1_000_000.0, "1000000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (1e-10, "1e-10"),
            (0.000_001, "0.000001"),
            (-0.0, "-0"),
        ];
        for (value, want) in cases {
            assert_eq!(format_json(*value).as_deref(), Some(*want));
        }
    }

    #[test]
    fn integers() {
        let cases: &[(&str, Option<i64>)] = &[
            ("12", Some(12)),
            ("-0x10", Some(-16)),
            ("0777", Some(511)),
            ("08", None),
            ("0o17", Some(15)),
            ("+5", Some(5)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_int(text), *want, "{text}");
        }
    }
}
