//! Answers.

use crate::accept::Encoding;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use kpkg_api::status::Status;
use serde_json::Value;

/// An answer with a body.
pub(crate) fn with(code: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// JSON that is already encoded.
pub(crate) fn json_bytes(code: StatusCode, body: Bytes) -> Response<Body> {
    with(code, "application/json", body)
}

/// JSON.
pub(crate) fn json(code: StatusCode, value: &Value) -> Response<Body> {
    with(code, "application/json", value.to_string())
}

/// Plain text.
pub(crate) fn text(code: StatusCode, text: impl Into<Body>) -> Response<Body> {
    with(code, "text/plain; charset=utf-8", text)
}

/// An object in an encoding.
pub(crate) fn encoded(code: StatusCode, encoding: Encoding, value: &Value) -> Response<Body> {
    match encode(encoding, value) {
        Ok(body) => with(code, encoding.media_type(), body),
        Err(status) => failure(&status),
    }
}

fn encode(encoding: Encoding, value: &Value) -> Result<Vec<u8>, Status> {
    match encoding {
        Encoding::Json => Ok(value.to_string().into_bytes()),
        Encoding::Yaml => serde_saphyr::to_string(value).map(String::into_bytes).map_err(Status::internal),
        Encoding::Protobuf => kpkg_api::protobuf::encode(value).map_err(Status::internal),
    }
}

/// A failure.
pub(crate) fn failure(status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(code, &status.to_value());
    if let Some(seconds) = status.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The answer to a path that leads nowhere, as Kubernetes words it.
pub(crate) fn no_such_path() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// Adds one `Warning` header per warning.
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', r"\\").replace('"', "\\\"").replace(|c: char| c.is_control(), " ");
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}
