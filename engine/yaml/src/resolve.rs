//! What a plain scalar means: YAML 1.1 as go-yaml v2 understands it.

use std::borrow::Cow;

use crate::number;

/// The meaning of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resolved {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean; `yes`, `on` and their like are some.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Looks like a time; values keep it as a string, but writers must quote it.
    Timestamp,
    /// The merge key `<<`.
    Merge,
    /// Anything else.
    String,
}

impl Resolved {
    /// The short tag, as error texts name it.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Merge => "!!merge",
            Self::String => "!!str",
        }
    }
}

/// Resolves an untagged plain scalar.
pub fn resolve(text: &str) -> Resolved {
    let Some(&first) = text.as_bytes().first() else { return Resolved::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' | b'<' => word(text),
        b'.' => match word(text) {
            Resolved::String => float(text),
            found => found,
        },
        b'+' | b'-' | b'0'..=b'9' => match word(text) {
            Resolved::String => number(text),
            found => found,
        },
        _ => Resolved::String,
    }
}

/// Resolves as go-yaml v3 does when it is not told what to expect: YAML 1.2's few words, 1.1's numbers.
pub fn resolve_core(text: &str) -> Resolved {
    let Some(&first) = text.as_bytes().first() else { return Resolved::Null };
    match first {
        b't' | b'T' | b'f' | b'F' | b'n' | b'N' | b'~' | b'.' | b'+' | b'-' | b'0'..=b'9' => match resolve(text) {
            Resolved::Bool(_) if !matches!(text.len(), 4 | 5) => Resolved::String,
            other => other,
        },
        _ => Resolved::String,
    }
}

fn word(text: &str) -> Resolved {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Resolved::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        "<<" => Resolved::Merge,
        _ => Resolved::String,
    }
}

/// A text that begins with a dot: Go's `ParseFloat` decides, underscores and all.
fn float(text: &str) -> Resolved {
    number::parse_float(text).map_or(Resolved::String, Resolved::Float)
}

fn number(text: &str) -> Resolved {
    if is_timestamp(text) {
        return Resolved::Timestamp;
    }
    let plain = if text.contains('_') { Cow::from(text.replace('_', "")) } else { text.into() };
    if let Some(value) = number::parse_int(&plain) {
        return Resolved::Int(value);
    }
    if let Some(value) = number::parse_uint(&plain) {
        return Resolved::Uint(value);
    }
    if is_float(&plain)
        && let Some(value) = number::parse_float(&plain)
    {
        return Resolved::Float(value);
    }
    Resolved::String
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    fn digits(bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }
    let mut rest = text.as_bytes();
    if let [b'-' | b'+', tail @ ..] = rest {
        rest = tail;
    }
    let whole = digits(rest);
    rest = &rest[whole..];
    if let [b'.', tail @ ..] = rest {
        let fraction = digits(tail);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = &tail[fraction..];
    } else if whole == 0 {
        return false;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let tail = if let [b'-' | b'+', after @ ..] = tail { after } else { tail };
        let exponent = digits(tail);
        if exponent == 0 {
            return false;
        }
        rest = &tail[exponent..];
    }
    rest.is_empty()
}

/// Whether go-yaml takes the text for a time: RFC 3339 with short fields, a space for `T`, or a date alone.
pub fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let mut scan = Fields { bytes, at: 5 };
    let year = text[..4].parse().unwrap_or(0);
    let Some(month) = scan.number(1..=12) else { return false };
    if !scan.eat(b'-') {
        return false;
    }
    let Some(day) = scan.number(1..=31) else { return false };
    if day > days_in(year, month) {
        return false;
    }
    if scan.at == bytes.len() {
        return true;
    }
    let zoned = match bytes[scan.at] {
        b'T' | b't' => true,
        b' ' => false,
        _ => return false,
    };
    scan.at += 1;
    scan.clock() && (if zoned { scan.zone() } else { true }) && scan.at == bytes.len()
}

/// A time as Go writes it in JSON (RFC 3339), where the text is one that go-yaml takes for a time.
pub fn json_timestamp(text: &str) -> Option<String> {
    if !is_timestamp(text) {
        return None;
    }
    let (date, rest) = text.find(['T', 't', ' ']).map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
    let padded = |list: &str, mark: char| -> String {
        list.split(mark).map(|part| format!("{part:0>2}")).collect::<Vec<_>>().join(&mark.to_string())
    };
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let clock = if clock.is_empty() { "00:00:00".to_owned() } else { padded(clock, ':') };
    let fraction = fraction.get(..fraction.len().min(9)).unwrap_or(fraction).trim_end_matches('0');
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let zone = if matches!(zone, "" | "Z" | "+00:00" | "-00:00") { "Z" } else { zone };
    Some(format!("{}T{clock}{fraction}{zone}", padded(date, '-')))
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    /// One or two digits within a range.
    fn number(&mut self, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let value = rest[..count].iter().fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
        self.at += count;
        range.contains(&value).then_some(value)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn clock(&mut self) -> bool {
        if self.number(0..=23).is_none() || !self.eat(b':') || self.number(0..=59).is_none() || !self.eat(b':') {
            return false;
        }
        if self.number(0..=59).is_none() {
            return false;
        }
        if matches!(self.bytes.get(self.at), Some(b'.' | b',')) {
            let digits = self.bytes[self.at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            self.at += 1 + digits;
        }
        true
    }

    fn zone(&mut self) -> bool {
        if self.eat(b'Z') {
            return true;
        }
        if !self.eat(b'+') && !self.eat(b'-') {
            return false;
        }
        let two = |scan: &mut Self, limit| {
            let start = scan.at;
            scan.number(0..=limit).is_some() && scan.at - start == 2
        };
        two(self, 24) && self.eat(b':') && two(self, 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_in_json() {
        let cases = [
            ("2020-1-2", Some("2020-01-02T00:00:00Z")),
            ("2020-01-02T3:04:05.120+02:00", Some("2020-01-02T03:04:05.12+02:00")),
            ("2020-01-02 03:04:05", Some("2020-01-02T03:04:05Z")),
            ("2020-13-02", None),
        ];
        for (text, want) in cases {
            assert_eq!(json_timestamp(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn scalars() {
        let cases = [
            ("yes", Resolved::Bool(true)),
            ("n", Resolved::Bool(false)),
            ("yEs", Resolved::String),
            ("~", Resolved::Null),
            ("", Resolved::Null),
            ("0777", Resolved::Int(511)),
            ("08", Resolved::Float(8.0)),
            ("1_000", Resolved::Int(1000)),
            ("1e3", Resolved::Float(1000.0)),
            ("0x1F", Resolved::Int(31)),
            ("1.2.3", Resolved::String),
            (".5", Resolved::Float(0.5)),
            ("+", Resolved::String),
            ("-", Resolved::String),
            ("12:30", Resolved::String),
            ("2020-01-01", Resolved::Timestamp),
            ("2020-01-01T10:00:00Z", Resolved::Timestamp),
            ("2020-13-01", Resolved::String),
            ("18446744073709551615", Resolved::Uint(u64::MAX)),
            ("<<", Resolved::Merge),
            ("nan", Resolved::String),
        ];
        for (text, want) in cases {
            assert_eq!(resolve(text), want, "{text}");
        }
    }
}
