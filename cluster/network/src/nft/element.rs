//! Frontends, backends, and the set elements they become.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::chain::Chain;

use serde::{Deserialize, Serialize};

/// A transport protocol that services can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// The protocol's number in an IP header.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Tcp, Self::Udp, Self::Sctp].into_iter().find(|protocol| protocol.number() == number)
    }

    /// From the API's words; absent means TCP.
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("TCP") => Some(Self::Tcp),
            Some("UDP") => Some(Self::Udp),
            Some("SCTP") => Some(Self::Sctp),
            Some(_) => None,
        }
    }
}

/// Where clients send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Frontend {
    /// A service address, or `0.0.0.0` for a node port.
    pub(crate) address: Ipv4Addr,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

impl Frontend {
    pub(crate) fn node_port(protocol: Protocol, port: u16) -> Self {
        Self { address: Ipv4Addr::UNSPECIFIED, protocol, port }
    }

    pub(crate) fn is_node_port(self) -> bool {
        self.address.is_unspecified()
    }
}

/// Who serves a frontend.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Backend {
    /// Without doubles, in a stable order.
    pub(crate) endpoints: Vec<SocketAddrV4>,
    /// Seconds for which a client stays with its endpoint.
    pub(crate) sticky: Option<u32>,
}

/// The sets whose elements follow from the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Set {
    /// (address, protocol, port) -> chain that picks an endpoint; node ports have address 0.
    Services,
    /// (address, protocol, port, index) -> (address, port)
    Endpoints,
    /// (address, protocol, port) -> chain that remembers what a client got.
    Sticky,
    /// The same for node ports: (protocol, port).
    StickyPorts,
    /// (address, address) of pods that serve, so that a pod's way to itself can be told.
    Hairpin,
    /// (address, protocol, port) of endpoints that are not pods of this cluster.
    Outside,
    /// (protocol, port) of node ports without endpoints.
    Rejected,
    /// Not a set of the kernel's: the shared chains there are.
    Chains,
}

impl Set {
    /// Those that the kernel has.
    pub(crate) const ALL: [Self; 7] = [
        Self::Services,
        Self::Endpoints,
        Self::Sticky,
        Self::StickyPorts,
        Self::Hairpin,
        Self::Outside,
        Self::Rejected,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Endpoints => "endpoints",
            Self::Sticky => "sticky",
            Self::StickyPorts => "sticky-ports",
            Self::Hairpin => "hairpin",
            Self::Outside => "outside",
            Self::Rejected => "rejected",
            Self::Chains => "chains",
        }
    }
}

/// The bytes of a key or of data: short, so they live where they are used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Bytes {
    length: u8,
    bytes: [u8; Self::MAX],
}

impl Bytes {
    /// The longest key we have: a frontend and an index.
    const MAX: usize = 16;

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// `None` if the bytes are too many to be ours.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut own = Self { length: u8::try_from(bytes.len()).ok()?, bytes: [0; Self::MAX] };
        own.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(own)
    }

    fn push(mut self, bytes: &[u8]) -> Self {
        let start = usize::from(self.length);
        // Registers are four bytes wide; what is shorter is padded with zeros.
        let padded = bytes.len().next_multiple_of(4);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.length += u8::try_from(padded).expect("at most MAX");
        self
    }

    fn address(self, address: Ipv4Addr) -> Self {
        self.push(&address.octets())
    }

    fn protocol(self, protocol: Protocol) -> Self {
        self.push(&[protocol.number()])
    }

    fn port(self, port: u16) -> Self {
        self.push(&port.to_be_bytes())
    }

    fn frontend(self, frontend: Frontend) -> Self {
        self.address(frontend.address).protocol(frontend.protocol).port(frontend.port)
    }

    fn node_port(self, frontend: Frontend) -> Self {
        self.protocol(frontend.protocol).port(frontend.port)
    }

    /// Numbers that the kernel draws itself are in the machine's order.
    fn index(self, number: u32) -> Self {
        self.push(&number.to_ne_bytes())
    }

    /// A number of our own.
    pub(crate) fn number(number: u32) -> Self {
        Self::default().index(number)
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One element of one set; data is empty where the set is no map. Where it is a verdict it is
/// the number of a [`Chain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    pub(crate) set: Set,
    pub(crate) key: Bytes,
    pub(crate) data: Bytes,
}

