//! Numbers as Go's parser reads them: one literal may be of several types.

use super::quoted;
use crate::ast::{Number, Span};
use crate::lex::Kind;
use crate::quote::unquote;

/// Reads a number, or a character constant.
pub(super) fn number(kind: Kind, span: Span, text: &str) -> Result<Number, String> {
    if let Some(value) = small(text) {
        let (int, uint, float) = (Some(value.into()), Some(value.into()), Some(value.into()));
        return Ok(Number { span, int, uint, float, complex: false });
    }
    any_number(kind, span, text)
}

fn any_number(kind: Kind, span: Span, text: &str) -> Result<Number, String> {
    let mut number = Number { span, int: None, uint: None, float: None, complex: false };
    if kind == Kind::CharConstant {
        let bytes = unquote(text).map_err(|_| format!("malformed character constant: {text}"))?;
        let decoded = String::from_utf8_lossy(&bytes).into_owned();
        let mut characters = decoded.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else {
            return Err(format!("malformed character constant: {text}"));
        };
        let code = u32::from(character);
        number.int = Some(code.into());
        number.uint = Some(code.into());
        number.float = Some(code.into());
        return Ok(number);
    }
    if kind == Kind::Complex || text.ends_with('i') {
        number.complex = true;
        return Ok(number);
    }
    let plain = without_underscores(text).ok_or_else(|| format!("illegal number syntax: {}", quoted(text)))?;
    number.uint = kpkg_yaml::number::parse_uint(&plain);
    number.int = kpkg_yaml::number::parse_int(&plain);
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = parse_float(&plain) {
        if !plain.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quoted(text)));
        }
        number.float = Some(float);
        set_integers(&mut number, float);
    }
    if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
        return Err(format!("illegal number syntax: {}", quoted(text)));
    }
    Ok(number)
}

/// What most numbers are: a few decimal digits, and no zero before others.
fn small(text: &str) -> Option<u32> {
    let is_small = matches!(text.as_bytes(), [b'0'] | [b'1'..=b'9', ..]) && text.len() < 10;
    let digit = |value: u32, byte: u8| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'));
    if is_small { text.bytes().try_fold(0, digit) } else { None }
}

#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "Go's test of whether a float is an integer")]
fn set_integers(number: &mut Number, float: f64) {
    if (float as i64) as f64 == float {
        number.int = Some(float as i64);
    }
    if float >= 0.0 && (float as u64) as f64 == float {
        number.uint = Some(float as u64);
    }
}

/// Go allows an underscore between digits and after a base prefix.
fn without_underscores(text: &str) -> Option<String> {
    if text.contains("__") || text.ends_with('_') || text.starts_with('_') {
        return None;
    }
    Some(text.replace('_', ""))
}

/// `strconv.ParseFloat`, but for its words; `None` where Go reports a syntax or range error.
pub(crate) fn go_float(text: &str) -> Option<f64> {
    parse_float(&without_underscores(text)?)
}

fn parse_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    if lower.contains("0x") { hex_float(&lower) } else { kpkg_yaml::number::parse_float(text) }
}

/// `0x1.8p3`
fn hex_float(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = rest.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars() {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let mut scale = 1.0 / 16.0;
    for digit in fraction.chars() {
        value += f64::from(digit.to_digit(16)?) * scale;
        scale /= 16.0;
    }
    let value = value * 2_f64.powi(exponent.parse().ok()?);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_read_as_others_are() {
        let span = Span::default();
        let shown = |number: Number| (number.int, number.uint, number.float.map(f64::to_bits), number.complex);
        for text in ["0", "1", "9", "10", "42", "080", "00", "007", "999999999", "1000000000", "1_0", "1e3", "+1", "1i"]
        {
            let (fast, general) = (number(Kind::Number, span, text), any_number(Kind::Number, span, text));
            assert_eq!(fast.map(shown), general.map(shown), "{text}");
        }
        assert!(small("0").is_some() && small("999999999").is_some());
        assert!(small("00").is_none() && small("1000000000").is_none() && small("1_0").is_none());
    }
}
