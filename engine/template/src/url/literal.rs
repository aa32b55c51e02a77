//! What stands in a host's brackets: an IPv6 address, in the words of Go's `netip` if it is none.

use crate::quote::quote;

/// Checks an address, which may have a zone.
pub(super) fn check(text: &[u8]) -> Result<(), String> {
    let refused = |Problem { what, at }: Problem<'_>| {
        let place = if at.is_empty() { String::new() } else { format!(" (at {})", quote(at)) };
        format!("invalid host: ParseAddr({}): {what}{place}", quote(text))
    };
    match text.iter().find(|byte| b".:%".contains(byte)) {
        Some(b'.') => v4(text).map_err(refused).and(Err("invalid IP-literal".to_owned())),
        Some(b':') => v6(text).map_err(refused),
        Some(_) => Err(refused(Problem::new("missing IPv6 address"))),
        None => Err(refused(Problem::new("unable to parse IP"))),
    }
}

/// What is wrong, and where.
struct Problem<'a> {
    what: &'static str,
    at: &'a [u8],
}

impl<'a> Problem<'a> {
    fn new(what: &'static str) -> Self {
        Self { what, at: b"" }
    }

    fn at(what: &'static str, at: &'a [u8]) -> Self {
        Self { what, at }
    }
}

/// Four numbers with dots between them.
fn v4(text: &[u8]) -> Result<(), Problem<'_>> {
    let (mut dots, mut number, mut digits) = (0, 0_u32, 0);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && number == 0 {
                    return Err(Problem::new("IPv4 field has octet with leading zero"));
                }
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
                if number > 255 {
                    return Err(Problem::new("IPv4 field has value >255"));
                }
            }
            b'.' if digits == 0 || at + 1 == text.len() => {
                return Err(Problem::at("IPv4 field must have at least one digit", &text[at..]));
            }
            b'.' if dots == 3 => return Err(Problem::new("IPv4 address too long")),
            b'.' => (dots, number, digits) = (dots + 1, 0, 0),
            _ => return Err(Problem::at("unexpected character", &text[at..])),
        }
    }
    if dots < 3 { Err(Problem::new("IPv4 address too short")) } else { Ok(()) }
}

/// Groups of 16 bits; there are eight in an address.
const GROUPS: usize = 8;

/// Groups of hexadecimal digits with colons between them, some of them left out where two colons follow each other; the last
/// two may be an IPv4 address.
fn v6(text: &[u8]) -> Result<(), Problem<'_>> {
    let mut rest = text;
    if let Some(zone) = text.iter().position(|byte| *byte == b'%') {
        if zone + 1 == text.len() {
            return Err(Problem::new("zone must be a non-empty string"));
        }
        rest = &text[..zone];
    }
    let (mut groups, mut is_shortened) = (0, false);
    if let Some(after) = rest.strip_prefix(b"::") {
        (rest, is_shortened) = (after, true);
    }
    while groups < GROUPS && !(rest.is_empty() && is_shortened) {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits > 4 {
            return Err(Problem::at("each group must have 4 or less digits", rest));
        }
        if digits == 0 {
            return Err(Problem::at("each colon-separated field must have at least one digit", rest));
        }
        if rest.get(digits) == Some(&b'.') {
            if !is_shortened && groups != GROUPS - 2 {
                let what = "embedded IPv4 address must replace the final 2 fields of the address";
                return Err(Problem::at(what, rest));
            }
            if groups + 2 > GROUPS {
                let what = "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Err(Problem::at(what, rest));
            }
            v4(rest)?;
            (rest, groups) = (b"", groups + 2);
            break;
        }
        groups += 1;
        rest = &rest[digits..];
        match rest {
            [] => break,
            [b':'] => return Err(Problem::at("colon must be followed by more characters", rest)),
            [b':', after @ ..] => rest = after,
            _ => return Err(Problem::at("unexpected character, want colon", rest)),
        }
        if let [b':', after @ ..] = rest {
            if is_shortened {
                return Err(Problem::at("multiple :: in address", rest));
            }
            (rest, is_shortened) = (after, true);
        }
    }
    if !rest.is_empty() {
        return Err(Problem::at("trailing garbage after address", rest));
    }
    match (groups < GROUPS, is_shortened) {
        (true, false) => Err(Problem::new("address string too short")),
        (false, true) => Err(Problem::new("the :: must expand to at least one field of zeros")),
        _ => Ok(()),
    }
}
