//! The cluster's name server.
//!
//! `zone` holds what the API says and answers from memory; `forward` asks the host's name
//! servers for the rest; `handler` puts both on the wire. The server's address is a service
//! address that the bridge carries, so no packet rule stands between a pod and its names.

mod forward;
mod handler;
mod zone;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hickory_server::Server;
use kube::Client;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::services::Feed;
use crate::{Error, NetworkConfig};

use forward::Forwarder;
use handler::Handler;
use zone::Zone;

const PORT: u16 = 53;
/// A TCP client that says nothing for so long is cut off.
const TCP_IDLE: Duration = Duration::from_secs(10);
/// Answers that wait for a slow TCP client.
const TCP_QUEUE: usize = 32;

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
    client: Client,
    config: NetworkConfig,
    upstream: Upstream,
    token: CancellationToken,
) -> Result<(), Error> {
    let address = SocketAddr::new(config.dns_ip, PORT);
    let failed = |source: io::Error| Error::DnsListen { address, source };
    let udp = UdpSocket::bind(address).await.map_err(failed)?;
    let tcp = TcpListener::bind(address).await.map_err(failed)?;
    let zone = Arc::new(RwLock::new(Zone::new(&config)));
    let forwarder = Arc::new(Forwarder::new(upstream, address));
    let mut server =
        Server::new(Handler { zone: Arc::clone(&zone), forwarder: Arc::clone(&forwarder), turn: AtomicUsize::new(0) });
    server.register_socket(udp);
    server.register_listener(tcp, TCP_IDLE, TCP_QUEUE);
    tokio::select! {
        () = token.cancelled() => {}
        () = forwarder.keep() => {}
        () = follow(client, &zone) => {}
        done = server.block_until_done() => {
            return done.map_err(|error| failed(io::Error::other(error)));
        }
    }
    if let Err(error) = server.shutdown_gracefully().await {
        tracing::debug!(%error, "the name server did not end in order");
    }
    Ok(())
}

/// Keeps the zone as the API says.
async fn follow(client: Client, zone: &RwLock<Zone>) {
    let mut feed = Feed::new(client);
    loop {
        let touched = feed.next().await;
        let mut zone = zone.write().unwrap_or_else(PoisonError::into_inner);
        let model = feed.model();
        for key in &touched {
            zone.set(key, model.service(key), model.slices(key));
        }
        zone.set_complete();
    }
}
