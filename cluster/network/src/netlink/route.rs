//! Links, addresses and routes: rtnetlink's messages over our own socket.

use std::io;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rtnetlink::packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload, ParseableParametrized};
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{AddressMessageBuilder, LinkUnspec, RouteMessageBuilder};

use super::{ACK, CREATE, DUMP, EXCLUSIVE, REPLACE, REQUEST, Socket};
use crate::Error;
use crate::pod::MacAddress;

/// Marks our routes as ours (the field that says `static`, `kernel`, `dhcp`).
const ROUTE_PROTOCOL: RouteProtocol = RouteProtocol::Other(0x4b);
/// Worse than any metric that a person or a daemon would choose.
const LAST_RESORT: u32 = u32::MAX - 1;

/// The address family number of rtnetlink.
const NETLINK_ROUTE: isize = 0;

/// What we look at of a network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) alias: String,
    pub(crate) kind: Option<InfoKind>,
    pub(crate) controller: Option<u32>,
    /// Index of the veth's other end, in the other end's namespace.
    pub(crate) peer: Option<u32>,
    pub(crate) mac: Option<MacAddress>,
    pub(crate) mtu: u32,
    pub(crate) up: bool,
    pub(crate) loopback: bool,
}

/// A route, as far as choosing ranges and cleaning up go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: Ipv4Net,
    pub(crate) link: Option<u32>,
    pub(crate) unreachable: bool,
    pub(crate) ours: bool,
    /// In the main table (not `local`).
    pub(crate) main: bool,
    message: RouteMessage,
}

/// The routing side of one network namespace.
#[derive(Debug)]
pub(crate) struct Router {
    socket: Socket,
}

impl Router {
    /// Opens the namespace the calling thread is in.
    pub(crate) fn open() -> Result<Self, Error> {
        let socket = Socket::open(NETLINK_ROUTE).map_err(|e| Error::kernel("open a routing socket", e))?;
        Ok(Self { socket })
    }

    /// All interfaces.
    pub(crate) fn links(&mut self) -> Result<Vec<Link>, Error> {
        let ask = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.dump(&ask, "list links", |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(read_link(&link)),
            _ => None,
        })
    }

    /// One interface, if it is there.
    pub(crate) fn link(&mut self, name: &str) -> Result<Option<Link>, Error> {
        let ask = LinkUnspec::new_with_name(name).build();
        let ask = RouteNetlinkMessage::GetLink(ask);
        let found = self.exchange(&ask, REQUEST | ACK, |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(read_link(&link)),
            _ => None,
        });
        match found {
            Ok(mut links) => Ok(links.pop()),
            Err(error) if error.raw_os_error() == Some(Errno::NODEV) => Ok(None),
            Err(error) => Err(Error::kernel(format!("look up link {name}"), error)),
        }
    }

    /// Creates a link; it must not exist.
    pub(crate) fn create_link(&mut self, link: LinkMessage, what: &str) -> Result<(), Error> {
        let flags = CREATE | EXCLUSIVE;
        self.act(&RouteNetlinkMessage::NewLink(link), flags, || format!("create {what}"))
    }

    /// Changes an existing link.
    pub(crate) fn change_link(&mut self, link: LinkMessage, what: &str) -> Result<(), Error> {
        self.act(&RouteNetlinkMessage::NewLink(link), 0, || format!("change {what}"))
    }

    /// Deletes a link; its absence is fine. A veth takes its other end along.
    pub(crate) fn delete_link(&mut self, index: u32) -> Result<(), Error> {
        let link = LinkUnspec::new_with_index(index).build();
        let done = self.act(&RouteNetlinkMessage::DelLink(link), 0, || "delete a link".into());
        ignore(done, &[Errno::NODEV])
    }

    /// Takes a link down; its absence is fine.
    pub(crate) fn set_down(&mut self, index: u32) -> Result<(), Error> {
        let link = LinkUnspec::new_with_index(index).down().build();
        let done = self.act(&RouteNetlinkMessage::NewLink(link), 0, || "take a link down".into());
        ignore(done, &[Errno::NODEV])
    }

    /// Puts an address on a link; it may be there already.
    pub(crate) fn add_address(&mut self, link: u32, address: Ipv4Addr, prefix: u8) -> Result<(), Error> {
        let message = address_message(link, address, prefix);
        let what = || format!("put address {address}/{prefix} on a link");
        self.act(&RouteNetlinkMessage::NewAddress(message), CREATE | REPLACE, what)
    }

    /// Takes an address off a link.
    pub(crate) fn delete_address(&mut self, link: u32, address: Ipv4Addr, prefix: u8) -> Result<(), Error> {
        let message = address_message(link, address, prefix);
        let what = || format!("take address {address}/{prefix} off a link");
        let done = self.act(&RouteNetlinkMessage::DelAddress(message), 0, what);
        ignore(done, &[Errno::ADDRNOTAVAIL])
    }

    /// All IPv4 addresses, as (link, address, prefix length).
    pub(crate) fn addresses(&mut self) -> Result<Vec<(u32, Ipv4Addr, u8)>, Error> {
        let mut ask = AddressMessage::default();
        ask.header.family = AddressFamily::Inet;
        let ask = RouteNetlinkMessage::GetAddress(ask);
        self.dump(&ask, "list addresses", |message| match message {
            RouteNetlinkMessage::NewAddress(address) => read_address(&address),
            _ => None,
        })
    }

    /// All IPv4 routes.
    pub(crate) fn routes(&mut self) -> Result<Vec<Route>, Error> {
        let ask = RouteMessageBuilder::<Ipv4Addr>::new().build();
        self.dump(&RouteNetlinkMessage::GetRoute(ask), "list routes", |message| match message {
            RouteNetlinkMessage::NewRoute(route) => read_route(route),
            _ => None,
        })
    }

    /// Adds a route or puts it in the place of its like.
    pub(crate) fn replace_route(&mut self, route: RouteMessage, what: &str) -> Result<(), Error> {
        let message = RouteNetlinkMessage::NewRoute(route);
        self.act(&message, CREATE | REPLACE, || format!("set {what}"))
    }

    /// Deletes a route that [`Router::routes`] listed.
    pub(crate) fn delete_route(&mut self, route: &Route) -> Result<(), Error> {
        let message = RouteNetlinkMessage::DelRoute(route.message.clone());
        let done = self.act(&message, 0, || format!("delete the route to {}", route.destination));
        ignore(done, &[Errno::SRCH])
    }

    fn act(&mut self, message: &RouteNetlinkMessage, flags: u16, what: impl FnOnce() -> String) -> Result<(), Error> {
        self.exchange(message, REQUEST | ACK | flags, |_| None::<()>)
            .map(drop)
            .map_err(|source| Error::kernel(what(), source))
    }

    fn dump<T>(
        &mut self,
        ask: &RouteNetlinkMessage,
        what: &str,
        pick: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        self.exchange(ask, REQUEST | DUMP, pick).map_err(|source| Error::kernel(what, source))
    }

    fn exchange<T>(
        &mut self,
        message: &RouteNetlinkMessage,
        flags: u16,
        pick: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let build = |sequence| encode(message.clone(), flags, sequence);
        self.socket.request(build, |found: &mut Vec<T>, kind, body| {
            found.extend(decode(kind, body).and_then(&pick));
        })
    }
}

