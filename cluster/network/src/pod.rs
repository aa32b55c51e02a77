//! The pod network: one namespace, one address and one way out for each pod.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::as_dyn;
use crate::host::{self, Addresses, Bridge};
use crate::lease::{self, Leases};
use crate::netlink::route::Router;
use crate::nft::{self, Layout};
use crate::wiring::{self, Plan};
use crate::{Error, NetworkConfig, conntrack, netns, sysctl};

/// How long addresses given back are collected before their connections are forgotten.
const FORGET_DELAY: Duration = Duration::from_secs(1);

/// A link-layer address, printed as `0a:58:0a:2a:00:05`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.map(|byte| format!("{byte:02x}")).join(":");
        f.write_str(&text)
    }
}

/// A pod's place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The pod it belongs to.
    pub pod_uid: String,
    /// The pinned network namespace, to be joined by the pod's sandbox.
    pub netns: PathBuf,
    /// The pod's address.
    pub ip: IpAddr,
    /// Its default gateway, the bridge's address.
    pub gateway: IpAddr,
    /// The link-layer address of the pod's `eth0`.
    pub mac: MacAddress,
}

/// The pod network of a running cluster.
#[derive(Debug)]
pub struct PodNetwork {
    config: NetworkConfig,
    addresses: Addresses,
    bridge: Bridge,
    leases: Mutex<Leases>,
    /// Addresses whose connections the kernel still tracks.
    resting: Mutex<Vec<Ipv4Addr>>,
    notices: Vec<String>,
}

impl PodNetwork {
    /// Brings up bridge, routes and base packet rules, and takes up the leases on disk. What a
    /// crashed run left half-made is removed; pods that were attached stay attached.
    pub async fn open(config: NetworkConfig) -> Result<Arc<Self>, Error> {
        blocking("open the pod network", move || Self::open_now(config)).await.map(Arc::new)
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// What was changed on the host or stands in the way, one sentence each, for the user.
    pub fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }

    /// Gives the pod a namespace, an address and a way out. Calling it again, also after a
    /// crash or a restart, completes what is missing and gives the same answer.
    pub async fn attach(self: &Arc<Self>, pod_uid: &str) -> Result<Attachment, Error> {
        let (network, pod_uid) = (Arc::clone(self), pod_uid.to_owned());
        blocking("attach a pod", move || network.attach_now(&pod_uid)).await
    }

    /// Takes all of it away. A pod that is not attached is fine.
    pub async fn detach(self: &Arc<Self>, pod_uid: &str) -> Result<(), Error> {
        let (network, pod_uid) = (Arc::clone(self), pod_uid.to_owned());
        if let Some(address) = blocking("detach a pod", move || network.detach_now(&pod_uid)).await? {
            self.forget_later(address);
        }
        Ok(())
    }

    /// All pods that hold an address. The one who runs pods detaches those it does not know.
    pub fn list(&self) -> Vec<Attachment> {
        let leases = self.leases();
        leases.iter().map(|(pod, address)| self.attachment(pod, address)).collect()
    }

    /// Removes every trace of a cluster's network, running or crashed: links, pinned
    /// namespaces, packet rules, routes, tracked connections, leases, switches it turned on.
    pub async fn teardown(config: &NetworkConfig) -> Result<(), Error> {
        let config = config.clone();
        blocking("remove the pod network", move || teardown_now(&config)).await
    }

    fn open_now(config: NetworkConfig) -> Result<Self, Error> {
        let addresses = Addresses::of(&config)?;
        for folder in [&config.state_dir, &config.netns_dir()] {
            fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        }
        let mut router = Router::open()?;
        // Rules first: from the first packet on, unknown service addresses are refused.
        let mut kernel = nft::Kernel::open(Layout::new(&config, &addresses))?;
        kernel.ensure_layout()?;
        let bridge = host::bring_up(&mut router, &config)?;
        let switched = host::hold_forwarding(&mut router, &config)?;
        let leases = Leases::open(&config.lease_dir(), addresses.pods)?;
        sweep(&mut router, &config, bridge, &leases)?;
        let mut notices: Vec<String> =
            switched.iter().map(|interface| format!("turned on IPv4 forwarding on {interface}")).collect();
        notices.extend(kernel.foreign_drops()?);
        for notice in &notices {
            tracing::info!(cluster = config.cluster_name, "{notice}");
        }
        Ok(Self { config, addresses, bridge, leases: Mutex::new(leases), resting: Mutex::default(), notices })
    }

