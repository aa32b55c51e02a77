//! Node ports on the host's loopback.
//!
//! Packets to 127.0.0.1 never leave the loopback interface, and letting the kernel route them
//! elsewhere would open the host's own services to pods (CVE-2020-8558). So a listener in user
//! space takes such connections and makes one to an endpoint. It also keeps other programs from
//! taking the port for themselves.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::nft::{Backend, Protocol};

/// How long a port that is taken is left alone before the next try.
const RETRY: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 5_000 });
/// How long an endpoint may take to answer before the next one is tried.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections that one port carries at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 1024;
/// UDP has no end; a client that was silent this long is forgotten.
const UDP_IDLE: Duration = Duration::from_secs(60);
const UDP_CLIENTS: usize = 512;
const DATAGRAM: usize = 65_535;

/// The listeners of one cluster. Dropping it closes them.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    ports: BTreeMap<(Protocol, u16), Listener>,
}

#[derive(Debug)]
struct Listener {
    backend: watch::Sender<Arc<Backend>>,
    token: CancellationToken,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

impl Listeners {
    /// Serves a node port with this backend from now on; without one, no longer.
    pub(crate) fn set(&mut self, protocol: Protocol, port: u16, backend: Option<Arc<Backend>>) {
        let key = (protocol, port);
        let Some(backend) = backend else {
            self.ports.remove(&key);
            return;
        };
        if let Some(listener) = self.ports.get(&key) {
            listener.backend.send_replace(backend);
            return;
        }
        let (sender, receiver) = watch::channel(backend);
        let token = CancellationToken::new();
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let port = Port {
                address: SocketAddr::new(address, port),
                endpoints: Endpoints { backend: receiver.clone(), turn: Arc::default() },
            };
            let token = token.clone();
            match protocol {
                Protocol::Tcp => drop(tokio::spawn(token.run_until_cancelled_owned(port.tcp()))),
                Protocol::Udp => drop(tokio::spawn(token.run_until_cancelled_owned(port.udp()))),
                // No listener in user space for it; the kernel's rules serve it elsewhere.
                Protocol::Sctp => {}
            }
        }
        self.ports.insert(key, Listener { backend: sender, token });
    }
}

/// Who can be forwarded to, one after the other.
#[derive(Debug, Clone)]
struct Endpoints {
    backend: watch::Receiver<Arc<Backend>>,
    turn: Arc<AtomicUsize>,
}

impl Endpoints {
    /// All of them, the one whose turn it is first. All clients here are the same host, so
    /// those of a sticky service always start with the same one.
    fn in_turn(&self) -> Vec<SocketAddrV4> {
        let backend = Arc::clone(&self.backend.borrow());
        let mut all = backend.endpoints.clone();
        if !all.is_empty() && backend.sticky.is_none() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % all.len();
            all.rotate_left(turn);
        }
        all
    }
}

struct Port {
    address: SocketAddr,
    endpoints: Endpoints,
}

impl Port {
    async fn tcp(self) {
        let Some(listener) = self.bind(TcpListener::bind).await else { return };
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((client, _)) => {
                    let endpoints = self.endpoints.in_turn();
                    tokio::spawn(async move {
                        forward(client, endpoints).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly; trying at once would spin.
                    tracing::warn!(address = %self.address, %error, "cannot accept");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn udp(self) {
        let Some(socket) = self.bind(UdpSocket::bind).await else { return };
        let socket = Arc::new(socket);
        let mut clients: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
            // A relay that ended has let go of its half.
            clients.retain(|_, relay| Arc::strong_count(relay) > 1);
            let relay = match clients.get(&client) {
                Some(relay) => Arc::clone(relay),
                None if clients.len() >= UDP_CLIENTS => continue,
                None => match self.relay(&socket, client).await {
                    Ok(relay) => {
                        clients.insert(client, Arc::clone(&relay));
                        relay
                    }
                    Err(_) => continue,
                },
            };
            let _ = relay.send(&buffer[..length]).await;
        }
    }

    /// A socket towards an endpoint, whose answers go back to the client.
    async fn relay(&self, back: &Arc<UdpSocket>, client: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let Some(endpoint) = self.endpoints.in_turn().first().copied() else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let relay = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?);
        relay.connect(endpoint).await?;
        let (answers, back) = (Arc::clone(&relay), Arc::clone(back));
        let mut backend = self.endpoints.backend.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; DATAGRAM];
            loop {
                tokio::select! {
                    answer = timeout(UDP_IDLE, answers.recv(&mut buffer)) => match answer {
                        Ok(Ok(length)) => drop(back.send_to(&buffer[..length], client).await),
                        Ok(Err(_)) | Err(_) => return,
                    },
                    () = gone(&mut backend, endpoint) => return,
                }
            }
        });
        Ok(relay)
    }

    /// Binds, as often as it takes. `None`: this machine has no such address.
    async fn bind<T, F: Future<Output = io::Result<T>>>(&self, bind: impl Fn(SocketAddr) -> F) -> Option<T> {
        let mut told = false;
        loop {
            match bind(self.address).await {
                Ok(bound) => {
                    if told {
                        tracing::info!(address = %self.address, "the node port is free now");
                    }
                    return Some(bound);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => return None,
                // No IPv6 at all.
                Err(_) if self.address.is_ipv6() && told => {}
                Err(error) => {
                    if !told {
                        tracing::warn!(
                            address = %self.address,
                            %error,
                            "cannot listen on a node port; trying again every {RETRY:?}"
                        );
                    }
                    told = true;
                }
            }
            sleep(RETRY).await;
        }
    }
}

