//! The API server's way to the kubelet of this process.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use axum::Router;
use futures::{FutureExt, future::BoxFuture};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use kpkg_apiserver::{AsyncReadWrite, NodeDialer};

/// Bytes on their way between API server and kubelet, each direction.
const BUFFER: usize = 64 << 10;

/// The one node, in this process. The kubelet comes up after the API server, so its router is
/// handed in later.
#[derive(Clone)]
pub(crate) struct LocalNode {
    name: String,
    router: Arc<OnceLock<Router>>,
}

impl LocalNode {
    /// The node `name`, whose kubelet is not there yet.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), router: Arc::default() }
    }

    /// The kubelet is there.
    pub(crate) fn connect(&self, router: Router) {
        // A kubelet that was restarted serves from the same state.
        let _ = self.router.set(router);
    }

    fn dial_now(&self, node: &str) -> io::Result<Box<dyn AsyncReadWrite>> {
        if node != self.name {
            return Err(io::Error::new(io::ErrorKind::HostUnreachable, format!("there is no node {node}")));
        }
        let router = self.router.get().ok_or_else(|| {
            io::Error::new(io::ErrorKind::ConnectionRefused, format!("the kubelet of {node} is not running yet"))
        })?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service);
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to the kubelet ended");
            }
        });
        Ok(Box::new(ours))
    }
}

impl NodeDialer for LocalNode {
    fn dial(&self, node: &str) -> BoxFuture<'_, io::Result<Box<dyn AsyncReadWrite>>> {
        let dialed = self.dial_now(node);
        async move { dialed }.boxed()
    }
}