    fn attach_now(&self, pod_uid: &str) -> Result<Attachment, Error> {
        let address = self.leases().lease(pod_uid)?;
        let attachment = self.attachment(pod_uid, address);
        let gateway = self.addresses.gateway;
        let plan = Plan::new(&self.config, self.bridge, pod_uid, address, gateway);
        wiring::wire(&attachment.netns, &plan)?;
        Ok(attachment)
    }

    /// Gives the address the pod had.
    fn detach_now(&self, pod_uid: &str) -> Result<Option<Ipv4Addr>, Error> {
        lease::check_uid(pod_uid)?;
        wiring::cut_off(&wiring::outer_name(&self.config.cluster_name, pod_uid))?;
        netns::unpin(&self.config.netns_dir().join(pod_uid))?;
        // Last: as long as anything is left, the address is not free and `list` names the pod.
        let mut leases = self.leases();
        let address = leases.get(pod_uid);
        leases.release(pod_uid)?;
        Ok(address)
    }

    /// Has the kernel forget connections of addresses that were given back. It walks through all
    /// it tracks for that, some 20 ms, so nobody waits for it, and one walk serves many pods.
    /// There is time: an address rests until the whole range was used.
    fn forget_later(self: &Arc<Self>, address: Ipv4Addr) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.push(address);
        if resting.len() > 1 {
            return; // whoever was first has not begun yet
        }
        let network = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(FORGET_DELAY).await;
            let done = blocking("forget connections", move || network.forget_now()).await;
            if let Err(error) = done {
                tracing::warn!(error = as_dyn(&error), "stale connections stay tracked");
            }
        });
    }

    fn forget_now(&self) -> Result<(), Error> {
        let resting = std::mem::take(&mut *self.resting.lock().unwrap_or_else(PoisonError::into_inner));
        let addresses: BTreeSet<_> = resting.into_iter().collect();
        conntrack::forget(|c| c.ends().iter().any(|end| addresses.contains(end))).map(drop)
    }

    fn attachment(&self, pod_uid: &str, address: Ipv4Addr) -> Attachment {
        Attachment {
            pod_uid: pod_uid.to_owned(),
            netns: self.config.netns_dir().join(pod_uid),
            ip: address.into(),
            gateway: self.addresses.gateway.into(),
            mac: wiring::mac(address),
        }
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        // A panic while it was held cannot leave disk and memory apart for longer than the
        // lease being written, which the next caller writes again.
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes namespaces and links that no lease speaks of: a crash came between.
fn sweep(router: &mut Router, config: &NetworkConfig, bridge: Bridge, leases: &Leases) -> Result<(), Error> {
    for path in netns::files(&config.netns_dir())? {
        let pod = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if leases.get(pod).is_none() {
            tracing::warn!(path = %path.display(), "removed a namespace without a lease");
            netns::unpin(&path)?;
        }
    }
    let known: Vec<String> = leases.iter().map(|(pod, _)| wiring::outer_name(&config.cluster_name, pod)).collect();
    for link in router.links()? {
        if host::is_port(&link, config, Some(bridge.index)) && !known.contains(&link.name) {
            tracing::warn!(link = link.name, "removed a link without a lease");
            router.delete_link(link.index)?;
        }
    }
    Ok(())
}

fn teardown_now(config: &NetworkConfig) -> Result<(), Error> {
    let addresses = Addresses::of(config)?;
    // Each step is taken even if one before it failed; the first failure is told.
    let steps = [
        Router::open().and_then(|mut router| host::take_down(&mut router, config)),
        unpin_all(&config.netns_dir()),
        nft::Kernel::open(Layout::new(config, &addresses)).and_then(|mut k| k.delete_table()),
        conntrack::forget_range(addresses.pods).map(drop),
        conntrack::forget_range(addresses.services).map(drop),
        sysctl::release_forwarding(&config.run_dir, &config.cluster_name),
        remove_folder(&config.netns_dir()),
        remove_folder(&config.lease_dir()),
    ];
    // The folder itself may hold what others put there.
    let _ = fs::remove_dir(&config.state_dir);
    steps.into_iter().collect()
}

fn unpin_all(folder: &Path) -> Result<(), Error> {
    let results: Vec<_> = netns::files(folder)?.iter().map(|path| netns::unpin(path)).collect();
    results.into_iter().collect()
}

/// Removes one of our folders with the files in it.
fn remove_folder(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", folder, error)),
        _ => Ok(()),
    }
}

/// Runs netlink work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Thread { action })?
}
