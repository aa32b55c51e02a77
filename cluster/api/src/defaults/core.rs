//! Service, Secret, Namespace, Node, Endpoints and EndpointSlice.

use super::{Object, at, each, make, set, text};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

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
