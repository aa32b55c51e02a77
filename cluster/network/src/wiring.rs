//! A pod's own side: its namespace, its one interface, its way out.
//!
//! The pod's address has no neighbours (`/32`) and its only route goes to the gateway, so packets
//! between two pods of one bridge are routed by the host like all others. That is what lets the
//! host translate service addresses both ways without `br_netfilter`; where another program has
//! turned that on, the ports' hairpin mode keeps a pod's way to itself open.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use ipnet::Ipv4Net;
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth, LinkMessage};
use rtnetlink::{LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth};

use crate::config::{NetworkConfig, digest};
use crate::host::{self, Bridge};
use crate::netlink::route::{self, Link, Router};
use crate::pod::MacAddress;
use crate::{Error, netns, sysctl};

/// The interface inside the pod.
const INNER: &str = "eth0";

/// What a pod is wired with.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) bridge: Bridge,
    pub(crate) outer: String,
    pub(crate) alias: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) gateway: Ipv4Addr,
}

impl Plan {
    pub(crate) fn new(
        config: &NetworkConfig,
        bridge: Bridge,
        pod_uid: &str,
        address: Ipv4Addr,
        gateway: Ipv4Addr,
    ) -> Self {
        let outer = outer_name(&config.cluster_name, pod_uid);
        Self { bridge, outer, alias: host::alias(config, pod_uid), address, gateway }
    }
}

/// The name of a pod's host end: short, and unlike that of any pod of another cluster.
pub(crate) fn outer_name(cluster_name: &str, pod_uid: &str) -> String {
    let digest = digest(&format!("{cluster_name}/{pod_uid}")) & 0xffff_ffff_ffff;
    format!("kpv{digest:012x}")
}

/// The link-layer address that belongs to a pod address. Fixed, so that a neighbour that still
/// remembers an earlier pod of the same address is not wrong.
pub(crate) fn mac(address: Ipv4Addr) -> MacAddress {
    let [a, b, c, d] = address.octets();
    MacAddress([0x0a, 0x58, a, b, c, d])
}

/// Makes the namespace at `netns` and everything in it as `plan` says. What is right already
/// is left alone: a pod may be running in it.
pub(crate) fn wire(netns: &Path, plan: &Plan) -> Result<(), Error> {
    netns::on_throwaway_thread("wire a pod", || {
        let mut host = Router::open()?;
        let namespace = netns::enter(netns)?;
        let mut pod = Router::open()?;
        set_switches()?;
        let inner = ensure_pair(&mut host, &mut pod, &namespace, plan)?;
        configure(&mut pod, inner, plan)
    })
}

/// Cuts the pod off. Its interface ends with its namespace, which the kernel takes apart by
/// itself and later: deleting it here would wait 20 to 40 ms for that.
pub(crate) fn cut_off(outer: &str) -> Result<(), Error> {
    let mut host = Router::open()?;
    let Some(link) = host.link(outer)? else { return Ok(()) };
    host.set_down(link.index)
}

fn set_switches() -> Result<(), Error> {
    for (name, value) in [
        // `default` is what interfaces are born with; loopback exists already and keeps ::1.
        ("ipv6/conf/default/disable_ipv6", "1"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv4/conf/all/accept_redirects", "0"),
        ("ipv4/conf/default/accept_redirects", "0"),
        // As container runtimes do: no capability needed for port 80 or for ping.
        ("ipv4/ip_unprivileged_port_start", "0"),
        ("ipv4/ping_group_range", "0 2147483647"),
    ] {
        sysctl::set(name, value)?;
    }
    Ok(())
}

/// The index of the pod's interface, whose other end is on the bridge.
fn ensure_pair(host: &mut Router, pod: &mut Router, namespace: &File, plan: &Plan) -> Result<u32, Error> {
    let inner = pod.link(INNER)?;
    let outer = host.link(&plan.outer)?;
    if let (Some(inner), Some(outer)) = (&inner, &outer)
        && is_right(inner, outer, plan)
    {
        return Ok(inner.index);
    }
    // Half a pair, or a stranger's: both go, and the pair is made anew.
    if let Some(outer) = outer {
        host.delete_link(outer.index)?;
    }
    if let Some(inner) = pod.link(INNER)? {
        pod.delete_link(inner.index)?;
    }
    host.create_link(pair(plan, namespace.as_raw_fd()), "the pod's veth")?;
    finish_outer(host, plan)?;
    pod.link(INNER)?.map(|link| link.index).ok_or_else(|| Error::Answer {
        action: "create the pod's veth".to_owned(),
        detail: "its inner end is not there".to_owned(),
    })
}

fn is_right(inner: &Link, outer: &Link, plan: &Plan) -> bool {
    outer.controller == Some(plan.bridge.index)
        && outer.alias == plan.alias
        && outer.up
        && inner.peer == Some(outer.index)
        && inner.mac == Some(mac(plan.address))
}

/// One message: the inner end is born in the pod, the outer end on the bridge. The inner end
/// cannot be born up, because it opens before the outer end exists.
fn pair(plan: &Plan, namespace: RawFd) -> LinkMessage {
    let inner = LinkUnspec::new_with_name(INNER)
        .address(mac(plan.address).0.to_vec())
        .mtu(plan.bridge.mtu)
        .setns_by_fd(namespace)
        .build();
    LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .name(plan.outer.clone())
        .mtu(plan.bridge.mtu)
        .controller(plan.bridge.index)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(inner)))
        .up()
        .build()
}

/// What a link cannot be born with.
fn finish_outer(host: &mut Router, plan: &Plan) -> Result<(), Error> {
    let Some(outer) = host.link(&plan.outer)? else {
        return Err(Error::Answer {
            action: "create the pod's veth".to_owned(),
            detail: "its outer end is not there".to_owned(),
        });
    };
    let port = LinkBridgePort::new(outer.index).hairpin(true).alias(plan.alias.clone());
    host.change_link(port.build(), &plan.outer)
}

fn configure(pod: &mut Router, inner: u32, plan: &Plan) -> Result<(), Error> {
    if let Some(loopback) = pod.link("lo")?.filter(|link| !link.up) {
        let up = LinkUnspec::new_with_index(loopback.index).up().build();
        pod.change_link(up, "the pod's loopback")?;
    }
    let up = LinkUnspec::new_with_index(inner).up().build();
    pod.change_link(up, "the pod's interface")?;
    pod.add_address(inner, plan.address, 32)?;
    let gateway = Ipv4Net::from(plan.gateway);
    pod.replace_route(route::link_route(gateway, inner, plan.address), "the pod's gateway")?;
    pod.replace_route(route::default_route(plan.gateway, inner), "the pod's default route")
}
