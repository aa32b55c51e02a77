//! JSON, base64, base32 and plain hashes as functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use super::bases::{decode_base32, decode_base64, encode_base32};
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
    fixed("b64dec", &[Str], |_, args| Ok(decode_base64(text(&args[0])).map_or_else(Value::from, Value::from))),
    fixed("b32enc", &[Str], |context, args| spent(context, encode_base32(text(&args[0])))),
    fixed("b32dec", &[Str], |_, args| Ok(decode_base32(text(&args[0])).map_or_else(Value::from, Value::from))),
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
