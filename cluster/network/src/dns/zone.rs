//! What the cluster's zone holds, and what it answers. Pure: no clock, no socket.
//!
//! Names follow Kubernetes' DNS specification, version 1.1:
//!
//! | name | answer |
//! |---|---|
//! | `SERVICE.NS.svc.ZONE` | its address; for headless services the endpoints' |
//! | `_PORT._PROTO.SERVICE.NS.svc.ZONE` | SRV: port and target |
//! | `HOST.SERVICE.NS.svc.ZONE` | one endpoint of a headless service |
//! | `A-B-C-D.NS.pod.ZONE` | the address it spells |
//! | `D.C.B.A.in-addr.arpa` | PTR: the service's or the endpoint's name |

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::rr::rdata::{CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, RecordType};
use ipnet::IpNet;

use crate::NetworkConfig;
use crate::nft::Protocol;
use crate::services::{PortFacts, ServiceFacts, ServiceKey, ServiceType, SliceFacts};

/// How long clients may keep an answer, as long as Kubernetes' own server lets them.
pub(super) const TTL: u32 = 5;
/// The version of the specification, told as `dns-version.ZONE`.
const SPECIFICATION: &str = "1.1.0";
/// Answers above this are cut: whole, they would not pass UDP anyway.
const RECORDS_MAX: usize = 1_000;

/// An answer to a question about the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Records, and others that save the client a second question.
    Found(Vec<RData>, Vec<(Name, RData)>),
    /// Another name to ask for.
    Alias(Name),
    /// The name is there, but not with this type.
    NoData,
    /// The name is not there.
    NoName,
    /// Nobody knows yet.
    NotReady,
}

/// The zone of one cluster.
#[derive(Debug)]
pub(super) struct Zone {
    origin: Name,
    labels: Vec<String>,
    ranges: [IpNet; 2],
    server: IpAddr,
    complete: bool,
    serial: u32,
    namespaces: BTreeMap<String, BTreeMap<String, Entry>>,
    /// Normally one name for each address.
    reverse: BTreeMap<IpAddr, BTreeMap<ServiceKey, Name>>,
}

/// A service as the zone sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    address: ServiceType,
    ports: Vec<PortFacts>,
    /// Of headless services only.
    members: Vec<Member>,
}

/// An endpoint of a headless service.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    label: String,
    address: IpAddr,
    ports: Vec<PortFacts>,
}

impl Zone {
    pub(super) fn new(config: &NetworkConfig) -> Self {
        let labels: Vec<String> = config.cluster_domain.to_lowercase().split('.').map(str::to_owned).collect();
        let origin = absolute(&labels).unwrap_or_else(Name::root);
        Self {
            origin,
            labels,
            ranges: [config.pod_cidr, config.service_cidr],
            server: config.dns_ip,
            complete: false,
            serial: 1,
            namespaces: BTreeMap::new(),
            reverse: BTreeMap::new(),
        }
    }

    /// From now on what is not known is not there.
    pub(super) fn set_complete(&mut self) {
        self.complete = true;
    }

