//! Service, Secret, Namespace, Node, Endpoints and EndpointSlice.

use super::{Object, at, each, make, set, text};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// How long a client keeps its endpoint, in seconds.
const AFFINITY_SECONDS: i64 = 10_800;

pub(super) fn service(object: &mut Object) {
    let spec = make(object, "spec");
    set(spec, "sessionAffinity", "None");
    if text(spec, "sessionAffinity") == "None" {
        spec.remove("sessionAffinityConfig");
    } else if text(spec, "sessionAffinity") == "ClientIP" {
        let config = make(make(spec, "sessionAffinityConfig"), "clientIP");
        set(config, "timeoutSeconds", AFFINITY_SECONDS);
    }
    set(spec, "type", "ClusterIP");
    each(spec, "ports").for_each(service_port);
    let address = text(spec, "clusterIP").to_owned();
    if !address.is_empty() {
        set(spec, "clusterIPs", json!([address]));
    }
    let kind = text(spec, "type").to_owned();
    let external = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
    if kind == "NodePort" || kind == "LoadBalancer" || (kind == "ClusterIP" && external) {
        set(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        set(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
        let ingress = at(object, "status").and_then(|status| at(status, "loadBalancer"));
        for ingress in ingress.into_iter().flat_map(|balancer| each(balancer, "ingress")) {
            if !text(ingress, "ip").is_empty() {
                set(ingress, "ipMode", "VIP");
            }
        }
    }
}

/// A client that sends a service anew need not know which addresses and ports it was given.
pub(super) fn keep_addresses(old: &Value, object: &mut Object) {
    let old = &old["spec"];
    let spec = make(object, "spec");
    let of = |kind: &str, kinds: &[&str]| kinds.contains(&if kind.is_empty() { "ClusterIP" } else { kind });
    let (before, after) = (old["type"].as_str().unwrap_or_default(), text(spec, "type").to_owned());
    const ADDRESSED: &[&str] = &["ClusterIP", "NodePort", "LoadBalancer"];
    if of(before, ADDRESSED) && of(&after, ADDRESSED) {
        keep_cluster_ips(old, spec);
    }
    const PORTED: &[&str] = &["NodePort", "LoadBalancer"];
    if of(before, PORTED) && of(&after, PORTED) {
        let old_ports = old["ports"].as_array().map_or(&[][..], Vec::as_slice);
        let used: Vec<Value> = each(spec, "ports").filter_map(|port| port.get("nodePort").cloned()).collect();
        for port in each(spec, "ports").filter(|port| !port.contains_key("nodePort")) {
            let protocol = |port: &Value| port.as_str().unwrap_or("TCP").to_owned();
            let mine = port.get("protocol").map_or_else(|| "TCP".to_owned(), protocol);
            let same =
                |other: &&Value| Some(&other["port"]) == port.get("port") && protocol(&other["protocol"]) == mine;
            let kept = old_ports.iter().find(same).map(|other| &other["nodePort"]).filter(|number| number.is_number());
            if let Some(number) = kept.filter(|number| !used.contains(number)) {
                port.insert("nodePort".to_owned(), number.clone());
            }
        }
    }
}

fn keep_cluster_ips(old: &Value, spec: &mut Object) {
    let unset = |spec: &Object, key: &str| {
        spec.get(key).is_none_or(|value| value.is_null() || *value == json!([]) || *value == json!(""))
    };
    let (no_ip, no_ips) = (unset(spec, "clusterIP"), unset(spec, "clusterIPs"));
    // Clearing one of the two clears both; leaving out both, or changing one only, is mended here.
    let keys: &[&str] = match (no_ip, no_ips) {
        (true, true) => &["clusterIP", "clusterIPs"],
        (true, false) => &["clusterIP"],
        (false, true) if spec.get("clusterIP") == old.get("clusterIP") => &["clusterIPs"],
        _ => &[],
    };
    for key in keys.iter().chain(&["ipFamilies", "ipFamilyPolicy"]) {
        if let Some(value) = old.get(*key)
            && unset(spec, key)
        {
            spec.insert((*key).to_owned(), value.clone());
        }
    }
}

fn service_port(port: &mut Object) {
    set(port, "protocol", "TCP");
    let number = port.get("port").cloned().unwrap_or(Value::Null);
    let unset = match port.get("targetPort") {
        None | Some(Value::Null) => true,
        Some(target) => target == 0 || target == "",
    };
    if unset {
        port.insert("targetPort".to_owned(), number);
    }
}

/// `stringData` is for writing only: it goes into `data`.
pub(super) fn secret(object: &mut Object) {
    set(object, "type", "Opaque");
    let Some(Value::Object(texts)) = object.remove("stringData") else { return };
    let data = make(object, "data");
    for (key, text) in texts {
        let text = text.as_str().unwrap_or_default();
        data.insert(key, BASE64_STANDARD.encode(text).into());
    }
}

pub(super) fn namespace(object: &mut Object) {
    let metadata = make(object, "metadata");
    let name = text(metadata, "name").to_owned();
    if !name.is_empty() {
        make(metadata, "labels").insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
    set(make(object, "status"), "phase", "Active");
}

/// What only a new namespace gets: the finalizer that the namespace controller takes off again.
pub(super) fn new_namespace(object: &mut Object) {
    let spec = make(object, "spec");
    if spec.get("finalizers").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("finalizers".to_owned(), json!(["kubernetes"]));
    }
}

pub(super) fn node(object: &mut Object) {
    let status = make(object, "status");
    if let Some(capacity) = status.get("capacity").cloned() {
        set(status, "allocatable", capacity);
    }
    for list in ["capacity", "allocatable"] {
        if let Some(amounts) = at(status, list) {
            super::pod::to_milli(amounts);
        }
    }
}

pub(super) fn endpoints(object: &mut Object) {
    for subset in each(object, "subsets") {
        for port in each(subset, "ports") {
            set(port, "protocol", "TCP");
        }
    }
}

pub(super) fn endpoint_slice(object: &mut Object) {
    for port in each(object, "ports") {
        set(port, "name", "");
        set(port, "protocol", "TCP");
    }
}
