//! What a cluster's table consists of besides the services: sets, hook chains, their rules, and
//! the chain for each kind.

use crate::config::{BRIDGE_PREFIX, NetworkConfig};
use crate::host::Addresses;

use super::chain::Chain;
use super::element::{Protocol, Set};
use super::expression::{
    DESTINATION_ADDRESS, Meta, Rule, SOURCE_ADDRESS, STATE_INVALID, STATE_NEW, STATUS_TRANSLATED, Tracked,
};

/// Raised when sets change their form; a table of another version is replaced at start.
pub(super) const LAYOUT_VERSION: u32 = 1;

/// The map from (client, address, protocol, port) to the endpoint of a sticky service, filled by
/// packets themselves.
pub(super) const AFFINITY: &str = "affinity";
const AFFINITY_SIZE: u32 = 65_536;

/// What one table is derived from.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(super) table: String,
    bridge: String,
    addresses: Addresses,
}

/// How a set is declared. Types are those of `nft`, so that it can print them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SetDeclaration {
    pub(super) name: &'static str,
    pub(super) key: &'static [Type],
    pub(super) data: Option<&'static [Type]>,
    pub(super) dynamic: Option<u32>,
}

/// Column types of sets, with the number `nft` knows them by. All take four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Address = 7,
    Protocol = 12,
    Port = 13,
    Number = 19,
    Verdict = 1,
}

/// A chain on one of the kernel's hooks.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) chain: &'static str,
    pub(super) kind: &'static str,
    pub(super) number: u32,
    pub(super) priority: i32,
    pub(super) rules: Vec<Rule>,
}

impl Layout {
    pub(crate) fn new(config: &NetworkConfig, addresses: &Addresses) -> Self {
        let (table, bridge) = (config.table.clone(), config.bridge.clone());
        Self { table, bridge, addresses: *addresses }
    }

    pub(super) fn sets() -> Vec<SetDeclaration> {
        use Type::{Address, Number, Port, Protocol, Verdict};
        const FRONTEND: &[Type] = &[Address, Protocol, Port];
        const TARGET: &[Type] = &[Address, Port];
        let declare = |set: Set| {
            let (key, data): (&[Type], Option<&[Type]>) = match set {
                Set::Services | Set::Sticky => (FRONTEND, Some(&[Verdict])),
                Set::Endpoints => (&[Address, Protocol, Port, Number], Some(TARGET)),
                Set::Hairpin => (&[Address, Address], None),
                Set::Outside => (FRONTEND, None),
                Set::Rejected => (&[Protocol, Port], None),
                Set::StickyPorts => (&[Protocol, Port], Some(&[Verdict])),
                Set::Chains => (&[], None),
            };
            SetDeclaration { name: set.name(), key, data, dynamic: None }
        };
        let mut all: Vec<_> = Set::ALL.into_iter().map(declare).collect();
        all.push(SetDeclaration {
            name: AFFINITY,
            key: &[Address, Address, Protocol, Port],
            data: Some(TARGET),
            dynamic: Some(AFFINITY_SIZE),
        });
        all
    }

    /// The hook chains, in the order a packet may meet them.
    pub(super) fn hooks(&self) -> Vec<Hook> {
        let hook = |chain, kind, number, priority, rules| Hook { chain, kind, number, priority, rules };
        vec![
            hook("prerouting", "nat", 0, -100, self.prerouting()),
            hook("output", "nat", 3, -100, vec![Self::to_service(), self.to_node_port()]),
            hook("arrival", "nat", 1, 90, Self::remember_client()),
            hook("input", "filter", 1, 0, self.input()),
            hook("forward", "filter", 2, 0, self.forward()),
            hook("local-output", "filter", 3, 0, self.local_output()),
            hook("postrouting", "nat", 4, 100, self.postrouting()),
        ]
    }

    /// Service addresses exist for this cluster's pods (and the host) only; node ports for all.
    fn prerouting(&self) -> Vec<Rule> {
        let from_pod = Rule::new().interface(Meta::InputName, true, &self.bridge);
        vec![Self::then_service(from_pod, false), self.to_node_port()]
    }

    fn to_service() -> Rule {
        Self::then_service(Rule::new(), false)
    }

    /// Only for the machine's own addresses, or packets on their way elsewhere would be caught
    /// (CVE-2025-67499); and not for loopback, whose source no pod could answer.
    fn to_node_port(&self) -> Rule {
        let loopback = ipnet::Ipv4Net::new_assert([127, 0, 0, 0].into(), 8);
        let local = Rule::new()
            .address(DESTINATION_ADDRESS, false, loopback)
            .address(DESTINATION_ADDRESS, false, self.addresses.dns.into())
            .destination_is_local();
        Self::then_service(local, true)
    }

    fn then_service(rule: Rule, node_port: bool) -> Rule {
        rule.load_frontend(0, node_port).dispatch(Set::Services.name(), 0)
    }

