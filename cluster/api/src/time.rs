//! Times as Kubernetes writes them.

use jiff::{Timestamp, tz::TimeZone};

/// Reads RFC 3339.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// To the second: `2026-01-02T03:04:05Z`.
pub fn seconds(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// To the microsecond: `2026-01-02T03:04:05.000006Z`.
pub fn micros(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_both_forms() {
        let time = parse("2026-01-02T05:04:05.0000069+02:00").expect("a time");
        assert_eq!(seconds(time), "2026-01-02T03:04:05Z");
        assert_eq!(micros(time), "2026-01-02T03:04:05.000006Z");
        assert!(parse("2026-13-01T00:00:00Z").is_none());
    }
}
