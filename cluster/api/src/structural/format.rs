//! The formats of strings that are checked. Unknown formats are ignored, as Kubernetes does.

use base64::Engine as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a text has a format.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "byte" => base64::engine::general_purpose::STANDARD.decode(text).is_ok(),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(text),
        "hostname" => is_host(text),
        "email" => text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()),
        "uri" => text.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty()) || text.starts_with('/'),
        "duration" => is_duration(text),
        _ => true,
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Ok(length) = length.parse::<u8>() else { return false };
    (address.parse::<Ipv4Addr>().is_ok() && length <= 32) || (address.parse::<Ipv6Addr>().is_ok() && length <= 128)
}

fn is_uuid(text: &str) -> bool {
    let digits = text.chars().filter(|c| *c != '-').collect::<Vec<_>>();
    digits.len() == 32 && digits.iter().all(char::is_ascii_hexdigit)
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.split('.').all(|label| {
            !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

/// As Go reads durations (`1h30m`), or with words as the library adds them (`3 days`).
fn is_duration(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut rest = rest;
    let mut parts = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let unit_start = rest[number..].trim_start();
        let unit = unit_start.find(|c: char| !c.is_alphabetic()).unwrap_or(unit_start.len());
        let known = [
            "ns", "us", "µs", "ms", "s", "m", "h", "d", "w", "day", "days", "week", "weeks", "hour", "hours", "minute",
            "minutes", "second", "seconds",
        ];
        if number == 0 || !known.contains(&&unit_start[..unit]) {
            return false;
        }
        rest = unit_start[unit..].trim_start();
        parts += 1;
    }
    parts > 0
}