/// Waits until an endpoint is none any more.
async fn gone(backend: &mut watch::Receiver<Arc<Backend>>, endpoint: SocketAddrV4) {
    let _ = backend.wait_for(|now| !now.endpoints.contains(&endpoint)).await;
}

/// Connects a client to the first endpoint that answers. None does: the client is cut off.
async fn forward(mut client: TcpStream, endpoints: Vec<SocketAddrV4>) {
    for endpoint in endpoints {
        match timeout(CONNECT, TcpStream::connect(endpoint)).await {
            Ok(Ok(mut server)) => {
                let _ = client.set_nodelay(true);
                let _ = server.set_nodelay(true);
                // Errors are how connections end; the client sees them by itself.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                return;
            }
            Ok(Err(error)) => tracing::debug!(%endpoint, %error, "an endpoint did not answer"),
            Err(_) => tracing::debug!(%endpoint, "an endpoint did not answer in time"),
        }
    }
    // Closing with unread data or this option set makes the kernel send a reset.
    let _ = client.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn server(name: &'static str) -> SocketAddrV4 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!() };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // Answers only after the client has closed its half.
                let mut heard = String::new();
                stream.read_to_string(&mut heard).await.unwrap();
                stream.write_all(format!("{name} heard {heard}").as_bytes()).await.unwrap();
            }
        });
        address
    }

    async fn ask(port: u16) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    fn backend(endpoints: &[SocketAddrV4]) -> Arc<Backend> {
        Arc::new(Backend { endpoints: endpoints.to_vec(), sticky: None })
    }

    async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
        for _ in 0..200 {
            if let Some(found) = look().await {
                return found;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("it did not happen");
    }

    fn free_port() -> u16 {
        let any = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        any.local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn forwards_in_turn_passes_over_the_dead_and_ends() {
        let dead = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
        let (a, b) = (server("a").await, server("b").await);
        let mut listeners = Listeners::default();
        let port = free_port();
        listeners.set(Protocol::Tcp, port, Some(backend(&[a, b, dead])));
        let mut answers = vec![until(async || ask(port).await.ok()).await];
        for _ in 0..5 {
            answers.push(ask(port).await.unwrap());
        }
        answers.sort();
        answers.dedup();
        assert_eq!(answers, ["a heard hello", "b heard hello"]);
        listeners.set(Protocol::Tcp, port, Some(backend(&[dead])));
        assert!(ask(port).await.is_err());
        listeners.set(Protocol::Tcp, port, None);
        until(async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.err()).await;
    }

    #[tokio::test]
    async fn datagrams_find_their_way_back() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let SocketAddr::V4(address) = server.local_addr().unwrap() else { unreachable!() };
        tokio::spawn(async move {
            let mut buffer = [0; 64];
            while let Ok((length, client)) = server.recv_from(&mut buffer).await {
                server.send_to(&buffer[..length], client).await.unwrap();
            }
        });
        let mut listeners = Listeners::default();
        let port = free_port();
        listeners.set(Protocol::Udp, port, Some(backend(&[address])));
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let mut buffer = [0; 64];
        let length = until(async || {
            client.send(b"hello").await.ok()?;
            timeout(Duration::from_millis(200), client.recv(&mut buffer)).await.ok()?.ok()
        })
        .await;
        assert_eq!(length, 5);
    }

    #[tokio::test]
    async fn a_taken_port_is_no_reason_to_fail() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = holder.local_addr().unwrap().port();
        let mut listeners = Listeners::default();
        listeners.set(Protocol::Tcp, port, Some(backend(&[server("a").await])));
        sleep(Duration::from_millis(50)).await;
        drop(holder);
        assert_eq!(until(async || ask(port).await.ok()).await, "a heard hello");
    }
}