    /// Takes up what is now true of a service.
    pub(super) fn set<'a>(
        &mut self,
        key: &ServiceKey,
        service: Option<&ServiceFacts>,
        slices: impl Iterator<Item = &'a SliceFacts>,
    ) {
        self.serial = self.serial.wrapping_add(1);
        self.remove(key);
        let Some(service) = service else { return };
        let entry = Entry::of(service, slices);
        for (address, labels) in entry.reverse(key) {
            if let Some(name) = self.name(&labels) {
                self.reverse.entry(address).or_default().insert(key.clone(), name);
            }
        }
        self.namespaces.entry(key.namespace.clone()).or_default().insert(key.name.clone(), entry);
    }

    fn remove(&mut self, key: &ServiceKey) {
        let Some(services) = self.namespaces.get_mut(&key.namespace) else { return };
        let Some(entry) = services.remove(&key.name) else { return };
        if services.is_empty() {
            self.namespaces.remove(&key.namespace);
        }
        for (address, _) in entry.reverse(key) {
            if let Some(names) = self.reverse.get_mut(&address) {
                names.remove(key);
                if names.is_empty() {
                    self.reverse.remove(&address);
                }
            }
        }
    }

    /// The answer, if the question is about this cluster; else it is for others to answer.
    pub(super) fn answer(&self, name: &Name, kind: RecordType) -> Option<Answer> {
        let labels: Vec<String> = name.iter().map(|label| String::from_utf8_lossy(label).to_lowercase()).collect();
        if let Some(address) = reverse_address(&labels) {
            let ours = self.ranges.iter().any(|range| range.contains(&address));
            return ours.then(|| self.ready(|| self.answer_reverse(address, kind)));
        }
        let inside = labels.strip_suffix(self.labels.as_slice())?;
        let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
        Some(self.ready(|| self.answer_inside(&inside, kind)))
    }

    /// What stands beside a negative answer: clients keep it for its last number of seconds.
    pub(super) fn soa(&self, name: &Name) -> (Name, RData) {
        let [server, mailbox] = ["ns.dns", "hostmaster"].map(|text| self.name(&text.split('.').collect::<Vec<_>>()));
        let soa = SOA::new(
            server.unwrap_or_else(|| self.origin.clone()),
            mailbox.unwrap_or_else(|| self.origin.clone()),
            self.serial,
            7200,
            1800,
            86_400,
            TTL,
        );
        let reverse = name.num_labels() == 6 && !self.origin.zone_of(name);
        // Reverse names belong to as many whole bytes of the range as there are.
        let owner = if reverse { name.trim_to(self.reverse_labels(name)) } else { self.origin.clone() };
        (owner, RData::SOA(soa))
    }

    fn reverse_labels(&self, name: &Name) -> usize {
        let labels: Vec<String> = name.iter().map(|label| String::from_utf8_lossy(label).into_owned()).collect();
        let range =
            reverse_address(&labels).and_then(|address| self.ranges.iter().find(|range| range.contains(&address)));
        2 + range.map_or(0, |range| usize::from(range.prefix_len() / 8))
    }

    fn ready(&self, answer: impl FnOnce() -> Answer) -> Answer {
        if self.complete { answer() } else { Answer::NotReady }
    }

    fn answer_inside(&self, labels: &[&str], kind: RecordType) -> Answer {
        match labels {
            [] => self.answer_apex(kind),
            ["ns", "dns"] => addresses(&[self.server], kind),
            ["dns-version"] => {
                let text = RData::TXT(TXT::new(vec![SPECIFICATION.to_owned()]));
                found(vec![text], RecordType::TXT, kind)
            }
            ["dns" | "svc" | "pod"] | [_, "pod"] => Answer::NoData,
            [spelled, _, "pod"] => match spelled_address(spelled) {
                Some(address) => addresses(&[address], kind),
                None => Answer::NoName,
            },
            [rest @ .., namespace, "svc"] => match self.namespaces.get(*namespace) {
                Some(services) => self.answer_service(services, namespace, rest, kind),
                None => Answer::NoName,
            },
            _ => Answer::NoName,
        }
    }

    fn answer_apex(&self, kind: RecordType) -> Answer {
        let server = self.name(&["ns", "dns"]).unwrap_or_else(|| self.origin.clone());
        match kind {
            RecordType::SOA => Answer::Found(vec![self.soa(&self.origin).1], Vec::new()),
            RecordType::NS => {
                let extra = vec![(server.clone(), self.server.into())];
                Answer::Found(vec![RData::NS(NS(server))], extra)
            }
            _ => Answer::NoData,
        }
    }

    fn answer_service(
        &self,
        services: &BTreeMap<String, Entry>,
        namespace: &str,
        labels: &[&str],
        kind: RecordType,
    ) -> Answer {
        let Some((name, rest)) = labels.split_last() else { return Answer::NoData };
        let Some(entry) = services.get(*name) else { return Answer::NoName };
        let base = [*name, namespace, "svc"];
        match (rest, &entry.address) {
            ([], ServiceType::External(target)) => {
                Name::from_ascii(format!("{}.", target.trim_end_matches('.'))).map_or(Answer::NoData, Answer::Alias)
            }
            ([], ServiceType::Address(_) | ServiceType::Headless) if kind == RecordType::SRV => {
                self.answer_ports(entry, &base, |_| true)
            }
            ([], ServiceType::Address(all)) => addresses(all, kind),
            ([], ServiceType::Headless) => {
                let all: Vec<IpAddr> = entry.members.iter().map(|m| m.address).collect();
                addresses(&all, kind)
            }
            ([port, protocol], _) => match port_pattern(port, protocol) {
                Some((port, protocol)) => {
                    let wanted = |p: &PortFacts| p.name == port && p.protocol == protocol;
                    if !entry.all_ports().any(&wanted) {
                        Answer::NoName
                    } else if kind == RecordType::SRV {
                        self.answer_ports(entry, &base, wanted)
                    } else {
                        Answer::NoData
                    }
                }
                None => Answer::NoName,
            },
            ([label], _) => entry.answer_label(label, kind),
            _ => Answer::NoName,
        }
    }

    /// SRV records for the ports `wanted`, with the addresses of their targets.
    fn answer_ports(&self, entry: &Entry, base: &[&str], wanted: impl Fn(&PortFacts) -> bool) -> Answer {
        let mut targets: Vec<(Name, u16, Vec<IpAddr>)> = Vec::new();
        if let ServiceType::Address(all) = &entry.address {
            for port in entry.ports.iter().filter(|p| wanted(p)) {
                targets.extend(self.name(base).map(|name| (name, port.port, all.clone())));
            }
        }
        for member in &entry.members {
            let labels: Vec<&str> = [&[member.label.as_str()], base].concat();
            for port in member.ports.iter().filter(|p| wanted(p)) {
                let name = self.name(&labels);
                targets.extend(name.map(|name| (name, port.port, vec![member.address])));
            }
        }
        targets.truncate(RECORDS_MAX);
        // The weights of equals; one each where there are more than the percents go round.
        let weight = u16::try_from(100 / targets.len().max(1)).unwrap_or(1).max(1);
        let extra =
            targets.iter().flat_map(|(name, _, all)| all.iter().map(|&address| (name.clone(), RData::from(address))));
        let mut extra: Vec<_> = extra.collect();
        extra.dedup();
        let records: Vec<RData> =
            targets.into_iter().map(|(name, port, _)| RData::SRV(SRV::new(0, weight, port, name))).collect();
        if records.is_empty() { Answer::NoData } else { Answer::Found(records, extra) }
    }

    fn answer_reverse(&self, address: IpAddr, kind: RecordType) -> Answer {
        match self.reverse.get(&address) {
            Some(names) => {
                let names = names.values().map(|name| RData::PTR(PTR(name.clone()))).collect();
                found(names, RecordType::PTR, kind)
            }
            None => Answer::NoName,
        }
    }

    fn name<L: AsRef<str>>(&self, labels: &[L]) -> Option<Name> {
        let all: Vec<&str> = labels.iter().map(AsRef::as_ref).chain(self.labels.iter().map(String::as_str)).collect();
        absolute(&all)
    }
}

