//! Bech32 (BIP 173): how age writes keys.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// How many of the last characters are the checksum.
const CHECKSUM: usize = 6;

/// The prefix in small letters and the bytes; none if the text is damaged.
pub(crate) fn decode(text: &str) -> Option<(String, Vec<u8>)> {
    let mixed = text.chars().any(|c| c.is_ascii_lowercase()) && text.chars().any(|c| c.is_ascii_uppercase());
    if mixed || !text.is_ascii() {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let (prefix, data) = text.rsplit_once('1')?;
    let digit = |c: u8| ALPHABET.iter().position(|it| *it == c).and_then(|at| u8::try_from(at).ok());
    let digits: Vec<u8> = data.bytes().map(digit).collect::<Option<_>>()?;
    if prefix.is_empty() || digits.len() < CHECKSUM || checksum(prefix, &digits) != 1 {
        return None;
    }
    Some((prefix.to_owned(), regroup(&digits[..digits.len() - CHECKSUM], 5, 8, false)?))
}

/// The text of a prefix in small letters and bytes.
pub(crate) fn encode(prefix: &str, bytes: &[u8]) -> String {
    let mut digits = regroup(bytes, 8, 5, true).unwrap_or_default();
    let mut padded = digits.clone();
    padded.extend([0; CHECKSUM]);
    let sum = checksum(prefix, &padded) ^ 1;
    digits.extend((0..CHECKSUM).map(|at| ((sum >> (5 * (CHECKSUM - 1 - at))) & 31) as u8));
    let text: String = digits.iter().map(|digit| char::from(ALPHABET[usize::from(*digit)])).collect();
    format!("{prefix}1{text}")
}

fn checksum(prefix: &str, digits: &[u8]) -> u32 {
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    high.chain([0]).chain(low).chain(digits.iter().copied()).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        GENERATORS.iter().enumerate().filter(|(at, _)| (top >> at) & 1 == 1).fold(next, |sum, (_, it)| sum ^ it)
    })
}

/// Bits in groups of one size as groups of another; padding must be zero.
fn regroup(input: &[u8], from: u32, to: u32, pad: bool) -> Option<Vec<u8>> {
    let (mut held, mut bits) = (0_u32, 0);
    let mut out = Vec::new();
    let mask = (1 << to) - 1;
    let low = |value: u32| u8::try_from(value & mask).unwrap_or_default();
    for value in input {
        held = ((held << from) | u32::from(*value)) & 0xffff;
        bits += from;
        while bits >= to {
            bits -= to;
            out.push(low(held >> bits));
        }
    }
    if pad {
        if bits > 0 {
            out.push(low(held << (to - bits)));
        }
    } else if bits >= from || held & ((1 << bits) - 1) != 0 {
        return None;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_bytes_go_both_ways() {
        // BIP 173's own.
        for text in [
            "A12UEL5L",
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
        ] {
            let (prefix, bytes) = decode(text).expect(text);
            assert_eq!(encode(&prefix, &bytes), text.to_lowercase());
        }
        for bad in ["", "1nwldj5", "A1G7SGD8", "x1b4n0q5v", "de1lg7wt\u{ff}", "A12uEL5L", "1qzzfhee"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