    fn input(&self) -> Vec<Rule> {
        let rejected = |rule: Rule| {
            rule.destination_is_local().load_meta(0, Meta::Protocol).load_port(1).in_set(Set::Rejected.name(), 0)
        };
        let loopback = ipnet::Ipv4Net::new_assert([127, 0, 0, 0].into(), 8);
        vec![
            // The name server is for this cluster, not for those who route to it from outside.
            Rule::new()
                .address(DESTINATION_ADDRESS, true, self.addresses.dns.into())
                .interface(Meta::InputName, false, &self.bridge)
                .interface(Meta::InputName, false, "lo")
                .drop(),
            // Nothing from a pod to the host's loopback, whatever `route_localnet` says.
            Rule::new()
                .interface(Meta::InputName, true, &self.bridge)
                .address(DESTINATION_ADDRESS, true, loopback)
                .drop(),
            rejected(Rule::new().protocol(Protocol::Tcp.number())).refuse(true),
            rejected(Rule::new()).refuse(false),
        ]
    }

    fn forward(&self) -> Vec<Rule> {
        let services = self.addresses.services;
        let to_service = || Rule::new().address(DESTINATION_ADDRESS, true, services);
        vec![
            // What the tracker cannot place would pass untranslated and reset the connection.
            Rule::new()
                .interface(Meta::InputName, true, &self.bridge)
                .tracked(Tracked::State, STATE_INVALID, true)
                .drop(),
            to_service().protocol(Protocol::Tcp.number()).refuse(true),
            to_service().refuse(false),
            // Pods of other clusters on this machine come in by node ports only.
            Rule::new()
                .interface(Meta::OutputName, true, &self.bridge)
                .interface(Meta::InputName, false, &self.bridge)
                .interface_starts(Meta::InputName, BRIDGE_PREFIX)
                .tracked(Tracked::State, STATE_NEW, true)
                .tracked(Tracked::Status, STATUS_TRANSLATED, false)
                .refuse(false),
        ]
    }

    fn local_output(&self) -> Vec<Rule> {
        let services = self.addresses.services;
        let to_service = || Rule::new().address(DESTINATION_ADDRESS, true, services);
        vec![
            Rule::new().address(DESTINATION_ADDRESS, true, self.addresses.dns.into()).accept(),
            to_service().protocol(Protocol::Tcp.number()).refuse(true),
            to_service().refuse(false),
        ]
    }

    fn postrouting(&self) -> Vec<Rule> {
        let pods = self.addresses.pods;
        let mut rules = Self::remember_client();
        rules.extend([
            // A pod that reaches itself through a service must get its answer from the gateway.
            Rule::new()
                .load_network(0, SOURCE_ADDRESS)
                .load_network(1, DESTINATION_ADDRESS)
                .in_set(Set::Hairpin.name(), 0)
                .source_from(self.addresses.gateway),
            Rule::new()
                .address(SOURCE_ADDRESS, true, pods)
                .address(DESTINATION_ADDRESS, false, pods)
                .interface(Meta::OutputName, false, &self.bridge)
                .interface(Meta::OutputName, false, "lo")
                .masquerade(),
            // From outside by a node port to an endpoint outside: the answer must come back here.
            Rule::new()
                .tracked(Tracked::Status, STATUS_TRANSLATED, true)
                .load_frontend(0, false)
                .in_set(Set::Outside.name(), 0)
                .interface(Meta::OutputName, false, "lo")
                .masquerade(),
        ]);
        rules
    }

    /// Once a new connection is translated, and its source not yet: notes who got which endpoint.
    fn remember_client() -> Vec<Rule> {
        vec![
            Rule::new()
                .tracked(Tracked::Status, STATUS_TRANSLATED, true)
                .load_original_frontend(0)
                .dispatch(Set::Sticky.name(), 0),
            Rule::new()
                .tracked(Tracked::Status, STATUS_TRANSLATED, true)
                .load_original_frontend(0)
                .dispatch(Set::StickyPorts.name(), 1),
        ]
    }

    /// The rules of a shared chain.
    pub(super) fn shared(chain: Chain) -> Vec<Rule> {
        match chain {
            Chain::Pick { node_port, sticky: false, endpoints } => {
                vec![Self::pick(node_port, endpoints)]
            }
            Chain::Pick { node_port, sticky: true, endpoints } => {
                vec![Self::pick_again(), Self::pick(node_port, endpoints)]
            }
            Chain::Remember { seconds } => vec![Self::remember(seconds)],
        }
    }

    fn pick(node_port: bool, endpoints: u32) -> Rule {
        let rule = Rule::new().load_frontend(0, node_port);
        let rule = match endpoints {
            1 => rule.load_value(3, [0; 4]),
            count => rule.load_random(3, count),
        };
        rule.look_up(Set::Endpoints.name(), 0, 4).translate(4)
    }

    /// What was remembered of endpoints that are gone is taken out by
    /// [`Kernel::forget_clients`](super::Kernel::forget_clients).
    fn pick_again() -> Rule {
        Rule::new().load_network(0, SOURCE_ADDRESS).load_frontend(1, false).look_up(AFFINITY, 0, 4).translate(4)
    }

    /// The key is what `pick_again` will ask for, the data where this packet is going now. That
    /// it is taken from the packet and not from the map it came from is for `nft` 1.0, which
    /// crashes when it prints a rule that puts one map's data into another.
    fn remember(seconds: u32) -> Rule {
        Rule::new()
            .load_network(0, SOURCE_ADDRESS)
            .load_original_frontend(1)
            .load_network(4, DESTINATION_ADDRESS)
            .load_port(5)
            .remember(AFFINITY, 0, 4, seconds)
    }
}
