//! The host's side of the pod network: bridge, addresses, routes, forwarding.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use rtnetlink::packet_route::link::InfoKind;
use rtnetlink::{LinkBridge, LinkUnspec};

use crate::config::{BRIDGE_PREFIX, NetworkConfig, digest};
use crate::netlink::route::{self, Link, Router};
use crate::pod::MacAddress;
use crate::{Error, lease, sysctl};

/// MTU where there is no default route to take it from.
const DEFAULT_MTU: u32 = 1500;

/// The addresses of a configuration, known to be IPv4.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) pods: Ipv4Net,
    pub(crate) services: Ipv4Net,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) dns: Ipv4Addr,
}

impl Addresses {
    pub(crate) fn of(config: &NetworkConfig) -> Result<Self, Error> {
        config.check()?;
        let v4 = |range| match range {
            IpNet::V4(range) => Ok(range),
            IpNet::V6(_) => Err(Error::Ipv6NotServed { range }),
        };
        let (pods, services) = (v4(config.pod_cidr)?, v4(config.service_cidr)?);
        let std::net::IpAddr::V4(dns) = config.dns_ip else {
            return Err(Error::Ipv6NotServed { range: config.dns_ip.into() });
        };
        Ok(Self { pods, services, gateway: lease::gateway(pods), dns })
    }
}

/// What pods are plugged into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bridge {
    pub(crate) index: u32,
    pub(crate) mtu: u32,
}

/// Brings up the bridge with its addresses and routes. What is right already is left alone.
pub(crate) fn bring_up(router: &mut Router, config: &NetworkConfig) -> Result<Bridge, Error> {
    let addresses = Addresses::of(config)?;
    let mtu = uplink_mtu(router)?;
    let bridge = ensure_bridge(router, config, mtu)?;
    set_switches(&config.bridge)?;
    let up = LinkUnspec::new_with_index(bridge).mtu(mtu).up().build();
    router.change_link(up, &config.bridge)?;
    ensure_addresses(router, bridge, &addresses)?;
    // Before service addresses are translated the host looks for a route to them. This one is
    // never followed to its end: what is not translated is refused by the packet rules.
    let services = route::link_route(addresses.services, bridge, addresses.gateway);
    router.replace_route(services, "the route to the service range")?;
    for range in [addresses.pods, addresses.services] {
        // Takes over when the bridge is down or gone, so that nothing leaves the machine.
        let last_resort = route::unreachable_route(range);
        router.replace_route(last_resort, "the unreachable route")?;
    }
    Ok(Bridge { index: bridge, mtu })
}

/// Removes bridge, ports and routes of a cluster, as far as they are there.
pub(crate) fn take_down(router: &mut Router, config: &NetworkConfig) -> Result<(), Error> {
    let links = router.links()?;
    let bridge = links.iter().find(|link| link.name == config.bridge).map(|link| link.index);
    for link in links.iter().filter(|link| is_port(link, config, bridge)) {
        router.delete_link(link.index)?;
    }
    if let Some(bridge) = bridge {
        router.delete_link(bridge)?;
    }
    let ranges = [config.pod_cidr, config.service_cidr];
    for route in router.routes()? {
        if route.ours && route.unreachable && ranges.contains(&IpNet::V4(route.destination)) {
            router.delete_route(&route)?;
        }
    }
    Ok(())
}

/// Whether a link is a pod's host end in this cluster.
pub(crate) fn is_port(link: &Link, config: &NetworkConfig, bridge: Option<u32>) -> bool {
    let on_bridge = bridge.is_some() && link.controller == bridge;
    let by_name = link.alias.starts_with(&alias(config, ""));
    (on_bridge || by_name) && link.kind == Some(InfoKind::Veth)
}

/// What a pod's host end carries as a note; also proof of whose it is.
pub(crate) fn alias(config: &NetworkConfig, pod_uid: &str) -> String {
    format!("kpkg {} pod {pod_uid}", config.cluster_name)
}

/// Turns on forwarding for the bridge and every interface packets of pods may pass.
/// Says which interfaces of the host had it off.
pub(crate) fn hold_forwarding(router: &mut Router, config: &NetworkConfig) -> Result<Vec<String>, Error> {
    let links = router.links()?;
    let addressed = router.addresses()?;
    let interfaces: Vec<String> = links
        .into_iter()
        .filter(|link| !link.loopback && !link.name.starts_with(BRIDGE_PREFIX))
        .filter(|link| addressed.iter().any(|&(index, _, _)| index == link.index))
        .map(|link| link.name)
        .collect();
    sysctl::hold_forwarding(&config.run_dir, &config.cluster_name, &interfaces)
}

fn ensure_bridge(router: &mut Router, config: &NetworkConfig, mtu: u32) -> Result<u32, Error> {
    let name = &config.bridge;
    if let Some(link) = router.link(name)? {
        if link.kind != Some(InfoKind::Bridge) {
            return Err(Error::BridgeNameTaken { name: name.clone() });
        }
        return Ok(link.index);
    }
    // A fixed address: pods remember it, and the kernel would else take the lowest port's.
    let link = LinkBridge::new(name).address(bridge_mac(&config.cluster_name).0.to_vec()).mtu(mtu).build();
    router.create_link(link, name)?;
    let created = router.link(name)?.map(|link| link.index);
    created.ok_or_else(|| Error::Answer { action: format!("create {name}"), detail: "the bridge vanished".to_owned() })
}

fn set_switches(bridge: &str) -> Result<(), Error> {
    for (name, value) in [
        ("ipv4/conf/{}/forwarding", "1"),
        // A pod may only send from addresses that lie behind the bridge.
        ("ipv4/conf/{}/rp_filter", "1"),
        // All traffic between pods passes the gateway; telling them a shorter way would break it.
        ("ipv4/conf/{}/send_redirects", "0"),
        ("ipv4/conf/{}/accept_redirects", "0"),
        // Off, or pods could reach what listens on the host's loopback (CVE-2020-8558).
        ("ipv4/conf/{}/route_localnet", "0"),
        // IPv6 is not served; a pod must not make the host configure itself (CVE-2020-10749).
        ("ipv6/conf/{}/accept_ra", "0"),
        ("ipv6/conf/{}/disable_ipv6", "1"),
    ] {
        sysctl::set(&name.replace("{}", bridge), value)?;
    }
    Ok(())
}

fn ensure_addresses(router: &mut Router, link: u32, wanted: &Addresses) -> Result<(), Error> {
    let keep = [(wanted.gateway, wanted.pods.prefix_len()), (wanted.dns, 32)];
    for (index, address, prefix) in router.addresses()? {
        if index == link && !keep.contains(&(address, prefix)) {
            router.delete_address(link, address, prefix)?;
        }
    }
    for (address, prefix) in keep {
        router.add_address(link, address, prefix)?;
    }
    Ok(())
}

/// The MTU of the interface that the default route uses.
fn uplink_mtu(router: &mut Router) -> Result<u32, Error> {
    let uplink = router
        .routes()?
        .into_iter()
        .find(|route| route.main && route.destination.prefix_len() == 0 && !route.unreachable)
        .and_then(|route| route.link);
    let links = router.links()?;
    let mtu = links.iter().find(|link| Some(link.index) == uplink).map(|link| link.mtu);
    Ok(mtu.unwrap_or(DEFAULT_MTU))
}

fn bridge_mac(cluster_name: &str) -> MacAddress {
    let [_, _, rest @ ..] = digest(cluster_name).to_be_bytes();
    let mut mac = rest;
    // Locally administered, not multicast; unlike any pod's, which start with 0a:58.
    mac[0] = 0x0e;
    MacAddress(mac)
}
