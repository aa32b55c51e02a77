//! JSON, base64, base32 and plain hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use super::{Answer, Function, Type, fixed, text};
use crate::encode::{self, JsonStyle};
use crate::error::Failure;
use crate::exec::Context;
use crate::json;
use crate::value::Value;

use Type::{Any, String as Str};

const PRETTY: JsonStyle = JsonStyle { pretty: true, escape_html: true };
const RAW: JsonStyle = JsonStyle { pretty: false, escape_html: false };

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("mustFromJson", &[Str], |_, args| json::parse(text(&args[0])).map_err(Failure::new)),
    fixed("toPrettyJson", &[Any], |context, args| spent(context, encode::json(&args[0], PRETTY).unwrap_or_default())),
    fixed("mustToPrettyJson", &[Any], |context, args| must(context, encode::json(&args[0], PRETTY))),
    fixed("toRawJson", &[Any], |context, args| must(context, encode::json(&args[0], RAW))),
    fixed("mustToRawJson", &[Any], |context, args| must(context, encode::json(&args[0], RAW))),
    fixed("b64enc", &[Str], |context, args| spent(context, STANDARD.encode(text(&args[0])))),
    fixed("b64dec", &[Str], |_, args| Ok(decode(text(&args[0]), &BASE64).map_or_else(Value::from, Value::from))),
    fixed("b32enc", &[Str], |context, args| spent(context, base32(text(&args[0])))),
    fixed("b32dec", &[Str], |_, args| Ok(decode(text(&args[0]), &BASE32).map_or_else(Value::from, Value::from))),
    fixed("sha1sum", &[Str], |_, args| Ok(hex(&sha1::Sha1::digest(text(&args[0]))).into())),
    fixed("sha256sum", &[Str], |_, args| Ok(hex(&Sha256::digest(text(&args[0]))).into())),
    fixed("sha512sum", &[Str], |_, args| Ok(hex(&Sha512::digest(text(&args[0]))).into())),
    fixed("adler32sum", &[Str], |_, args| Ok(adler32(text(&args[0])).to_string().into())),
];

pub(super) fn spent(context: &mut Context, text: String) -> Answer {
    context.spend(text.len())?;
    Ok(text.into())
}

pub(super) fn must(context: &mut Context, text: Result<String, String>) -> Answer {
    spent(context, text.map_err(Failure::new)?)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn adler32(bytes: &[u8]) -> u32 {
    let (one, two) = bytes.iter().fold((1_u32, 0_u32), |(one, two), byte| {
        let one = (one + u32::from(*byte)) % 65521;
        (one, (two + one) % 65521)
    });
    two << 16 | one
}

/// An encoding of some bits a character, in groups.
struct Alphabet {
    name: &'static str,
    characters: &'static [u8],
    bits: u32,
    group: usize,
}

static BASE64: Alphabet = Alphabet {
    name: "base64",
    characters: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    bits: 6,
    group: 4,
};

static BASE32: Alphabet =
    Alphabet { name: "base32", characters: b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", bits: 5, group: 8 };

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut buffer = [0_u8; 8];
        buffer[3..3 + chunk.len()].copy_from_slice(chunk);
        let value = u64::from_be_bytes(buffer);
        let used = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let at = usize::try_from(value >> (35 - 5 * index) & 31).unwrap_or(0);
            out.push(if index < used { char::from(BASE32.characters[at]) } else { '=' });
        }
    }
    out
}

/// Decodes with padding required; line breaks are skipped. The complaint names the byte, as Go's does.
fn decode(text: &[u8], alphabet: &Alphabet) -> Result<Vec<u8>, String> {
    let corrupt = |at: usize| format!("illegal {} data at input byte {at}", alphabet.name);
    let kept: Vec<(usize, u8)> =
        text.iter().copied().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n')).collect();
    let mut out = Vec::with_capacity(text.len());
    let mut groups = kept.chunks(alphabet.group).peekable();
    while let Some(group) = groups.next() {
        let data = group.iter().take_while(|(_, byte)| *byte != b'=').count();
        let mut value = 0_u64;
        for (at, byte) in &group[..data] {
            let digit = alphabet.characters.iter().position(|known| known == byte).ok_or_else(|| corrupt(*at))?;
            value = value << alphabet.bits | u64::try_from(digit).unwrap_or(0);
        }
        if data < alphabet.group {
            let padding_ok = group.len() == alphabet.group && group[data..].iter().all(|(_, byte)| *byte == b'=');
            let length_ok = match alphabet.bits {
                6 => data >= 2,
                _ => matches!(data, 2 | 4 | 5 | 7),
            };
            if !padding_ok || !length_ok {
                let at = if group.len() < alphabet.group { text.len() } else { group[data].0 };
                let at = if group.len() < alphabet.group && data == group.len() { group[0].0 } else { at };
                return Err(corrupt(at.min(text.len())));
            }
            if let Some(next) = groups.peek() {
                return Err(corrupt(next[0].0));
            }
        }
        let bits = u32::try_from(data).unwrap_or(0) * alphabet.bits;
        let value = value << (64 - bits).min(63) << u32::from(bits == 0);
        out.extend_from_slice(&value.to_be_bytes()[..usize::try_from(bits / 8).unwrap_or(0)]);
    }
    Ok(out)
}
