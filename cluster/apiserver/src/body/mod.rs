//! Request bodies: bounded, then decoded by their media type.

mod json;

use crate::{accept::Media, failure::Result};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kpkg_api::{
    protobuf::{self, ProtobufError},
    schema::{self, Type},
    status::Status,
};
use serde_json::Value;

/// The largest body that is read.
pub(crate) const MAX_BODY: usize = 3 * 1024 * 1024;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

/// A decoded body.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) value: Value,
    /// `duplicate field "spec.replicas"`.
    pub(crate) duplicates: Vec<String>,
}

/// Reads a body up to [`MAX_BODY`].
pub(crate) async fn read(body: Body) -> Result<Bytes> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Status::too_large(MAX_BODY)),
        Err(error) => Err(Status::bad_request(format!("unable to read the request body: {error}"))),
    }
}

/// The media type of a request's body, without parameters; JSON if it is not said.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match Media::parse(text).name {
        "" => JSON,
        name => name,
    }
}

/// Decodes an object. `type_` is what it is expected to be, for bodies that do not say.
pub(crate) fn decode(headers: &HeaderMap, body: &[u8], type_: &Type) -> Result<Decoded> {
    match media_type(headers) {
        JSON => self::json::decode(body).map_err(|why| malformed(type_, &why)),
        YAML => yaml(body).map_err(|why| malformed(type_, &why)),
        protobuf::MEDIA_TYPE => protobuf(body, type_),
        _ => Err(Status::unsupported_media_type(&[JSON, YAML, protobuf::MEDIA_TYPE])),
    }
}

/// Decodes a JSON patch document; YAML is not JSON here.
pub(crate) fn decode_patch(body: &[u8]) -> Result<Value> {
    self::json::decode(body)
        .map(|decoded| decoded.value)
        .map_err(|why| Status::bad_request(format!("error decoding patch: {why}")))
}

/// Decodes what is to be applied: YAML, and JSON as part of it.
pub(crate) fn decode_apply(body: &[u8]) -> Result<Value> {
    let decoded = match self::json::decode(body) {
        Ok(decoded) => decoded,
        Err(_) => yaml(body).map_err(|why| Status::bad_request(format!("error decoding YAML: {why}")))?,
    };
    match decoded.duplicates.first() {
        None if decoded.value.is_object() => Ok(decoded.value),
        None => Err(Status::bad_request("error decoding YAML: an object is expected")),
        Some(duplicate) => Err(Status::bad_request(format!("error decoding YAML: {duplicate}"))),
    }
}

fn protobuf(body: &[u8], type_: &Type) -> Result<Decoded> {
    let value = match protobuf::decode(body) {
        // The envelope does not say what is in it.
        Err(ProtobufError::UnknownKind { kind, .. }) if kind.is_empty() => protobuf::decode_as(type_, body),
        result => result,
    };
    let value = value.map_err(|error| Status::bad_request(error.to_string()))?;
    Ok(Decoded { value, duplicates: Vec::new() })
}

/// The parser's own budget bounds depth, aliases and nodes.
fn yaml(body: &[u8]) -> std::result::Result<Decoded, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok(Decoded { value, duplicates: Vec::new() })
}

fn malformed(type_: &Type, why: &str) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {why}",
        type_.base_name()
    ))
}

/// The type of `DeleteOptions`.
pub(crate) fn delete_options() -> &'static Type {
    schema::type_of("", "v1", "DeleteOptions").expect("the table has DeleteOptions")
}