/// The error numbers we tell apart.
struct Errno;

impl Errno {
    const SRCH: i32 = 3;
    const NODEV: i32 = 19;
    const ADDRNOTAVAIL: i32 = 99;
}

fn ignore(result: Result<(), Error>, numbers: &[i32]) -> Result<(), Error> {
    match result {
        Err(error) if error.errno().is_some_and(|n| numbers.contains(&n)) => Ok(()),
        other => other,
    }
}

// === Messages ===

/// A route to `destination` through a link, with the source address the host should use.
pub(crate) fn link_route(destination: Ipv4Net, link: u32, source: Ipv4Addr) -> RouteMessage {
    use rtnetlink::packet_route::route::RouteScope;
    RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(destination.network(), destination.prefix_len())
        .output_interface(link)
        .pref_source(source)
        .scope(RouteScope::Link)
        .protocol(ROUTE_PROTOCOL)
        .build()
}

/// A default route through a gateway on a link.
pub(crate) fn default_route(gateway: Ipv4Addr, link: u32) -> RouteMessage {
    RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).output_interface(link).protocol(ROUTE_PROTOCOL).build()
}

/// A route of last resort that answers "unreachable".
pub(crate) fn unreachable_route(destination: Ipv4Net) -> RouteMessage {
    RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(destination.network(), destination.prefix_len())
        .kind(RouteType::Unreachable)
        .priority(LAST_RESORT)
        .protocol(ROUTE_PROTOCOL)
        .build()
}

fn address_message(link: u32, address: Ipv4Addr, prefix: u8) -> AddressMessage {
    AddressMessageBuilder::<Ipv4Addr>::new().index(link).address(address, prefix).build()
}

fn encode(message: RouteNetlinkMessage, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn decode(kind: u16, body: &[u8]) -> Option<RouteNetlinkMessage> {
    match RouteNetlinkMessage::parse_with_param(body, kind) {
        Ok(message) => Some(message),
        Err(error) => {
            tracing::debug!(kind, %error, "skipped a routing message");
            None
        }
    }
}

fn read_link(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        up: message.header.flags.contains(LinkFlags::Up),
        loopback: message.header.flags.contains(LinkFlags::Loopback),
        ..Link::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => link.alias.clone_from(alias),
            LinkAttribute::Controller(index) => link.controller = Some(*index),
            LinkAttribute::Link(index) => link.peer = Some(*index),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Address(mac) => {
                link.mac = mac.as_slice().try_into().ok().map(MacAddress);
            }
            LinkAttribute::LinkInfo(infos) => {
                link.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.clone()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    link
}

fn read_address(message: &AddressMessage) -> Option<(u32, Ipv4Addr, u8)> {
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(std::net::IpAddr::V4(address)) => Some(*address),
        _ => None,
    })?;
    Some((message.header.index, address, message.header.prefix_len))
}

fn read_route(message: RouteMessage) -> Option<Route> {
    const MAIN_TABLE: u8 = 254;
    let header = &message.header;
    let mut destination = Ipv4Addr::UNSPECIFIED;
    let mut link = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => destination = *address,
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    Some(Route {
        destination: Ipv4Net::new(destination, header.destination_prefix_length).ok()?,
        link,
        unreachable: header.kind == RouteType::Unreachable,
        ours: header.protocol == ROUTE_PROTOCOL,
        main: header.table == MAIN_TABLE,
        message,
    })
}
