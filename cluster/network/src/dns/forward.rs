//! Questions about the rest of the world, passed on to the host's name servers.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::net::{DnsError, NetError};
use hickory_server::resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_server::resolver::{Resolver, TokioResolver};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::Upstream;

/// How often the file with the name servers is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How long one name server may take; two of three tries fit a stub resolver's five seconds.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 1;
/// Questions under way at a time. More are refused at once, rather than all being late.
const UNDER_WAY: usize = 256;
const CACHED: u64 = 2_048;
/// A name moves slower than this at most, whatever its owner says.
const CACHED_FOR: Duration = Duration::from_secs(30);
const DNS_PORT: u16 = 53;
/// More name servers than this no resolver asks.
const SERVERS: usize = 3;
/// Top label of a name that only this server asks for, to see whether it comes back to it.
const PROBE: &[u8] = b"kpkg-loop-probe";

/// What others answered.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) code: ResponseCode,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
}

impl Outcome {
    pub(super) fn failed(code: ResponseCode) -> Self {
        Self { code, ..Self::default() }
    }
}

/// Asks the host's name servers.
pub(super) struct Forwarder {
    upstream: Upstream,
    /// This server's own address, which must not be among them.
    own: SocketAddr,
    resolver: RwLock<Option<Asked>>,
    slots: Semaphore,
    /// Makes the probe's name unlike any other server's.
    mark: String,
    looping: AtomicBool,
}

#[derive(Clone)]
struct Asked {
    servers: Vec<SocketAddr>,
    resolver: Arc<TokioResolver>,
}

impl Forwarder {
    pub(super) fn new(upstream: Upstream, own: SocketAddr) -> Self {
        let mark = RandomState::new().build_hasher().finish();
        Self {
            upstream,
            own,
            resolver: RwLock::new(None),
            slots: Semaphore::new(UNDER_WAY),
            mark: format!("{mark:016x}"),
            looping: AtomicBool::new(false),
        }
    }

    /// Follows changes of the host's name servers.
    pub(super) async fn keep(&self) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let servers = match &self.upstream {
                Upstream::Servers(servers) => servers.clone(),
                Upstream::File(path) => read_servers(path),
            };
            let servers: Vec<_> = servers.into_iter().filter(|server| *server != self.own).take(SERVERS).collect();
            if self.asked().is_none_or(|asked| asked.servers != servers) {
                self.take_up(servers);
                self.probe().await;
            }
        }
    }

    /// Whether a name is a probe; if it is this server's own, what it forwards comes back.
    pub(super) fn is_probe(&self, name: &Name) -> bool {
        let is_probe = name.iter().next_back() == Some(PROBE);
        if is_probe && name.iter().next() == Some(self.mark.as_bytes()) {
            let before = self.looping.swap(true, Ordering::Relaxed);
            if !before {
                tracing::error!(
                    "the host's name servers pass questions back to the cluster's name server; \
                     names outside the cluster will not be found until that is mended"
                );
            }
        }
        is_probe
    }

    pub(super) async fn ask(&self, name: Name, kind: RecordType) -> Outcome {
        if self.looping.load(Ordering::Relaxed) {
            return Outcome::failed(ResponseCode::ServFail);
        }
        self.ask_anyway(name, kind).await
    }

    async fn ask_anyway(&self, mut name: Name, kind: RecordType) -> Outcome {
        let (Some(asked), Ok(_slot)) = (self.asked(), self.slots.try_acquire()) else {
            return Outcome::failed(ResponseCode::ServFail);
        };
        name.set_fqdn(true);
        match asked.resolver.lookup(name, kind).await {
            Ok(lookup) => Outcome {
                code: ResponseCode::NoError,
                answers: lookup.answers().to_vec(),
                authorities: lookup.authorities().to_vec(),
            },
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Outcome {
                code: none.response_code,
                answers: Vec::new(),
                authorities: none.soa.map(|soa| soa.into_record_of_rdata()).into_iter().collect(),
            },
            Err(NetError::Dns(DnsError::ResponseCode(code))) => Outcome::failed(code),
            Err(error) => {
                tracing::debug!(%error, "the host's name servers did not answer");
                Outcome::failed(ResponseCode::ServFail)
            }
        }
    }

    fn asked(&self) -> Option<Asked> {
        self.resolver.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take_up(&self, servers: Vec<SocketAddr>) {
        let asked = match build(&servers) {
            Ok(resolver) if !servers.is_empty() => {
                tracing::info!(?servers, "names outside the cluster are asked of these");
                Some(Asked { servers, resolver: Arc::new(resolver) })
            }
            Ok(_) => {
                tracing::warn!("no name server for names outside the cluster");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "cannot ask the host's name servers");
                None
            }
        };
        self.looping.store(false, Ordering::Relaxed);
        *self.resolver.write().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    /// Asks for a name that nobody has. See [`Forwarder::is_probe`].
    async fn probe(&self) {
        let name = Name::from_labels([self.mark.as_bytes(), PROBE]);
        if let Ok(name) = name {
            self.ask_anyway(name, RecordType::A).await;
        }
    }
}

fn build(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        config
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = TIMEOUT;
    options.attempts = ATTEMPTS;
    options.cache_size = CACHED;
    options.positive_max_ttl = Some(CACHED_FOR);
    options.negative_max_ttl = Some(CACHED_FOR);
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    options.edns0 = true;
    options.ndots = 0;
    options.os_port_selection = true;
    builder.build()
}

/// The `nameserver` lines of a file like `/etc/resolv.conf`. What cannot be read has none.
fn read_servers(path: &Path) -> Vec<SocketAddr> {
    match fs::read_to_string(path) {
        Ok(text) => parse_servers(&text),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "cannot read the name servers");
            Vec::new()
        }
    }
}

fn parse_servers(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let keyword = words.next()?;
        let address: IpAddr = words.next()?.parse().ok()?;
        (keyword == "nameserver" && !address.is_unspecified()).then_some(address)
    });
    addresses.map(|address| SocketAddr::new(address, DNS_PORT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_from_the_hosts_file() {
        let text = "# by hand\nsearch example.org\nnameserver 127.0.0.53 # stub\n\tnameserver\t::1\n\
                    nameserver 0.0.0.0\nnameserver nonsense\noptions edns0\nnameserver";
        let servers: Vec<_> = parse_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["127.0.0.53:53", "[::1]:53"]);
        assert!(read_servers(Path::new("/nonexistent")).is_empty());
    }

    #[test]
    fn only_the_own_probe_means_a_loop() {
        let own = SocketAddr::from(([10, 43, 0, 10], 53));
        let forwarder = Forwarder::new(Upstream::Servers(Vec::new()), own);
        let name = |mark: &str| Name::from_labels([mark.as_bytes(), PROBE]).unwrap();
        assert!(!forwarder.is_probe(&Name::from_ascii("example.org.").unwrap()));
        assert!(forwarder.is_probe(&name("another-cluster")));
        assert!(!forwarder.looping.load(Ordering::Relaxed));
        assert!(forwarder.is_probe(&name(&forwarder.mark)));
        assert!(forwarder.looping.load(Ordering::Relaxed));
    }
}