impl Entry {
    fn of<'a>(service: &ServiceFacts, slices: impl Iterator<Item = &'a SliceFacts>) -> Self {
        let mut members = Vec::new();
        if service.address == ServiceType::Headless {
            for slice in slices {
                let usable = slice.endpoints.iter().filter(|e| e.ready || service.publish_not_ready);
                members.extend(usable.map(|endpoint| Member {
                    label: endpoint.hostname.clone().unwrap_or_else(|| spell(endpoint.address)),
                    address: endpoint.address,
                    ports: slice.ports.clone(),
                }));
            }
        }
        members.sort_by(|a, b| (&a.label, a.address).cmp(&(&b.label, b.address)));
        members.dedup_by(|a, b| a.address == b.address && a.label == b.label && a.ports == b.ports);
        Self { address: service.address.clone(), ports: service.ports.clone(), members }
    }

    /// The names that addresses lead back to.
    fn reverse(&self, key: &ServiceKey) -> Vec<(IpAddr, Vec<String>)> {
        let base = [key.name.clone(), key.namespace.clone(), "svc".to_owned()];
        let own = match &self.address {
            ServiceType::Address(all) => all.clone(),
            ServiceType::Headless | ServiceType::External(_) => Vec::new(),
        };
        let members = self
            .members
            .iter()
            .map(|member| (member.address, [std::slice::from_ref(&member.label), base.as_slice()].concat()));
        own.into_iter().map(|address| (address, base.to_vec())).chain(members).collect()
    }

    fn all_ports(&self) -> impl Iterator<Item = &PortFacts> {
        self.ports.iter().chain(self.members.iter().flat_map(|member| &member.ports))
    }

    /// `HOST.SERVICE…`, or `_tcp.SERVICE…`, which only has names below it.
    fn answer_label(&self, label: &str, kind: RecordType) -> Answer {
        let all: Vec<IpAddr> = self.members.iter().filter(|m| m.label == label).map(|m| m.address).collect();
        if !all.is_empty() {
            return addresses(&all, kind);
        }
        let below = self.all_ports().any(|port| !port.name.is_empty() && protocol_label(port.protocol) == label);
        if below { Answer::NoData } else { Answer::NoName }
    }
}

