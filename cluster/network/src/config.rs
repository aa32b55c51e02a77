//! What one cluster's network is told: its names, ranges and places on disk.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::Error;

/// Start of every bridge name that belongs to a cluster of ours, whatever its name.
pub const BRIDGE_PREFIX: &str = "kpkg-";

/// The node ports Kubernetes hands out when nothing else is asked for.
pub const DEFAULT_NODE_PORTS: RangeInclusive<u16> = 30000..=32767;

/// Longest name the kernel takes for a network interface.
const LINK_NAME_MAX: usize = 15;

/// Everything the network of one cluster is derived from.
///
/// All fields are open: any combination that [`NetworkConfig::check`] accepts works.
/// [`NetworkConfig::new`] fills the names in so that two clusters never share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The cluster's name; every kernel object is named after it.
    pub cluster_name: String,
    /// Name of the bridge that pods hang on, at most 15 bytes.
    pub bridge: String,
    /// Name of the nftables table.
    pub table: String,
    /// Where pod addresses come from. The first address is the bridge's own.
    pub pod_cidr: IpNet,
    /// Where service addresses come from.
    pub service_cidr: IpNet,
    /// The node ports of this cluster.
    pub node_port_range: RangeInclusive<u16>,
    /// Address of the cluster's name server, inside `service_cidr`.
    pub dns_ip: IpAddr,
    /// The zone the name server is responsible for, without dots at its ends.
    pub cluster_domain: String,
    /// Folder for leases, pinned namespaces and what was changed on the host.
    pub state_dir: PathBuf,
    /// Folder emptied at boot, where clusters of this machine note what they changed on it.
    pub run_dir: PathBuf,
    /// The address this machine is known by inside the cluster.
    pub node_ip: IpAddr,
}

impl NetworkConfig {
    /// The usual configuration: names from the cluster's name, the tenth service address for
    /// DNS, `cluster.local` as zone, Kubernetes' node ports.
    pub fn new(
        cluster_name: &str,
        pod_cidr: IpNet,
        service_cidr: IpNet,
        state_dir: &Path,
        node_ip: IpAddr,
    ) -> Result<Self, Error> {
        let config = Self {
            cluster_name: cluster_name.to_owned(),
            bridge: bridge_name(cluster_name),
            table: format!("kpkg-{cluster_name}"),
            pod_cidr,
            service_cidr,
            node_port_range: DEFAULT_NODE_PORTS,
            dns_ip: nth_address(service_cidr, 10).unwrap_or(service_cidr.network()),
            cluster_domain: "cluster.local".to_owned(),
            state_dir: state_dir.to_owned(),
            run_dir: PathBuf::from("/run/kpkg"),
            node_ip,
        };
        config.check()?;
        Ok(config)
    }

    /// The bridge's address: the first of the pod range, every pod's default gateway.
    pub fn gateway(&self) -> IpAddr {
        nth_address(self.pod_cidr, 1).unwrap_or(self.pod_cidr.network())
    }

    /// Says whether the parts fit together.
    pub fn check(&self) -> Result<(), Error> {
        check_range(self.pod_cidr)?;
        check_range(self.service_cidr)?;
        let (pods, services) = (self.pod_cidr, self.service_cidr);
        if overlaps(pods, services) {
            return Err(Error::RangesOverlap { pods, services });
        }
        if !services.contains(&self.dns_ip) || self.dns_ip == services.network() {
            return Err(Error::DnsOutsideServices { address: self.dns_ip, services });
        }
        let name_fits = !self.bridge.is_empty() && self.bridge.len() <= LINK_NAME_MAX;
        if !name_fits || self.bridge.contains(|c: char| c == '/' || c.is_whitespace()) {
            return Err(Error::BadBridgeName { name: self.bridge.clone() });
        }
        Ok(())
    }

    pub(crate) fn netns_dir(&self) -> PathBuf {
        self.state_dir.join("netns")
    }

    pub(crate) fn lease_dir(&self) -> PathBuf {
        self.state_dir.join("leases")
    }
}

/// The bridge of a cluster: its name in full if that fits, else a digest of it.
pub fn bridge_name(cluster_name: &str) -> String {
    let full = format!("{BRIDGE_PREFIX}{cluster_name}");
    if full.len() <= LINK_NAME_MAX {
        return full;
    }
    let digest = digest(cluster_name) & 0xff_ffff_ffff;
    format!("{BRIDGE_PREFIX}{digest:010x}")
}

/// 64-bit FNV-1a: short, stable over versions, good enough to tell names apart.
pub(crate) fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The `index`-th address of a range, counting its network address as 0.
pub fn nth_address(range: IpNet, index: u32) -> Option<IpAddr> {
    let IpAddr::V4(network) = range.network() else {
        return None;
    };
    let address = IpAddr::V4(Ipv4Addr::from(u32::from(network).checked_add(index)?));
    range.contains(&address).then_some(address)
}

/// Whether two ranges share an address.
pub fn overlaps(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

fn check_range(range: IpNet) -> Result<(), Error> {
    match range {
        IpNet::V6(_) => Err(Error::Ipv6NotServed { range }),
        IpNet::V4(_) if !(8..=28).contains(&range.prefix_len()) => Err(Error::BadRange { range }),
        IpNet::V4(_) if range.network() != range.addr() => Err(Error::BadRange { range }),
        IpNet::V4(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pods: &str, services: &str) -> Result<NetworkConfig, Error> {
        let node = IpAddr::from([192, 0, 2, 1]);
        let dir = Path::new("/var/lib/kpkg/x");
        let (pods, services) = (pods.parse().unwrap(), services.parse().unwrap());
        NetworkConfig::new("default", pods, services, dir, node)
    }

    #[test]
    fn names_and_addresses_follow_from_the_cluster() {
        let config = config("10.42.0.0/16", "10.43.0.0/16").unwrap();
        assert_eq!(config.bridge, "kpkg-default");
        assert_eq!(config.table, "kpkg-default");
        assert_eq!(config.gateway().to_string(), "10.42.0.1");
        assert_eq!(config.dns_ip.to_string(), "10.43.0.10");
    }

    #[test]
    fn long_names_become_digests_that_still_fit() {
        let (a, b) = (bridge_name("a-rather-long-name"), bridge_name("a-rather-long-name-2"));
        assert_eq!(a.len(), LINK_NAME_MAX);
        assert_ne!(a, b);
        assert!(a.starts_with(BRIDGE_PREFIX));
    }

    #[test]
    fn bad_ranges_are_refused() {
        for (name, pods, services) in [
            ("overlap", "10.42.0.0/16", "10.42.8.0/24"),
            ("host bits", "10.42.0.1/16", "10.43.0.0/16"),
            ("too small", "10.42.0.0/30", "10.43.0.0/16"),
            ("version 6", "fd00::/64", "10.43.0.0/16"),
        ] {
            assert!(config(pods, services).is_err(), "{name}");
        }
    }
}
