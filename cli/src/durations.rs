//! Durations as Go's flags take them: `90s`, `5m`, `1h30m`.

use std::time::Duration;

/// Reads a duration; a bare number is refused, for nobody knows its unit.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong(text))?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ns" => 1e-9,
                "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong(text)),
            };
        rest = &rest[letters..];
    }
    if text.is_empty() {
        return Err(wrong(text));
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong(text))
}

fn wrong(text: &str) -> String {
    format!("`{text}` is not a duration such as 90s, 5m or 1h30m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_units() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h30m", 5400), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "m", "5x", "-5s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
