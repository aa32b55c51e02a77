//! Durations, in nanoseconds.

use super::time_quote;

const SECOND: i64 = 1_000_000_000;

/// `time.ParseDuration`, in nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let quoted = time_quote(text);
    let invalid = || format!("time: invalid duration {quoted}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (value, tail) = rest.split_at(number);
        if value.is_empty() || value == "." || value.matches('.').count() > 1 {
            return Err(invalid());
        }
        let unit_length = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit_length);
        let scale: i128 = match unit {
            "" => return Err(format!("time: missing unit in duration {quoted}")),
            "ns" => 1,
            "us" | "µs" | "μs" => 1000,
            "ms" => 1_000_000,
            "s" => SECOND.into(),
            "m" => (60 * SECOND).into(),
            "h" => (3600 * SECOND).into(),
            other => {
                let unit = crate::quote::quote(other.as_bytes());
                return Err(format!("time: unknown unit {unit} in duration {quoted}"));
            }
        };
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole.checked_mul(scale).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        let digits: String = fraction.chars().take(18).collect();
        if !digits.is_empty() {
            let numerator: i128 = digits.parse().map_err(|_| invalid())?;
            let power = 10_i128.pow(u32::try_from(digits.len()).unwrap_or(18));
            total += numerator * scale / power;
        }
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
        rest = after;
    }
    let total = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if negative { -total } else { total })
}

/// `Duration.String`
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    let magnitude = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let second = SECOND.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let digits = unit.to_string().len() - 1;
        let text = format!("{}.{:0digits$}", value / unit, value % unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if magnitude == 0 {
        return "0s".to_owned();
    }
    if magnitude < second {
        return match magnitude {
            0..1000 => format!("{sign}{magnitude}ns"),
            1000..1_000_000 => format!("{sign}{}µs", fraction(magnitude, 1000)),
            _ => format!("{sign}{}ms", fraction(magnitude, 1_000_000)),
        };
    }
    let (hours, minutes) = (magnitude / second / 3600, magnitude / second / 60 % 60);
    let seconds = fraction(magnitude % (60 * second), second);
    if hours > 0 {
        format!("{sign}{hours}h{minutes}m{seconds}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{seconds}s")
    } else {
        format!("{sign}{seconds}s")
    }
}
