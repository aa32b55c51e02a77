//! gRPC's health protocol, by hand: one request with one string, one answer with one number.

use std::{net::SocketAddr, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::ask::{Outcome, connect};

/// Asks `grpc.health.v1.Health/Check`.
pub(super) async fn check(address: SocketAddr, service: &str, timeout: Duration) -> Outcome {
    match tokio::time::timeout(timeout, call(address, service, timeout)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Failure(format!(
            "timeout: failed to connect service {:?} within {}: context deadline exceeded",
            address.to_string(),
            crate::pods::backoff::go_duration(timeout)
        )),
    }
}

async fn call(address: SocketAddr, service: &str, timeout: Duration) -> Outcome {
    let stream = match connect(&address.ip().to_string(), address.port(), timeout).await {
        Ok(stream) => stream,
        Err(text) => {
            return Outcome::Failure(format!("error: failed to connect service at {:?}: {text}", address.to_string()));
        }
    };
    match exchange(address, service, stream).await {
        Ok(Reply { status: Some(0) | None, serving: Some(1) }) => Outcome::Success,
        Ok(Reply { status: Some(0) | None, serving }) => {
            let word = match serving {
                Some(2) => "NOT_SERVING",
                Some(3) => "SERVICE_UNKNOWN",
                _ => "UNKNOWN",
            };
            Outcome::Failure(format!("service unhealthy (responded with {word:?})"))
        }
        Ok(Reply { status: Some(12), .. }) => Outcome::Failure(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)".to_owned(),
        ),
        Ok(Reply { status: Some(code), .. }) => {
            Outcome::Failure(format!("error: health rpc failed: rpc error: code = {code}"))
        }
        Err(text) => Outcome::Failure(format!("error: health rpc failed: {text}")),
    }
}

struct Reply {
    status: Option<u32>,
    serving: Option<u64>,
}

async fn exchange(address: SocketAddr, service: &str, stream: tokio::net::TcpStream) -> Result<Reply, String> {
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let _driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "kube-probe/1.37")
        .body(Full::new(message(service)))
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let code =
        |headers: &http::HeaderMap| headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
    let early = code(response.headers());
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    let status = body.trailers().and_then(code).or(early);
    Ok(Reply { status, serving: serving(&body.to_bytes()) })
}

/// `HealthCheckRequest { service = 1 }` in gRPC's frame.
fn message(service: &str) -> Bytes {
    let mut proto = BytesMut::new();
    if !service.is_empty() {
        proto.put_u8(0x0a);
        put_varint(&mut proto, service.len());
        proto.put_slice(service.as_bytes());
    }
    let mut out = BytesMut::new();
    out.put_u8(0);
    out.put_u32(u32::try_from(proto.len()).unwrap_or(u32::MAX));
    out.put_slice(&proto);
    out.freeze()
}

fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.put_u8(u8::try_from(value).expect("seven bits"));
}

/// `HealthCheckResponse { status = 1 }`; absent means 0, UNKNOWN.
fn serving(frame: &[u8]) -> Option<u64> {
    let proto = frame.get(5..)?;
    match proto {
        [] => Some(0),
        [0x08, value, ..] => Some(u64::from(*value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_framed() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("db")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'd', b'b']);
        assert_eq!(serving(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(serving(&[0, 0, 0, 0, 0]), Some(0));
    }
}
