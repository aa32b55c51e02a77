//! The API server's port: TLS, HTTP/1.1 and HTTP/2 with upgrades, client certificates.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{RootCertStore, ServerConfig, crypto::ring::default_provider, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::identity;
use crate::{Error, pki::Pki};

/// How long a client may take to shake hands or to send a request's head.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long open requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_millis(500);

/// A bound port that is not served yet.
pub(crate) struct Listener {
    socket: TcpListener,
    tls: TlsAcceptor,
}

/// Takes the port.
pub(crate) async fn bind(port: u16, pki: &Pki) -> Result<Listener, Error> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let socket = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    let config = tls(pki).map_err(|detail| Error::Tls { dir: pki.dir.clone(), detail })?;
    Ok(Listener { socket, tls: TlsAcceptor::from(Arc::new(config)) })
}

fn tls(pki: &Pki) -> Result<ServerConfig, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| text(&error));
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&pki.ca)?).map_err(|error| text(&error))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| text(&error))?;
    let key = PrivateKeyDer::from_pem_slice(pki.server.key.as_bytes()).map_err(|error| text(&error))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| text(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(&pki.server.certificate)?], key)
        .map_err(|error| text(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Listener {
    /// Serves `router` until `token` is cancelled, then lets open requests finish for a moment.
    pub(crate) async fn run(&self, router: Router, token: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = token.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (tls, router, token) = (self.tls.clone(), router.clone(), token.clone());
                    connections.spawn(async move {
                        if let Err(error) = connection(stream, tls, router, token).await {
                            tracing::debug!(error, "a connection ended");
                        }
                    });
                }
                Err(error) => {
                    // Too many open files, most likely: wait for some to close.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        connections.close();
        let _ = tokio::time::timeout(DRAIN, connections.wait()).await;
    }
}

async fn connection(
    stream: TcpStream,
    tls: TlsAcceptor,
    router: Router,
    token: CancellationToken,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let handshake = tokio::time::timeout(PATIENCE, tls.accept(stream));
    let stream = handshake.await.map_err(|_| "no handshake")?.map_err(|error: io::Error| error.to_string())?;
    let identity = peer(&stream);
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        if let Some(identity) = &identity {
            request.extensions_mut().insert(identity.clone());
        }
        request
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(1000).keep_alive_interval(Duration::from_secs(30));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = token.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(|error| error.to_string())
}

fn peer(stream: &TlsStream<TcpStream>) -> Option<kpkg_apiserver::Identity> {
    let (_, connection) = stream.get_ref();
    identity::of_certificate(connection.peer_certificates()?.first()?)
}
