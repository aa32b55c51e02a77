//! Upgrades an HTTP request to a WebSocket with one of Kubernetes' subprotocols.

use axum::{
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use bytes::Bytes;
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

type Transport = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// What the client sends.
pub(crate) struct Reader(SplitStream<Transport>);

/// What the client gets.
pub(crate) struct Writer(SplitSink<Transport, Message>);

impl Reader {
    /// The next message's bytes (text counts as bytes); `None` when the client is gone.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.0.next().await? {
                Ok(Message::Binary(bytes)) => return Some(bytes),
                Ok(Message::Text(text)) => return Some(text.into()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

impl Writer {
    /// Sends a binary message; false when the client is gone.
    pub(crate) async fn send(&mut self, bytes: impl Into<Bytes>) -> bool {
        self.0.send(Message::Binary(bytes.into())).await.is_ok()
    }

    /// Ends the connection in good order.
    pub(crate) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = self.0.send(Message::Close(Some(frame))).await;
        let _ = self.0.close().await;
    }
}

/// A request that asks for a WebSocket, its subprotocol agreed upon.
pub(crate) struct Upgrade {
    accept: String,
    protocol: &'static str,
    upgrade: OnUpgrade,
}

/// Checks the request and picks the first of `supported` that the client offers.
pub(crate) fn negotiate(request: &mut Request<Body>, supported: &[&'static str]) -> Result<Upgrade, Response<Body>> {
    let headers = request.headers();
    let is_websocket =
        has_token(headers, header::UPGRADE, "websocket") && has_token(headers, header::CONNECTION, "upgrade");
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_websocket) else {
        return Err(
            (StatusCode::BAD_REQUEST, "unable to upgrade: the request is not a WebSocket upgrade\n").into_response()
        );
    };
    let accept = derive_accept_key(key.as_bytes());
    let offered: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
        .collect();
    let Some(protocol) = supported.iter().find(|protocol| offered.contains(*protocol)) else {
        let text = format!("unable to upgrade: none of the subprotocols {offered:?} is supported\n");
        return Err((StatusCode::FORBIDDEN, text).into_response());
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err((StatusCode::BAD_REQUEST, "unable to upgrade: the connection cannot be upgraded\n").into_response());
    };
    Ok(Upgrade { accept, protocol, upgrade })
}

impl Upgrade {
    /// The agreed subprotocol.
    pub(crate) fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// Answers 101 and runs `serve` on the socket once the client has it.
    pub(crate) fn accept<F, Fut>(self, serve: F) -> Response<Body>
    where
        F: FnOnce(Reader, Writer) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let upgrade = self.upgrade;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    let config =
                        WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(32 << 20));
                    let socket =
                        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
                    let (writer, reader) = socket.split();
                    serve(Reader(reader), Writer(writer)).await;
                }
                Err(error) => tracing::debug!(%error, "the client left before its upgrade"),
            }
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, self.accept)
            .header(header::SEC_WEBSOCKET_PROTOCOL, self.protocol)
            .body(Body::empty())
            .expect("the headers are valid")
    }
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}
