//! Forgetting tracked connections whose translation is no longer true.
//!
//! UDP has no end: a client that keeps sending from one port stays bound to the endpoint its
//! first packet was translated to, even when that is gone.

use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;

use crate::Error;
use crate::netlink::wire::{self, Writer};
use crate::netlink::{ACK, DUMP, REQUEST, Socket};

const NETLINK_NETFILTER: isize = 12;
const CONNTRACK: u16 = 1;
const GET: u16 = 1;
const DELETE: u16 = 2;
const IPV4: [u8; 4] = [2, 0, 0, 0];
const ENOENT: i32 = 2;

/// The kernel's attribute numbers.
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const STATUS: u16 = 3;
const ID: u16 = 12;
const STATUS_SOURCE_TRANSLATED: u32 = 1 << 4;
const STATUS_DESTINATION_TRANSLATED: u32 = 1 << 5;

/// One tracked connection, as far as we look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) protocol: u8,
    pub(crate) source: SocketAddrV4,
    pub(crate) destination: SocketAddrV4,
    /// Who answers: the endpoint, when the destination was translated.
    pub(crate) answers: SocketAddrV4,
    pub(crate) source_translated: bool,
    pub(crate) destination_translated: bool,
    tuple: Vec<u8>,
    id: Option<Vec<u8>>,
}

impl Connection {
    /// All addresses that take part.
    pub(crate) fn ends(&self) -> [Ipv4Addr; 3] {
        [self.source, self.destination, self.answers].map(|end| *end.ip())
    }
}

#[cfg(test)]
impl Connection {
    /// A connection as the kernel would tell it; `translated` is (source, destination).
    pub(crate) fn sample(
        protocol: u8,
        source: SocketAddrV4,
        destination: SocketAddrV4,
        answers: SocketAddrV4,
        translated: (bool, bool),
    ) -> Self {
        let (source_translated, destination_translated) = translated;
        Self {
            protocol,
            source,
            destination,
            answers,
            source_translated,
            destination_translated,
            tuple: Vec::new(),
            id: None,
        }
    }
}

/// Forgets all connections `stale` picks. Gives their number.
pub(crate) fn forget(stale: impl Fn(&Connection) -> bool) -> Result<usize, Error> {
    let mut socket = Socket::open(NETLINK_NETFILTER).map_err(|e| Error::kernel("open a netfilter socket", e))?;
    let build = |sequence| message(GET, DUMP, sequence, |_| {});
    let found = socket
        .request(build, |found: &mut Vec<Connection>, _, body| {
            found.extend(read(body.get(4..).unwrap_or(&[])).filter(&stale));
        })
        .map_err(|e| Error::kernel("list tracked connections", e))?;
    for connection in &found {
        let build = |sequence| {
            message(DELETE, ACK, sequence, |w| {
                w.nest(TUPLE_ORIGINAL, |w| w.raw(&connection.tuple));
                if let Some(id) = &connection.id {
                    w.bytes(ID, id);
                }
            })
        };
        match socket.request(build, |(): &mut (), _, _| {}) {
            Err(error) if error.raw_os_error() != Some(ENOENT) => {
                return Err(Error::kernel("forget a tracked connection", error));
            }
            _ => {} // gone, or gone by itself
        }
    }
    Ok(found.len())
}

/// Forgets what the addresses of a range took part in.
pub(crate) fn forget_range(range: Ipv4Net) -> Result<usize, Error> {
    forget(|connection| connection.ends().iter().any(|end| range.contains(end)))
}

fn message(kind: u16, flags: u16, sequence: u32, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.message(CONNTRACK << 8 | kind, REQUEST | flags, sequence, |w| {
        w.raw(&IPV4);
        body(w);
    });
    writer.finish()
}

fn read(bytes: &[u8]) -> Option<Connection> {
    let tuple = wire::find(bytes, TUPLE_ORIGINAL)?;
    let (protocol, source, destination) = read_tuple(tuple)?;
    let (_, answers, _) = read_tuple(wire::find(bytes, TUPLE_REPLY)?)?;
    let status = wire::find(bytes, STATUS).and_then(wire::number).unwrap_or(0);
    Some(Connection {
        protocol,
        source,
        destination,
        answers,
        source_translated: status & STATUS_SOURCE_TRANSLATED != 0,
        destination_translated: status & STATUS_DESTINATION_TRANSLATED != 0,
        tuple: tuple.to_vec(),
        id: wire::find(bytes, ID).map(<[u8]>::to_vec),
    })
}

/// Protocol, source and destination; protocols without ports have port 0.
fn read_tuple(tuple: &[u8]) -> Option<(u8, SocketAddrV4, SocketAddrV4)> {
    let address = |kind| wire::find_path(tuple, &[1, kind]).and_then(|b| wire::array(b, 0));
    let port = |kind| {
        let bytes = wire::find_path(tuple, &[2, kind]).and_then(|b| wire::array(b, 0));
        bytes.map_or(0, u16::from_be_bytes)
    };
    let protocol = *wire::find_path(tuple, &[2, 1])?.first()?;
    let source = SocketAddrV4::new(Ipv4Addr::from(address(1)?), port(2));
    let destination = SocketAddrV4::new(Ipv4Addr::from(address(2)?), port(3));
    Some((protocol, source, destination))
}
