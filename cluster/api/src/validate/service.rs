//! Service.

use super::{
    FieldError,
    checks::{self, Errors},
    network::{self, PROTOCOLS},
    path::Path,
};
use crate::value::Read as _;
use serde_json::{Value, json};
use std::net::IpAddr;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// The longest that a client may keep its endpoint, in seconds.
const MAX_AFFINITY: i64 = 86_400;
const FIXED: &str = "may not change once set";

const SPEC: Path<'_> = Path::root("spec");

pub(super) fn service(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let kind = spec.text("type");
    let ports = spec.items("ports");
    if ports.is_empty() && !is_headless(spec) && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let why = format!("may not be set to 'None' for {kind} services");
            errors.push(FieldError::invalid("spec.clusterIPs[0]", "None", why));
        }
        "ExternalName" => external_name(spec, errors),
        _ => {}
    }
    for (at, port) in ports.iter().enumerate() {
        service_port(port, &ports[..at], ports.len() > 1, &SPEC.child("ports").index(at), errors);
    }
    checks::labels(&spec["selector"], &SPEC.child("selector"), errors);
    affinity(spec, errors);
    if kind != "ExternalName" {
        cluster_ips(spec, errors);
    }
    let external_ips = SPEC.child("externalIPs");
    for (at, ip) in spec.items("externalIPs").iter().filter_map(Value::as_str).enumerate() {
        checks::ip(&external_ips.index(at), ip, errors);
        network::reachable(&external_ips.index(at), ip, errors);
    }
    checks::one_of(&SPEC.child("type"), kind, TYPES, errors);
    port_conflicts(kind, ports, errors);
    load_balancer(spec, kind, errors);
    traffic(spec, kind, errors);
}

/// Whether the service has no address of its own.
fn is_headless(spec: &Value) -> bool {
    matches!(spec.items("clusterIPs"), [ip] if ip == "None")
}

fn external_name(spec: &Value, errors: &mut Errors) {
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if spec.has(field) {
            errors.push(FieldError::forbidden(SPEC.child(field), "may not be set for ExternalName services"));
        }
    }
    match spec.text("externalName").trim_end_matches('.') {
        "" => errors.push(FieldError::required("spec.externalName", "")),
        name => checks::subdomain(&SPEC.child("externalName"), name, errors),
    }
}

fn service_port(port: &Value, before: &[Value], needs_name: bool, path: &Path<'_>, errors: &mut Errors) {
    match port.text("name") {
        "" if needs_name => errors.push(FieldError::required(path.child("name"), "")),
        "" => {}
        name => {
            checks::label(&path.child("name"), name, errors);
            if before.iter().any(|other| other.text("name") == name) {
                errors.push(FieldError::duplicate(path.child("name"), name));
            }
        }
    }
    checks::port(&path.child("port"), port.int("port").unwrap_or_default(), errors);
    checks::one_of(&path.child("protocol"), port.text("protocol"), PROTOCOLS, errors);
    checks::port_or_name(&path.child("targetPort"), &port["targetPort"], errors);
    if let Some(protocol) = port["appProtocol"].as_str() {
        checks::qualified(&path.child("appProtocol"), protocol, errors);
    }
}

fn affinity(spec: &Value, errors: &mut Errors) {
    let path = SPEC.child("sessionAffinityConfig");
    let config = &spec["sessionAffinityConfig"];
    let affinity = spec.text("sessionAffinity");
    checks::one_of(&SPEC.child("sessionAffinity"), affinity, &["ClientIP", "None"], errors);
    if affinity == "None" && !config.is_null() {
        errors.push(FieldError::forbidden(path, "must not be set when session affinity is None"));
    }
    if affinity != "ClientIP" {
        return;
    }
    const WHEN: &str = "when session affinity type is ClientIP";
    match (config.has("clientIP"), config["clientIP"].int("timeoutSeconds")) {
        _ if config.is_null() => errors.push(FieldError::required(path, WHEN)),
        (false, _) => errors.push(FieldError::required(path.child("clientIP"), WHEN)),
        (true, None) => errors.push(FieldError::required(path.child("clientIP").child("timeoutSeconds"), WHEN)),
        (true, Some(seconds)) if seconds <= 0 || seconds > MAX_AFFINITY => {
            let why = format!("must be greater than 0 and less than {MAX_AFFINITY}");
            errors.push(FieldError::invalid(path.child("clientIP").child("timeoutSeconds"), seconds, why));
        }
        _ => {}
    }
}

