//! Bytes that go through a program of texts and come back: templates in Latin-1, for example.
//!
//! On the way each byte that is no text is two characters, of those that Unicode keeps free for a program's own use.

use crate::runes;

const HIGH: u32 = 0xFDD0;
const LOW: u32 = 0xFDE0;

/// Bytes as a text, of which [`revealed`] makes them again.
pub fn hidden(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for (character, bytes) in runes(bytes) {
        match bytes {
            [byte] if !byte.is_ascii() => {
                let code = u32::from(*byte);
                text.extend([HIGH + (code >> 4), LOW + (code & 0xF)].into_iter().filter_map(char::from_u32));
            }
            _ => text.push(character),
        }
    }
    text
}

/// The bytes again, in what was made of a text.
pub fn revealed(bytes: &[u8]) -> Vec<u8> {
    let digit = |character: char, base: u32| u32::from(character).checked_sub(base).filter(|digit| *digit < 16);
    let mut out = Vec::with_capacity(bytes.len());
    let mut all = runes(bytes).peekable();
    while let Some((character, bytes)) = all.next() {
        let high = digit(character, HIGH);
        let low = high.and_then(|_| digit(all.peek()?.0, LOW));
        match high.zip(low).and_then(|(high, low)| u8::try_from(high << 4 | low).ok()) {
            Some(byte) => {
                out.push(byte);
                all.next();
            }
            None => out.extend_from_slice(bytes),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).chain(*b"caf\xE9 \xC3\xA9 \xE2\x82").collect();
        assert_eq!(revealed(hidden(&bytes).as_bytes()), bytes);
        assert_eq!(hidden("é".as_bytes()), "é");
    }
}