fn addresses(all: &[IpAddr], kind: RecordType) -> Answer {
    let of_kind = |address: &IpAddr| match kind {
        RecordType::A => address.is_ipv4(),
        RecordType::AAAA => address.is_ipv6(),
        RecordType::ANY => true,
        _ => false,
    };
    let records: Vec<RData> = all.iter().copied().filter(of_kind).take(RECORDS_MAX).map(RData::from).collect();
    if records.is_empty() { Answer::NoData } else { Answer::Found(records, Vec::new()) }
}

fn found(records: Vec<RData>, is: RecordType, asked: RecordType) -> Answer {
    if asked == is || asked == RecordType::ANY { Answer::Found(records, Vec::new()) } else { Answer::NoData }
}

/// An alias as a record.
pub(super) fn alias(target: Name) -> RData {
    RData::CNAME(CNAME(target))
}

fn absolute<L: AsRef<str>>(labels: &[L]) -> Option<Name> {
    let name = Name::from_labels(labels.iter().map(|label| label.as_ref().as_bytes())).ok()?;
    Some(name)
}

/// `_http._tcp` -> (http, TCP)
fn port_pattern<'a>(port: &'a str, protocol: &str) -> Option<(&'a str, Protocol)> {
    let all = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let protocol = all.into_iter().find(|&p| protocol_label(p) == protocol)?;
    Some((port.strip_prefix('_')?, protocol))
}

fn protocol_label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "_tcp",
        Protocol::Udp => "_udp",
        Protocol::Sctp => "_sctp",
    }
}

/// 10.42.0.5 -> `10-42-0-5`
fn spell(address: IpAddr) -> String {
    address.to_string().replace(['.', ':'], "-")
}

fn spelled_address(label: &str) -> Option<IpAddr> {
    let address: Ipv4Addr = label.replace('-', ".").parse().ok()?;
    // Only the canonical spelling, or one address would have many names.
    (spell(address.into()) == label).then_some(IpAddr::V4(address))
}