fn cluster_ips(spec: &Value, errors: &mut Errors) {
    let path = SPEC.child("clusterIPs");
    let ips: Vec<&str> = spec.items("clusterIPs").iter().filter_map(Value::as_str).collect();
    let mut invalid = |why: &str| errors.push(FieldError::invalid(path, json!(ips), why));
    match (spec.text("clusterIP"), ips.first()) {
        ("", Some(_)) => invalid("must be empty when `clusterIP` is not specified"),
        ("", None) => {}
        (_, None) => errors.push(FieldError::required(path, "")),
        (ip, Some(first)) if ip != *first => invalid("first value must match `clusterIP`"),
        _ => {}
    }
    let families = SPEC.child("ipFamilies");
    let list = spec.items("ipFamilies");
    for (at, family) in list.iter().enumerate() {
        checks::one_of_if_set(&families.index(at), family.as_str(), &["IPv4", "IPv6"], errors);
        if list[..at].contains(family) {
            errors.push(FieldError::duplicate(families.index(at), family.clone()));
        }
    }
    const POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];
    checks::one_of_if_set(&SPEC.child("ipFamilyPolicy"), spec["ipFamilyPolicy"].as_str(), POLICIES, errors);
    if ips.first() == Some(&"None") {
        if ips.len() > 1 {
            errors.push(FieldError::invalid(path, json!(ips), "'None' must be the first and only value"));
        }
        return;
    }
    let known = errors.len();
    for (at, ip) in ips.iter().enumerate() {
        checks::ip(&path.index(at), ip, errors);
    }
    if ips.len() > 2 {
        errors.push(FieldError::invalid(path, json!(ips), "may only hold up to 2 values"));
    }
    if errors.len() > known {
        return;
    }
    let is_v6 = |ip: &str| ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
    if let [a, b] = ips[..]
        && is_v6(a) == is_v6(b)
    {
        errors.push(FieldError::invalid(path, json!(ips), "may specify no more than one IP for each IP family"));
    }
    for (at, (ip, family)) in ips.iter().zip(list).enumerate() {
        let wanted = if family == "IPv6" { "IPv6" } else { "IPv4" };
        if is_v6(ip) != (wanted == "IPv6") {
            let why = format!("expected an {wanted} value as indicated by `ipFamilies[{at}]`");
            errors.push(FieldError::invalid(path.index(at), *ip, why));
        }
    }
}

fn port_conflicts(kind: &str, ports: &[Value], errors: &mut Errors) {
    let list = SPEC.child("ports");
    for (at, port) in ports.iter().enumerate() {
        let path = list.index(at);
        let node_port = port.int("nodePort").unwrap_or_default();
        if node_port != 0 && kind == "ClusterIP" {
            errors.push(FieldError::forbidden(path.child("nodePort"), "may not be used when `type` is 'ClusterIP'"));
        }
        let same = |key: &'static str| {
            move |other: &Value| other["protocol"] == port["protocol"] && other.int(key) == port.int(key)
        };
        if node_port != 0 && ports[..at].iter().any(same("nodePort")) {
            errors.push(FieldError::duplicate(path.child("nodePort"), node_port));
        }
        if ports[..at].iter().any(same("port")) {
            let key = json!({"Name": "", "Protocol": port["protocol"], "AppProtocol": null, "Port": port["port"], "TargetPort": 0, "NodePort": 0});
            errors.push(FieldError::duplicate(path, key));
        }
    }
}

