//! From a service and its slices to who serves what. Pure.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use crate::nft::{Backend, Claims, Frontend};
use crate::services::{EndpointFacts, PortFacts, ServiceFacts, ServiceType, SliceFacts};

/// The frontends of a service with their backends. A service that is gone claims nothing.
/// `dns` is answered by the name server itself and never translated.
pub(crate) fn decide(service: Option<&ServiceFacts>, slices: &[&SliceFacts], dns: Ipv4Addr) -> Claims {
    let mut claims = Claims::new();
    let Some(service) = service else { return claims };
    let ServiceType::Address(addresses) = &service.address else { return claims };
    for port in &service.ports {
        let backend = Arc::new(Backend { endpoints: endpoints(slices, port), sticky: service.sticky });
        for address in addresses.iter().filter_map(v4).filter(|&address| address != dns) {
            let frontend = Frontend { address, protocol: port.protocol, port: port.port };
            claims.insert(frontend, Arc::clone(&backend));
        }
        if let Some(node_port) = port.node_port {
            claims.insert(Frontend::node_port(port.protocol, node_port), backend);
        }
    }
    claims
}

/// Those that are ready; if there are none, those that still serve while they terminate, so
/// that the last pod of a service is not cut off before its successor is ready.
fn endpoints(slices: &[&SliceFacts], port: &PortFacts) -> Vec<SocketAddrV4> {
    let pick = |wanted: fn(&EndpointFacts) -> bool| -> Vec<SocketAddrV4> {
        let all = slices.iter().flat_map(|slice| {
            let ports = slice.ports.iter().filter(|p| p.name == port.name && p.protocol == port.protocol);
            let endpoints = slice.endpoints.iter().filter(|e| wanted(e));
            ports.flat_map(move |port| {
                let addresses = endpoints.clone().filter_map(|e| v4(&e.address));
                addresses.map(move |address| SocketAddrV4::new(address, port.port))
            })
        });
        all.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let ready = pick(|endpoint| endpoint.ready);
    if ready.is_empty() { pick(|endpoint| endpoint.serving && endpoint.terminating) } else { ready }
}

fn v4(address: &IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{ServiceFacts, SliceFacts};
    use serde_json::{Value, json};

    /// What a service with one slice becomes, a line for each frontend.
    fn lines(spec: Value, slices: &[Value]) -> Vec<String> {
        let service = serde_json::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).unwrap();
        let slices: Vec<_> = slices
            .iter()
            .map(|slice| {
                let mut slice = slice.clone();
                slice["addressType"] = json!("IPv4");
                slice["metadata"] = json!({"name": "s-1", "namespace": "n",
                    "labels": {"kubernetes.io/service-name": "s"}});
                SliceFacts::read(&serde_json::from_value(slice).unwrap()).unwrap()
            })
            .collect();
        let slices: Vec<_> = slices.iter().collect();
        let claims = decide(Some(&ServiceFacts::read(&service)), &slices, [10, 43, 0, 10].into());
        claims
            .iter()
            .map(|(f, b)| {
                let ends: Vec<_> = b.endpoints.iter().map(ToString::to_string).collect();
                let sticky = b.sticky.map(|s| format!(" sticky {s}")).unwrap_or_default();
                format!("{} {:?} {} -> {}{sticky}", f.address, f.protocol, f.port, ends.join(" "))
            })
            .collect()
    }

    fn slice(endpoints: Value) -> Value {
        json!({"ports": [{"name": "http", "port": 8080}], "endpoints": endpoints})
    }

    #[test]
    fn table() {
        let http = json!([{"name": "http", "port": 80}]);
        let two = slice(json!([{"addresses": ["10.42.0.3"]}, {"addresses": ["10.42.0.2"]}]));
        let state = |address: &str, ready: bool, serving: bool, terminating: bool| {
            json!({"addresses": [address], "conditions":
                {"ready": ready, "serving": serving, "terminating": terminating}})
        };
        let cases: &[(&str, Value, Vec<Value>, &[&str])] = &[
            (
                "cluster address",
                json!({"clusterIP": "10.43.0.7", "ports": http}),
                vec![two.clone()],
                &["10.43.0.7 Tcp 80 -> 10.42.0.2:8080 10.42.0.3:8080"],
            ),
            (
                "node port and affinity",
                json!({"type": "NodePort", "clusterIPs": ["10.43.0.7"], "sessionAffinity": "ClientIP",
                    "ports": [{"name": "http", "port": 80, "nodePort": 30080}]}),
                vec![slice(json!([{"addresses": ["10.42.0.2"]}]))],
                &[
                    "0.0.0.0 Tcp 30080 -> 10.42.0.2:8080 sticky 10800",
                    "10.43.0.7 Tcp 80 -> 10.42.0.2:8080 sticky 10800",
                ],
            ),
            (
                "the same endpoint in two slices counts once",
                json!({"clusterIP": "10.43.0.7", "ports": http}),
                vec![two.clone(), two.clone()],
                &["10.43.0.7 Tcp 80 -> 10.42.0.2:8080 10.42.0.3:8080"],
            ),
            (
                "a node port of a service that is none (any more) is not served",
                json!({"type": "ClusterIP", "clusterIP": "10.43.0.7",
                    "ports": [{"name": "http", "port": 80, "nodePort": 30080}]}),
                vec![],
                &["10.43.0.7 Tcp 80 -> "],
            ),
            (
                "not ready",
                json!({"clusterIP": "10.43.0.7", "ports": http}),
                vec![slice(json!([
                    state("10.42.0.2", false, false, false),
                    state("10.42.0.3", true, true, false),
                    state("10.42.0.4", false, true, true),
                ]))],
                &["10.43.0.7 Tcp 80 -> 10.42.0.3:8080"],
            ),
            (
                "only terminating ones are left",
                json!({"clusterIP": "10.43.0.7", "ports": http}),
                vec![slice(json!([state("10.42.0.2", false, false, true), state("10.42.0.4", false, true, true),]))],
                &["10.43.0.7 Tcp 80 -> 10.42.0.4:8080"],
            ),
            (
                "ports are matched by name and protocol",
                json!({"clusterIP": "10.43.0.7", "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53}]}),
                vec![json!({"endpoints": [{"addresses": ["10.42.0.2"]}], "ports": [
                    {"name": "dns", "port": 5353, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 5354, "protocol": "TCP"}]})],
                &["10.43.0.7 Tcp 53 -> 10.42.0.2:5354", "10.43.0.7 Udp 53 -> 10.42.0.2:5353"],
            ),
            ("headless", json!({"clusterIP": "None", "ports": http}), vec![two.clone()], &[]),
            (
                "external name",
                json!({"type": "ExternalName", "externalName": "example.org", "ports": http}),
                vec![],
                &[],
            ),
            ("the name server's own address", json!({"clusterIP": "10.43.0.10", "ports": http}), vec![two], &[]),
        ];
        for (name, spec, slices, want) in cases {
            assert_eq!(lines(spec.clone(), slices), *want, "{name}");
        }
    }

    #[test]
    fn a_load_balancer_status_claims_nothing() {
        // CVE-2021-25736: an address that somebody wrote into a status is not ours to serve.
        let service = serde_json::from_value(json!({
            "metadata": {"name": "s"},
            "spec": {"type": "LoadBalancer", "clusterIP": "10.43.0.7",
                "ports": [{"name": "http", "port": 80}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}},
        }))
        .unwrap();
        let claims = decide(Some(&ServiceFacts::read(&service)), &[], [10, 43, 0, 10].into());
        let addresses: Vec<_> = claims.keys().map(|f| f.address.to_string()).collect();
        assert_eq!(addresses, ["10.43.0.7"]);
    }
}
