//! Percent signs: which bytes need one depends on the part of the address.

use crate::quote::quote;

/// A part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    User,
    Host,
    /// The zone of an IPv6 address, with its `%25`.
    Zone,
    Path,
    Fragment,
}

impl Part {
    fn is_host(self) -> bool {
        matches!(self, Self::Host | Self::Zone)
    }

    /// Whether a byte stands for itself.
    fn has(self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
            || b"-_.~".contains(&byte)
            || match self {
                Self::User => b"$&+,;=".contains(&byte),
                Self::Host | Self::Zone => b"!$&'()*+,;=:[]<>\"".contains(&byte),
                Self::Path => b"$&+,/:;=@".contains(&byte),
                Self::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
            }
    }

    /// Whether a byte may be written with a percent sign. In hosts only those outside ASCII may, and the percent sign of a
    /// zone; in the zone itself what a host could have, and blanks.
    fn may_escape(self, byte: u8) -> bool {
        match self {
            Self::Host => byte >= 0x80 || byte == b'%',
            Self::Zone => b"% ".contains(&byte) || Self::Host.has(byte),
            Self::User | Self::Path | Self::Fragment => true,
        }
    }
}

/// What a part means.
pub(super) fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        if *byte == b'%' {
            let code = after.get(..2).and_then(hexadecimal).filter(|code| part.may_escape(*code));
            let Some(code) = code else {
                return Err(format!("invalid URL escape {}", quote(&rest[..rest.len().min(3)])));
            };
            out.push(code);
            rest = &after[2..];
            continue;
        }
        if part.is_host() && byte.is_ascii() && !part.has(*byte) {
            return Err(format!("invalid character {} in host name", quote(&[*byte])));
        }
        out.push(*byte);
        rest = after;
    }
    Ok(out)
}

fn hexadecimal(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

/// How a part is written.
pub(super) fn escape(text: &[u8], part: Part, out: &mut Vec<u8>) {
    for byte in text {
        if part.has(*byte) {
            out.push(*byte);
        } else {
            out.extend(format!("%{byte:02X}").into_bytes());
        }
    }
}
