//! Bytes as text in 64 or 32 characters, and back. Both decoders complain of the very byte that Go's do, which differ:
//! one counts line breaks and the other does not, one refuses what follows the padding and the other lets it be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const PADDING: u8 = b'=';

pub(super) fn encode_base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut buffer = [0_u8; 8];
        buffer[3..3 + chunk.len()].copy_from_slice(chunk);
        let value = u64::from_be_bytes(buffer);
        let used = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let at = usize::try_from(value >> (35 - 5 * index) & 31).unwrap_or(0);
            out.push(if index < used { char::from(BASE32[at]) } else { '=' });
        }
    }
    out
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// What base64 says, padding required and line breaks anywhere; or where it is wrong.
pub(super) fn decode_base64(text: &[u8]) -> Result<Vec<u8>, String> {
    // Nothing is wrong with most texts, and the library is quick.
    if let Ok(bytes) = STANDARD.decode(text) {
        return Ok(bytes);
    }
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = Group::default();
    let mut rest = text.iter().copied().enumerate().filter(|(_, byte)| !is_line_break(*byte));
    while let Some((at, byte)) = rest.next() {
        if byte != PADDING {
            let digit = BASE64.iter().position(|known| *known == byte).ok_or_else(|| corrupt(at))?;
            group.push(digit, 6);
            if group.digits == 4 {
                group.finish(&mut out);
            }
            continue;
        }
        match group.digits {
            2 => match rest.next() {
                None => return Err(corrupt(text.len())),
                // Named is the byte before it, be it a line break.
                Some((at, byte)) if byte != PADDING => return Err(corrupt(at - 1)),
                Some(_) => {}
            },
            3 => {}
            _ => return Err(corrupt(at)),
        }
        group.finish(&mut out);
        return rest.next().map_or(Ok(out), |(at, _)| Err(corrupt(at)));
    }
    if group.digits == 0 { Ok(out) } else { Err(corrupt(text.len() - group.digits)) }
}

/// What base32 says, padding required; line breaks are taken out first, and not counted. What follows padding of the
/// right length in a last group is not looked at.
pub(super) fn decode_base32(text: &[u8]) -> Result<Vec<u8>, String> {
    let corrupt = |at: usize| format!("illegal base32 data at input byte {at}");
    let text: Vec<u8> = text.iter().copied().filter(|byte| !is_line_break(*byte)).collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut group = Group::default();
    for (at, byte) in text.iter().copied().enumerate() {
        let left = text.len() - at - 1;
        if byte == PADDING && group.digits >= 2 && left < 8 {
            let missing = 7 - group.digits;
            if left < missing {
                return Err(corrupt(text.len()));
            }
            if let Some(wrong) = (0..missing).find(|index| text[at + 1 + index] != PADDING) {
                return Err(corrupt(at + wrong));
            }
            if matches!(group.digits, 3 | 6) {
                return Err(corrupt(at));
            }
            group.finish(&mut out);
            return Ok(out);
        }
        let digit = BASE32.iter().position(|known| *known == byte).ok_or_else(|| corrupt(at))?;
        group.push(digit, 5);
        if group.digits == 8 {
            group.finish(&mut out);
        }
    }
    if group.digits == 0 { Ok(out) } else { Err(corrupt(text.len() - group.digits)) }
}

/// The digits that make whole bytes together.
#[derive(Default)]
struct Group {
    value: u64,
    digits: usize,
    bits: u32,
}

impl Group {
    fn push(&mut self, digit: usize, bits: u32) {
        self.value = self.value << bits | u64::try_from(digit).unwrap_or(0);
        self.digits += 1;
        self.bits += bits;
    }

    /// Writes the whole bytes, and begins the next group.
    fn finish(&mut self, out: &mut Vec<u8>) {
        let bytes = self.bits / 8;
        let value = self.value >> (self.bits % 8);
        out.extend((0..bytes).rev().map(|byte| (value >> (8 * byte)).to_le_bytes()[0]));
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of Go 1.26's encoding/base64 and encoding/base32, by way of Helm's `b64dec` and `b32dec`.
    #[test]
    fn complaints_name_the_byte_that_go_names() {
        for (text, at) in [
            ("YWJjZA", 4),
            ("YWJj$ZA=", 4),
            ("YWJj\nZA=$", 7),
            ("YWJj\nZA\n", 6),
            ("YWJj\nZA==\n\nab", 11),
            ("YWJjZA==ab", 8),
            ("=", 0),
            ("YWJj=", 4),
            ("YQ=", 3),
            ("YQ=a", 2),
            ("YQ=\na", 3),
            ("YQ\n=", 4),
        ] {
            assert_eq!(
                decode_base64(text.as_bytes()),
                Err(format!("illegal base64 data at input byte {at}")),
                "{text:?}"
            );
        }
        for (text, at) in [
            ("MZ\nXW6=X=", 5),
            ("MZXW6", 0),
            ("MZ\n\nXW$", 4),
            ("MZ======MZ======", 2),
            ("MZ====", 6),
            ("MZX=====", 3),
            ("=", 0),
            ("M=======", 1),
            ("mz======", 0),
            ("MZXW6==X", 6),
            ("MZXW6===XXXXXXXXX", 5),
            ("ABCDE==", 7),
            ("ABCDEFGH\n\nAB=", 11),
        ] {
            assert_eq!(
                decode_base32(text.as_bytes()),
                Err(format!("illegal base32 data at input byte {at}")),
                "{text:?}"
            );
        }
    }

    #[test]
    fn line_breaks_do_not_count() {
        assert_eq!(decode_base64(b"YQ\n=\r\n=\n"), Ok(b"a".to_vec()));
        assert_eq!(decode_base64(b"YW\nJj"), Ok(b"abc".to_vec()));
        assert_eq!(decode_base32(b"MZ\nXW6=\n==X"), Ok(b"foo".to_vec()));
    }
}
