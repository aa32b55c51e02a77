//! Bytes of a document as text: UTF-8, or UTF-16 behind its mark, as go-yaml reads and refuses them.

use std::borrow::Cow;

use crate::error::Error;
use crate::reader::check_characters;

/// The text of a document, without a byte order mark.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf_16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xFE, 0xFF, rest @ ..] => utf_16(rest, u16::from_be_bytes).map(Cow::Owned),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf_8(rest).map(Cow::Borrowed),
        _ => utf_8(bytes).map(Cow::Borrowed),
    }
}

fn utf_8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).or_else(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        // What is wrong before is told first.
        check_characters(std::str::from_utf8(valid).unwrap_or_default())?;
        Err(Error::plain(problem(rest)))
    })
}

/// What is wrong with the character at the start of bytes, of which it is known that something is.
fn problem(bytes: &[u8]) -> &'static str {
    let width = match bytes[0] {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    let Some(trailing) = bytes.get(1..width) else { return "incomplete UTF-8 octet sequence" };
    if trailing.iter().any(|octet| octet & 0xC0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    let is_short = match width {
        2 => true,
        3 => bytes[0] == 0xE0 && bytes[1] < 0xA0,
        _ => bytes[0] == 0xF0 && bytes[1] < 0x90,
    };
    if is_short { "invalid length of a UTF-8 sequence" } else { "invalid Unicode character" }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        Ok(_) => Err(Error::plain("incomplete UTF-16 character")),
        Err(error) if matches!(error.unpaired_surrogate(), 0xDC00..) => {
            Err(Error::plain("unexpected low surrogate area"))
        }
        Err(_) => Err(Error::plain("expected low surrogate area")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_refused() {
        for (bytes, want) in [
            (&b"a: \xC3\xA9"[..], Ok("a: é")),
            (b"\xEF\xBB\xBFa", Ok("a")),
            (b"\xFF\xFEa\0\xE9\0", Ok("aé")),
            (b"\xFE\xFF\0a\xD8\x3D\xDE\x00", Ok("a😀")),
            (b"a: \xE9\n", Err("yaml: incomplete UTF-8 octet sequence")),
            (b"a: \xE9 b\n", Err("yaml: invalid trailing UTF-8 octet")),
            (b"a: \xFF", Err("yaml: invalid leading UTF-8 octet")),
            (b"a: \x80", Err("yaml: invalid leading UTF-8 octet")),
            (b"a: \x01\xFF", Err("yaml: control characters are not allowed")),
            (b"\xC0\x80", Err("yaml: invalid length of a UTF-8 sequence")),
            (b"\xE0\x80\x80", Err("yaml: invalid length of a UTF-8 sequence")),
            (b"\xED\xA0\x80", Err("yaml: invalid Unicode character")),
            (b"\xF4\x90\x80\x80", Err("yaml: invalid Unicode character")),
            (b"\xFF\xFEa\0b", Err("yaml: incomplete UTF-16 character")),
            (b"\xFF\xFE\x00\xDC", Err("yaml: unexpected low surrogate area")),
            (b"\xFF\xFE\x00\xD8a\0", Err("yaml: expected low surrogate area")),
        ] {
            assert_eq!(
                decode(bytes).map_err(|error| error.to_string()).as_deref(),
                want.map_err(str::to_owned).as_deref()
            );
        }
    }
}
