//! Kubernetes' protobuf to JSON and back, by the type table.
//!
//! A body is the four bytes `k8s\0`, then a `runtime.Unknown` message: apiVersion and kind, and the object's own
//! message as bytes. Field numbers come from the table; the few types that are messages here and single values in JSON
//! (Quantity, Time, ...) are written out in `read` and `write`. Unknown numbers are skipped, as Go does: they are
//! fields newer than the table.

mod read;
mod wire;
mod write;

use crate::schema::{self, Type};
use serde_json::Value;
use std::borrow::Cow;

/// What a protobuf body begins with.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// The media type of protobuf bodies.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// How deep messages may be nested.
const MAX_DEPTH: usize = 100;

/// Why bytes are no object, or an object cannot become bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The body does not begin with [`MAGIC`].
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Prefix,
    /// The bytes end within a field.
    #[error("unexpected EOF")]
    Truncated,
    /// A variable-length integer has more than ten bytes.
    #[error("proto: integer overflow")]
    Overflow,
    /// A field has a wire type that its type does not allow, or an unknown one.
    #[error("proto: wrong wireType = {0} for field {1}")]
    WireType(u8, &'static str),
    /// A text is not UTF-8.
    #[error("proto: field {0} is not valid UTF-8")]
    Utf8(&'static str),
    /// A time is out of range.
    #[error("proto: field {0} is no time")]
    Time(&'static str),
    /// Raw JSON inside is malformed.
    #[error("proto: field {0} holds malformed JSON")]
    Json(&'static str),
    /// Too many levels.
    #[error("exceeded max depth")]
    TooDeep,
    /// The envelope holds something other than plain protobuf.
    #[error("content encoding and content type of a protobuf body must be empty")]
    Encoded,
    /// There is no such type in the table.
    #[error("no kind {} is registered for version {}", crate::text::quote(kind), crate::text::quote(api_version))]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The apiVersion.
        api_version: String,
    },
    /// The value does not have the type of its field.
    #[error("cannot write field {0} as protobuf")]
    Mismatch(&'static str),
}

/// Reads a body: the envelope and the object in it, with `apiVersion` and `kind` set.
pub fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    decode_nested(body, 0)
}

/// An object may hold another with an envelope of its own (a `RawExtension`).
fn decode_nested(body: &[u8], depth: usize) -> Result<Value, ProtobufError> {
    let envelope = Envelope::read(body)?;
    let type_ = envelope.type_().ok_or_else(|| ProtobufError::UnknownKind {
        kind: envelope.kind.to_string(),
        api_version: envelope.api_version.to_string(),
    })?;
    let mut object = read::nested(type_, envelope.raw, depth)?;
    if let Value::Object(map) = &mut object {
        map.insert("apiVersion".to_owned(), envelope.api_version.into_owned().into());
        map.insert("kind".to_owned(), envelope.kind.into_owned().into());
    }
    Ok(object)
}

/// Reads a body whose envelope may leave out apiVersion and kind (as options in a DELETE do).
pub fn decode_as(type_: &Type, body: &[u8]) -> Result<Value, ProtobufError> {
    let envelope = Envelope::read(body)?;
    read::message(envelope.type_().unwrap_or(type_), envelope.raw)
}

/// Writes an object with its envelope.
pub fn encode(object: &Value) -> Result<Vec<u8>, ProtobufError> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (group, version) = split_api_version(api_version);
    let type_ = schema::type_of(group, version, kind)
        .ok_or_else(|| ProtobufError::UnknownKind { kind: kind.to_owned(), api_version: api_version.to_owned() })?;
    let raw = write::message(type_, object)?;
    let mut type_meta = Vec::new();
    wire::put_bytes(&mut type_meta, 1, api_version.as_bytes());
    wire::put_bytes(&mut type_meta, 2, kind.as_bytes());
    let mut body = Vec::with_capacity(raw.len() + type_meta.len() + 24);
    body.extend_from_slice(MAGIC);
    wire::put_bytes(&mut body, 1, &type_meta);
    wire::put_bytes(&mut body, 2, &raw);
    wire::put_bytes(&mut body, 3, b"");
    wire::put_bytes(&mut body, 4, b"");
    Ok(body)
}

/// `apps/v1` as (`apps`, `v1`).
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// `runtime.Unknown`.
#[derive(Default)]
struct Envelope<'a> {
    api_version: Cow<'a, str>,
    kind: Cow<'a, str>,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(body: &'a [u8]) -> Result<Self, ProtobufError> {
        let body = body.strip_prefix(MAGIC).ok_or(ProtobufError::Prefix)?;
        let mut envelope = Self::default();
        let mut fields = wire::Reader::new(body);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, wire::Value::Bytes(type_meta)) => envelope.read_type_meta(type_meta)?,
                (2, wire::Value::Bytes(raw)) => envelope.raw = raw,
                (3 | 4, wire::Value::Bytes(b"")) => {}
                (3 | 4, _) => return Err(ProtobufError::Encoded),
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn read_type_meta(&mut self, bytes: &'a [u8]) -> Result<(), ProtobufError> {
        let mut fields = wire::Reader::new(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, wire::Value::Bytes(text)) => self.api_version = String::from_utf8_lossy(text),
                (2, wire::Value::Bytes(text)) => self.kind = String::from_utf8_lossy(text),
                _ => {}
            }
        }
        Ok(())
    }

    fn type_(&self) -> Option<&'static Type> {
        let (group, version) = split_api_version(&self.api_version);
        schema::type_of(group, version, &self.kind)
    }
}

#[cfg(test)]
mod tests;