/// `5.0.42.10.in-addr.arpa` -> 10.42.0.5
fn reverse_address(labels: &[String]) -> Option<IpAddr> {
    let [a, b, c, d, in_addr, arpa] = labels else { return None };
    if in_addr != "in-addr" || arpa != "arpa" {
        return None;
    }
    format!("{d}.{c}.{b}.{a}").parse().ok().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::path::Path;

    fn zone() -> Zone {
        let node = IpAddr::from([192, 0, 2, 1]);
        let (pods, services) = ("10.42.0.0/16".parse().unwrap(), "10.43.0.0/16".parse().unwrap());
        let config = NetworkConfig::new("x", pods, services, Path::new("/x"), node).unwrap();
        let mut zone = Zone::new(&config);
        let endpoint = |address: &str, more: Value| {
            let mut endpoint = json!({"addresses": [address]});
            endpoint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            endpoint
        };
        let http = json!([{"name": "http", "port": 80, "protocol": "TCP"}]);
        let add = |zone: &mut Zone, name: &str, spec: Value, endpoints: Vec<Value>| {
            let key = ServiceKey { namespace: "shop".to_owned(), name: name.to_owned() };
            let service = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
            let slice = json!({"metadata": {"namespace": "shop", "name": "s",
                "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                "endpoints": endpoints});
            let slice = SliceFacts::read(&serde_json::from_value(slice).unwrap()).unwrap();
            zone.set(&key, Some(&ServiceFacts::read(&service)), std::iter::once(&slice));
        };
        let web = vec![endpoint("10.42.0.2", json!({}))];
        add(&mut zone, "web", json!({"clusterIP": "10.43.0.7", "ports": http}), web);
        let db = |not_ready: bool| {
            vec![
                endpoint("10.42.0.3", json!({"hostname": "db-0"})),
                endpoint("10.42.0.4", json!({})),
                endpoint("10.42.0.5", json!({"hostname": "db-2", "conditions": {"ready": not_ready}})),
            ]
        };
        add(&mut zone, "db", json!({"clusterIP": "None", "ports": http}), db(false));
        let eager = json!({"clusterIP": "None", "publishNotReadyAddresses": true, "ports": http});
        add(&mut zone, "eager", eager, db(false));
        add(&mut zone, "empty", json!({"clusterIP": "None"}), vec![]);
        let outside = json!({"type": "ExternalName", "externalName": "example.org"});
        add(&mut zone, "outside", outside, vec![]);
        zone.set_complete();
        zone
    }

    /// The answer in words.
    fn ask(zone: &Zone, name: &str, kind: RecordType) -> String {
        match zone.answer(&Name::from_ascii(name).unwrap(), kind) {
            None => "elsewhere".to_owned(),
            Some(Answer::Found(records, extra)) => {
                let records: Vec<_> = records.iter().map(ToString::to_string).collect();
                let extra: Vec<_> = extra.iter().map(|(n, r)| format!("{n} {r}")).collect();
                [records.join(", "), extra.join(", ")].join(" + ").trim_end_matches(" + ").to_owned()
            }
            Some(Answer::Alias(name)) => format!("alias {name}"),
            Some(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn table() {
        use RecordType::{A, AAAA, ANY, CNAME, MX, NS, PTR, SRV, TXT};
        let zone = zone();
        for (name, kind, want) in [
            ("web.shop.svc.cluster.local.", A, "10.43.0.7"),
            ("WEB.Shop.SVC.Cluster.Local.", A, "10.43.0.7"),
            ("web.shop.svc.cluster.local.", ANY, "10.43.0.7"),
            ("web.shop.svc.cluster.local.", AAAA, "NoData"),
            ("web.shop.svc.cluster.local.", MX, "NoData"),
            ("web.default.svc.cluster.local.", A, "NoName"),
            ("nothing.shop.svc.cluster.local.", A, "NoName"),
            ("x.web.shop.svc.cluster.local.", A, "NoName"),
            ("shop.svc.cluster.local.", A, "NoData"),
            ("svc.cluster.local.", A, "NoData"),
            ("other.svc.cluster.local.", A, "NoName"),
            ("shop.cluster.local.", A, "NoName"),
            ("cluster.local.", A, "NoData"),
            ("local.", A, "elsewhere"),
            ("mycluster.local.", A, "elsewhere"),
            // What a search list makes of a name outside: it must not seem to be there.
            ("example.org.shop.svc.cluster.local.", A, "NoName"),
            ("example.org.svc.cluster.local.", A, "NoName"),
            ("example.org.cluster.local.", A, "NoName"),
            ("example.org.", A, "elsewhere"),
            ("db.shop.svc.cluster.local.", A, "10.42.0.4, 10.42.0.3"),
            ("eager.shop.svc.cluster.local.", A, "10.42.0.4, 10.42.0.3, 10.42.0.5"),
            ("empty.shop.svc.cluster.local.", A, "NoData"),
            ("db-0.db.shop.svc.cluster.local.", A, "10.42.0.3"),
            ("10-42-0-4.db.shop.svc.cluster.local.", A, "10.42.0.4"),
            ("db-2.db.shop.svc.cluster.local.", A, "NoName"),
            ("db-2.eager.shop.svc.cluster.local.", A, "10.42.0.5"),
            (
                "_http._tcp.web.shop.svc.cluster.local.",
                SRV,
                "0 100 80 web.shop.svc.cluster.local. + web.shop.svc.cluster.local. 10.43.0.7",
            ),
            (
                "_http._tcp.db.shop.svc.cluster.local.",
                SRV,
                "0 50 8080 10-42-0-4.db.shop.svc.cluster.local., \
                 0 50 8080 db-0.db.shop.svc.cluster.local. + \
                 10-42-0-4.db.shop.svc.cluster.local. 10.42.0.4, \
                 db-0.db.shop.svc.cluster.local. 10.42.0.3",
            ),
            ("_http._tcp.web.shop.svc.cluster.local.", A, "NoData"),
            ("_tcp.web.shop.svc.cluster.local.", A, "NoData"),
            ("_http._udp.web.shop.svc.cluster.local.", SRV, "NoName"),
            ("_other._tcp.web.shop.svc.cluster.local.", SRV, "NoName"),
            ("http._tcp.web.shop.svc.cluster.local.", SRV, "NoName"),
            ("outside.shop.svc.cluster.local.", A, "alias example.org."),
            ("outside.shop.svc.cluster.local.", CNAME, "alias example.org."),
            ("10-42-0-9.shop.pod.cluster.local.", A, "10.42.0.9"),
            ("10-42-0-9.shop.pod.cluster.local.", AAAA, "NoData"),
            ("10-42-0-09.shop.pod.cluster.local.", A, "NoName"),
            ("hello.shop.pod.cluster.local.", A, "NoName"),
            ("shop.pod.cluster.local.", A, "NoData"),
            ("7.0.43.10.in-addr.arpa.", PTR, "web.shop.svc.cluster.local."),
            ("7.0.43.10.in-addr.arpa.", A, "NoData"),
            ("8.0.43.10.in-addr.arpa.", PTR, "NoName"),
            ("3.0.42.10.in-addr.arpa.", PTR, "db-0.db.shop.svc.cluster.local., db-0.eager.shop.svc.cluster.local."),
            ("2.0.42.10.in-addr.arpa.", PTR, "NoName"),
            ("1.2.0.192.in-addr.arpa.", PTR, "elsewhere"),
            ("dns-version.cluster.local.", TXT, "1.1.0"),
            ("ns.dns.cluster.local.", A, "10.43.0.10"),
            ("cluster.local.", NS, "ns.dns.cluster.local. + ns.dns.cluster.local. 10.43.0.10"),
        ] {
            assert_eq!(ask(&zone, name, kind), want, "{name} {kind}");
        }
    }

    #[test]
    fn a_service_that_goes_takes_its_names_along() {
        let mut zone = zone();
        for name in ["web", "db", "eager", "empty", "outside"] {
            let key = ServiceKey { namespace: "shop".to_owned(), name: name.to_owned() };
            zone.set(&key, None, std::iter::empty());
        }
        assert_eq!(ask(&zone, "web.shop.svc.cluster.local.", RecordType::A), "NoName");
        assert_eq!(ask(&zone, "shop.svc.cluster.local.", RecordType::A), "NoName");
        assert_eq!(ask(&zone, "3.0.42.10.in-addr.arpa.", RecordType::PTR), "NoName");
        assert!(zone.namespaces.is_empty() && zone.reverse.is_empty());
    }

    #[test]
    fn before_all_is_listed_nothing_is_denied() {
        let mut zone = zone();
        zone.complete = false;
        assert_eq!(ask(&zone, "nothing.shop.svc.cluster.local.", RecordType::A), "NotReady");
        assert_eq!(ask(&zone, "9.0.42.10.in-addr.arpa.", RecordType::PTR), "NotReady");
        assert_eq!(ask(&zone, "example.org.", RecordType::A), "elsewhere");
    }

    #[test]
    fn negative_answers_name_their_zone() {
        let zone = zone();
        let owner = |name: &str| zone.soa(&Name::from_ascii(name).unwrap()).0.to_string();
        assert_eq!(owner("x.shop.svc.cluster.local."), "cluster.local.");
        assert_eq!(owner("a.b.shop.svc.cluster.local."), "cluster.local.");
        assert_eq!(owner("8.0.43.10.in-addr.arpa."), "43.10.in-addr.arpa.");
    }
}
