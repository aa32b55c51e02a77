//! The way to the nodes.

use futures::future::BoxFuture;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes in both directions.
pub trait AsyncReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> AsyncReadWrite for T {}

/// Connects to the kubelet of a node; what is spoken over the connection is the kubelet's HTTP API.
pub trait NodeDialer: Send + Sync + 'static {
    /// A new connection to the kubelet of the node of that name.
    fn dial(&self, node: &str) -> BoxFuture<'_, io::Result<Box<dyn AsyncReadWrite>>>;
}

/// A cluster whose nodes cannot be reached.
#[derive(Debug, Clone, Copy)]
pub struct NoNodes;

impl NodeDialer for NoNodes {
    fn dial(&self, node: &str) -> BoxFuture<'_, io::Result<Box<dyn AsyncReadWrite>>> {
        let error = io::Error::new(io::ErrorKind::NotConnected, format!("there is no way to node {node}"));
        Box::pin(std::future::ready(Err(error)))
    }
}
