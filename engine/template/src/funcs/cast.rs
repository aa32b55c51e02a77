//! Anything to a number, as the library `cast` does it: what cannot be read is zero.

use crate::parse::number::go_float;
use crate::value::Value;

/// `cast.ToInt64`
#[expect(clippy::cast_possible_truncation, reason = "Go truncates too; its odd result out of range is kept")]
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(value, _) => *value,
        Value::Float(value) => {
            if value.is_nan() || !(-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(value) {
                i64::MIN
            } else {
                *value as i64
            }
        }
        Value::Bool(value) => i64::from(*value),
        Value::String(text) => std::str::from_utf8(text.as_bytes()).map_or(0, parse_int),
        _ => 0,
    }
}

/// An integer in any base, its zero decimals ignored.
fn parse_int(text: &str) -> i64 {
    let trimmed = trim_zero_decimal(text);
    let clean = if trimmed.contains('_') { trimmed.replace('_', "") } else { trimmed.to_owned() };
    kpkg_yaml::number::parse_int(&clean).unwrap_or(0)
}

fn trim_zero_decimal(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    }
}

fn parse_float(text: &str) -> f64 {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix(['+', '-']).unwrap_or(&lower) {
        "inf" | "infinity" => lower.parse().unwrap_or(0.0),
        "nan" if lower == "nan" => f64::NAN,
        _ => go_float(text).unwrap_or(0.0),
    }
}

/// `strconv.Atoi`, whose error Sprig drops: what is too large is the largest there is.
pub(super) fn atoi(text: &str) -> i64 {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse().unwrap_or_else(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow => i64::MAX,
        NegOverflow => i64::MIN,
        _ => 0,
    })
}

/// `cast.ToFloat64`
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Int(value, _) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => std::str::from_utf8(text.as_bytes()).map_or(0.0, parse_float),
        _ => 0.0,
    }
}