fn load_balancer(spec: &Value, kind: &str, errors: &mut Errors) {
    const ONLY: &str = "may only be used when `type` is 'LoadBalancer'";
    let balanced = kind == "LoadBalancer";
    let ranges = SPEC.child("LoadBalancerSourceRanges");
    if !spec.items("loadBalancerSourceRanges").is_empty() && !balanced {
        errors.push(FieldError::forbidden(ranges, ONLY));
    }
    for (at, range) in spec.items("loadBalancerSourceRanges").iter().filter_map(Value::as_str).enumerate() {
        if !is_cidr(range.trim()) {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            errors.push(FieldError::invalid(ranges.index(at), range.trim(), why));
        }
    }
    if spec.has("allocateLoadBalancerNodePorts") && !balanced {
        errors.push(FieldError::forbidden(SPEC.child("allocateLoadBalancerNodePorts"), ONLY));
    }
    match spec["loadBalancerClass"].as_str() {
        Some(class) if balanced => checks::qualified(&SPEC.child("loadBalancerClass"), class, errors),
        Some(_) => errors.push(FieldError::forbidden(SPEC.child("loadBalancerClass"), ONLY)),
        None => {}
    }
}

fn is_cidr(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, bits)| match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(address), Ok(bits)) => bits <= if address.is_ipv4() { 32 } else { 128 },
        _ => false,
    })
}

fn traffic(spec: &Value, kind: &str, errors: &mut Errors) {
    let external = SPEC.child("externalTrafficPolicy");
    let policy = spec.text("externalTrafficPolicy");
    let exposed =
        matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && !spec.items("externalIPs").is_empty());
    if exposed {
        checks::one_of(&external, policy, &["Cluster", "Local"], errors);
    } else if !policy.is_empty() {
        errors.push(FieldError::invalid(external, policy, "may only be set for externally-accessible services"));
    }
    let health = spec.int("healthCheckNodePort").unwrap_or_default();
    if health != 0 && !(kind == "LoadBalancer" && policy == "Local") {
        let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.push(FieldError::invalid(SPEC.child("healthCheckNodePort"), health, why));
    }
    let internal = SPEC.child("internalTrafficPolicy");
    match spec["internalTrafficPolicy"].as_str() {
        None if matches!(kind, "NodePort" | "LoadBalancer" | "ClusterIP") => {
            errors.push(FieldError::required(internal, ""));
        }
        policy => checks::one_of_if_set(&internal, policy, &["Cluster", "Local"], errors),
    }
    const DISTRIBUTIONS: &[&str] = &["PreferClose", "PreferSameZone", "PreferSameNode"];
    let path = SPEC.child("trafficDistribution");
    checks::one_of_if_set(&path, spec["trafficDistribution"].as_str(), DISTRIBUTIONS, errors);
}

pub(super) fn update(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["spec"], &new["spec"]);
    if old.text("type") == "ExternalName" || new.text("type") == "ExternalName" {
        return;
    }
    if !(is_headless(old) && is_headless(new)) {
        fixed_list(old, new, "clusterIPs", "primary clusterIP can not be unset", errors);
        if is_headless(old) == is_headless(new) {
            fixed_list(old, new, "ipFamilies", "primary ipFamily can not be unset", errors);
        }
    }
    let balanced = |spec: &Value| spec.text("type") == "LoadBalancer";
    if balanced(old) && balanced(new) && old["loadBalancerClass"] != new["loadBalancerClass"] {
        let path = SPEC.child("loadBalancerClass");
        errors.push(FieldError::invalid(path, new["loadBalancerClass"].clone(), FIXED));
    }
}

/// A list whose first element stays, and whose second may only come or go.
fn fixed_list(old: &Value, new: &Value, field: &str, unset: &str, errors: &mut Errors) {
    let (before, after) = (old.items(field), new.items(field));
    let list = SPEC.child(field);
    let mut invalid = |at: usize, why: &str| errors.push(FieldError::invalid(list.index(at), json!(after), why));
    if before.len() == after.len() {
        for at in (0..before.len()).filter(|at| before[*at] != after[*at]) {
            invalid(at, FIXED);
        }
    } else if after.is_empty() {
        invalid(0, unset);
    } else if !before.is_empty() && before[0] != after[0] {
        invalid(0, FIXED);
    }
}
