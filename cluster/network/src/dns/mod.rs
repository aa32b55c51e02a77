//! The cluster's name server.
use std::net::SocketAddr;
use std::path::PathBuf;

use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::{Error, NetworkConfig};

/// Where questions go that are not about the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// The name servers in a file such as `/etc/resolv.conf`, read again when it changes.
    File(PathBuf),
    /// These name servers.
    Servers(Vec<SocketAddr>),
}

impl Default for Upstream {
    fn default() -> Self {
        Self::File(PathBuf::from("/etc/resolv.conf"))
    }
}

/// Answers DNS on `config.dns_ip`, UDP and TCP port 53, until `token` is cancelled.
/// The address is put on the bridge by [`crate::PodNetwork::open`], which must come first.
pub async fn run(
    _client: Client,
    _config: NetworkConfig,
    _upstream: Upstream,
    _token: CancellationToken,
) -> Result<(), Error> {
    unimplemented!()
}
