//! Frontends, backends, and the set elements they become.

use std::net::{Ipv4Addr, SocketAddrV4};

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

    pub(crate) fn is_node_port(&self) -> bool {
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

/// What decides which chain a packet takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) node_port: bool,
    pub(crate) endpoints: u32,
    pub(crate) sticky: Option<u32>,
}

impl Kind {
    const ENDPOINT_BITS: u32 = 14;
    const STICKY_BITS: u32 = 17;
    /// More endpoints than this are not used; Kubernetes counts on a thousand at most.
    pub(crate) const ENDPOINTS_MAX: usize = (1 << Self::ENDPOINT_BITS) - 1;
    /// A day is the API's limit and fits.
    pub(crate) const STICKY_MAX: u32 = (1 << Self::STICKY_BITS) - 1;

    /// The number that stands for it in the kernel's maps.
    pub(crate) fn id(self) -> u32 {
        let sticky = self.sticky.unwrap_or(0).min(Self::STICKY_MAX);
        u32::from(self.node_port) << 31 | sticky << Self::ENDPOINT_BITS | self.endpoints
    }

    pub(crate) fn from_id(id: u32) -> Self {
        let sticky = (id >> Self::ENDPOINT_BITS) & Self::STICKY_MAX;
        Self {
            node_port: id >> 31 == 1,
            endpoints: id & ((1 << Self::ENDPOINT_BITS) - 1),
            sticky: (sticky > 0).then_some(sticky),
        }
    }

    /// The name of its chain.
    pub(crate) fn chain(self) -> String {
        let prefix = if self.node_port { "node-pick" } else { "pick" };
        match self.sticky {
            None => format!("{prefix}-{}", self.endpoints),
            Some(seconds) => format!("{prefix}-{}-sticky-{seconds}", self.endpoints),
        }
    }

    /// The kind a chain is for; `None` for other chains.
    pub(crate) fn from_chain(name: &str) -> Option<Self> {
        let (node_port, rest) = match name.strip_prefix("node-") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let numbers = rest.strip_prefix("pick-")?;
        let (endpoints, sticky) = match numbers.split_once("-sticky-") {
            Some((endpoints, seconds)) => (endpoints, Some(seconds.parse().ok()?)),
            None => (numbers, None),
        };
        let kind = Self { node_port, endpoints: endpoints.parse().ok()?, sticky };
        (kind.chain() == name).then_some(kind)
    }

    /// What stands for the kind's chain among the elements.
    pub(crate) fn element(self) -> Element {
        let key = Bytes::default().number(self.id());
        Element { set: Set::Kinds, key, data: Bytes::default() }
    }
}

/// The sets whose elements follow from the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Set {
    /// (address, protocol, port) -> chain for the kind
    Services,
    /// (address, protocol, port, index) -> (address, port)
    Endpoints,
    /// (address, address) of pods that serve, so that a pod's way to itself can be told.
    Hairpin,
    /// (address, protocol, port) of endpoints that are not pods of this cluster.
    Outside,
    /// (protocol, port) of node ports without endpoints.
    Rejected,
    /// Not a set of the kernel's: the kinds there are chains for.
    Kinds,
}

impl Set {
    /// Those that the kernel has.
    pub(crate) const ALL: [Self; 5] = [Self::Services, Self::Endpoints, Self::Hairpin, Self::Outside, Self::Rejected];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Endpoints => "endpoints",
            Self::Hairpin => "hairpin",
            Self::Outside => "outside",
            Self::Rejected => "rejected",
            Self::Kinds => "kinds",
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

    /// Numbers that the kernel makes itself are in the machine's order.
    fn number(self, number: u32) -> Self {
        self.push(&number.to_ne_bytes())
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One element of one set; data is empty where the set is no map. For `services` it is the
/// number of a kind, which the kernel gets as a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    pub(crate) set: Set,
    pub(crate) key: Bytes,
    pub(crate) data: Bytes,
}

/// All elements that one frontend needs. `is_pod` tells addresses of pods of this cluster.
pub(crate) fn elements(frontend: Frontend, backend: &Backend, is_pod: impl Fn(Ipv4Addr) -> bool) -> Vec<Element> {
    let empty = Bytes::default();
    let used = &backend.endpoints[..backend.endpoints.len().min(Kind::ENDPOINTS_MAX)];
    if used.is_empty() {
        if !frontend.is_node_port() {
            return Vec::new();
        }
        let key = empty.protocol(frontend.protocol).port(frontend.port);
        return vec![Element { set: Set::Rejected, key, data: empty }];
    }
    let count = u32::try_from(used.len()).expect("at most ENDPOINTS_MAX");
    let kind = Kind { node_port: frontend.is_node_port(), endpoints: count, sticky: backend.sticky };
    let id = empty.number(kind.id());
    let mut all = vec![kind.element(), Element { set: Set::Services, key: empty.frontend(frontend), data: id }];
    for (index, endpoint) in (0..count).zip(used) {
        let (address, port) = (*endpoint.ip(), endpoint.port());
        let target = empty.address(address).port(port);
        let key = empty.frontend(frontend).number(index);
        all.push(Element { set: Set::Endpoints, key, data: target });
        let (set, key) = if is_pod(address) {
            (Set::Hairpin, empty.address(address).address(address))
        } else {
            (Set::Outside, empty.address(address).protocol(frontend.protocol).port(port))
        };
        all.push(Element { set, key, data: empty });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_survives_its_number() {
        for kind in [
            Kind { node_port: false, endpoints: 1, sticky: None },
            Kind { node_port: true, endpoints: 16383, sticky: Some(86400) },
            Kind { node_port: true, endpoints: 3, sticky: Some(1) },
        ] {
            assert_eq!(Kind::from_id(kind.id()), kind);
            assert_eq!(Kind::from_chain(&kind.chain()), Some(kind));
        }
    }

    #[test]
    fn other_chains_are_no_kinds() {
        for name in ["output", "pick-", "pick-x", "pick-03", "pick-3-sticky-", "node-output"] {
            assert_eq!(Kind::from_chain(name), None, "{name}");
        }
    }

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
                "endpoints 0a2b0007110000000035000000000000",
                "endpoints 0a2b0007110000000035000001000000",
                "hairpin 0a2a00020a2a0002",
                "kinds 02000f00",
                "outside c00002011100000000350000",
                "services 0a2b00071100000000350000",
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
