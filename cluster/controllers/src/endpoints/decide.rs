//! What the Endpoints of one service should be. Pure.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::{
    core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Pod, Service},
    discovery::v1::{Endpoint, EndpointPort as SlicePort},
};
use kube::ResourceExt;

use super::{MANAGED_BY, MANAGED_BY_LABEL};
use crate::objects::endpoint;

const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";
/// Addresses that one object may hold; whoever has more reads slices.
const LIMIT: usize = 1000;

/// The content of the object.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    /// Addresses by the ports that they offer.
    pub(super) subsets: Vec<EndpointSubset>,
    /// The object's labels.
    pub(super) labels: BTreeMap<String, String>,
    /// Whether addresses had to be left out.
    pub(super) truncated: bool,
}

/// Decides.
pub(super) fn decide(service: &Service, pods: &[Arc<Pod>]) -> Content {
    let spec = service.spec.as_ref();
    let publish_all = spec.and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
    let family = endpoint::families(service)[0];
    let found = pods.iter().filter_map(|pod| Some((pod, endpoint::endpoint(service, pod, family, None)?)));
    let mut rows: Vec<_> = found.filter(|(_, endpoint)| publish_all || !is_terminating(endpoint)).collect();
    let truncated = rows.len() > LIMIT;
    // Ready ones first, should not all find room.
    rows.sort_by_key(|(_, endpoint)| (!is_ready(endpoint), endpoint.addresses.clone()));
    rows.truncate(LIMIT);
    let mut groups: BTreeMap<String, EndpointSubset> = BTreeMap::new();
    for (pod, endpoint) in rows {
        let ports: Vec<_> = endpoint::ports(service, pod).into_iter().map(port).collect();
        let subset = groups.entry(format!("{ports:?}")).or_insert_with(|| EndpointSubset {
            ports: (!ports.is_empty()).then_some(ports),
            ..EndpointSubset::default()
        });
        let list = if is_ready(&endpoint) { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        list.get_or_insert_default().push(address(endpoint));
    }
    Content { subsets: groups.into_values().collect(), labels: labels(service), truncated }
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(false)
}

fn is_terminating(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.terminating).unwrap_or(false)
}

fn port(port: SlicePort) -> EndpointPort {
    EndpointPort {
        name: port.name.filter(|name| !name.is_empty()),
        port: port.port.unwrap_or(0),
        protocol: port.protocol,
        app_protocol: port.app_protocol,
    }
}

fn address(endpoint: Endpoint) -> EndpointAddress {
    EndpointAddress {
        ip: endpoint.addresses.into_iter().next().unwrap_or_default(),
        hostname: endpoint.hostname,
        node_name: endpoint.node_name,
        target_ref: endpoint.target_ref,
    }
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.labels().clone();
    labels.remove(HEADLESS_LABEL);
    if service.spec.as_ref().is_some_and(|spec| spec.cluster_ip.as_deref() == Some("None")) {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned());
    labels
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(extra: Value) -> Service {
        let mut spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]});
        for (key, value) in extra.as_object().unwrap() {
            spec[key] = value.clone();
        }
        serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "ns"}, "spec": spec})).unwrap()
    }

    fn pod(ip: &str, ready: bool, leaving: bool) -> Arc<Pod> {
        let ready = if ready { "True" } else { "False" };
        let deletion = leaving.then_some("2026-01-01T00:00:00Z");
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": ip, "namespace": "ns", "deletionTimestamp": deletion},
                "spec": {"containers": []},
                "status": {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": ready}]}}))
            .unwrap(),
        )
    }

    fn addresses(list: Option<&Vec<EndpointAddress>>) -> Vec<&str> {
        list.into_iter().flatten().map(|address| address.ip.as_str()).collect()
    }

    #[test]
    fn addresses_are_sorted_out_by_readiness() {
        let pods = [
            pod("10.0.0.3", true, false),
            pod("10.0.0.1", true, false),
            pod("10.0.0.2", false, false),
            pod("10.0.0.4", true, true),
        ];
        let content = decide(&service(json!({})), &pods);
        assert_eq!(content.subsets.len(), 1);
        let subset = &content.subsets[0];
        assert_eq!(addresses(subset.addresses.as_ref()), ["10.0.0.1", "10.0.0.3"]);
        assert_eq!(addresses(subset.not_ready_addresses.as_ref()), ["10.0.0.2"]);
        assert_eq!(subset.ports.as_ref().unwrap()[0].port, 8080);
        let content = decide(&service(json!({"publishNotReadyAddresses": true})), &pods);
        assert_eq!(addresses(content.subsets[0].addresses.as_ref()).len(), 4);
        assert!(decide(&service(json!({})), &[]).subsets.is_empty());
    }

    #[test]
    fn one_object_holds_a_thousand() {
        let pods: Vec<_> =
            (0..1200).map(|index| pod(&format!("10.0.{}.{}", index / 250, index % 250), true, false)).collect();
        let content = decide(&service(json!({})), &pods);
        assert!(content.truncated);
        assert_eq!(addresses(content.subsets[0].addresses.as_ref()).len(), LIMIT);
    }
}