impl Element {
    fn new(set: Set, key: Bytes) -> Self {
        Self { set, key, data: Bytes::default() }
    }

    fn to(set: Set, key: Bytes, chain: Chain) -> Self {
        Self { set, key, data: Bytes::number(chain.id()) }
    }
}

/// All elements that one frontend needs. `is_pod` tells addresses of pods of this cluster.
pub(crate) fn elements(frontend: Frontend, backend: &Backend, is_pod: impl Fn(Ipv4Addr) -> bool) -> Vec<Element> {
    let empty = Bytes::default();
    let node_port = frontend.is_node_port();
    let used = &backend.endpoints[..backend.endpoints.len().min(Chain::ENDPOINTS_MAX)];
    if used.is_empty() {
        let rejected = Element::new(Set::Rejected, empty.node_port(frontend));
        return if node_port { vec![rejected] } else { Vec::new() };
    }
    let count = u32::try_from(used.len()).expect("at most ENDPOINTS_MAX");
    let pick = Chain::Pick { node_port, sticky: backend.sticky.is_some(), endpoints: count };
    let mut all = vec![pick.element(), Element::to(Set::Services, empty.frontend(frontend), pick)];
    if let Some(seconds) = backend.sticky {
        let remember = Chain::Remember { seconds };
        all.push(remember.element());
        all.push(if node_port {
            Element::to(Set::StickyPorts, empty.node_port(frontend), remember)
        } else {
            Element::to(Set::Sticky, empty.frontend(frontend), remember)
        });
    }
    for (index, endpoint) in (0..count).zip(used) {
        let (address, port) = (*endpoint.ip(), endpoint.port());
        let key = empty.frontend(frontend).index(index);
        let data = empty.address(address).port(port);
        all.push(Element { set: Set::Endpoints, key, data });
        all.push(if is_pod(address) {
            Element::new(Set::Hairpin, empty.address(address).address(address))
        } else {
            let target = Frontend { address, protocol: frontend.protocol, port };
            Element::new(Set::Outside, empty.frontend(target))
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_a_sticky_service() {
        let frontend = Frontend { address: Ipv4Addr::new(10, 43, 0, 7), protocol: Protocol::Udp, port: 53 };
        let backend = Backend {
            endpoints: vec!["10.42.0.2:5353".parse().unwrap(), "192.0.2.1:53".parse().unwrap()],
            sticky: Some(60),
        };
        let all = elements(frontend, &backend, |address| address.octets()[0] == 10);
        let mut seen: Vec<_> = all.iter().map(|e| format!("{} {:?}", e.set.name(), e.key)).collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                "chains 02000040",
                "chains 3c000020",
                "endpoints 0a2b0007110000000035000000000000",
                "endpoints 0a2b0007110000000035000001000000",
                "hairpin 0a2a00020a2a0002",
                "outside c00002011100000000350000",
                "services 0a2b00071100000000350000",
                "sticky 0a2b00071100000000350000",
            ]
        );
    }

    #[test]
    fn without_endpoints_only_a_node_port_leaves_a_trace() {
        let none = Backend::default();
        let service = Frontend { address: Ipv4Addr::new(10, 43, 0, 7), protocol: Protocol::Tcp, port: 80 };
        assert!(elements(service, &none, |_| true).is_empty());
        let node_port = elements(Frontend::node_port(Protocol::Tcp, 30080), &none, |_| true);
        assert_eq!(node_port.len(), 1);
        assert_eq!(node_port[0].set, Set::Rejected);
    }
}
