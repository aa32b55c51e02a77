//! The pod's spec as a whole: its parts, and what concerns none of them alone.

use super::{Volume, Whole, container, scheduling, security, volume};
use crate::{
    names,
    validate::{
        FieldError,
        checks::{self, Errors},
        path::Path,
    },
    value::Read as _,
};
use serde_json::Value;

const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_LENGTH: usize = 2048;

/// Checks a pod's spec; `claims` are templates of claims that become volumes by their names.
pub(super) fn pod_spec(spec: &Value, claims: &[Value], path: &Path<'_>, errors: &mut Errors) {
    if !spec.has("terminationGracePeriodSeconds") {
        errors.push(FieldError::required(path.child("terminationGracePeriodSeconds"), ""));
    }
    let mut volumes = volume::volumes(spec.items("volumes"), &path.child("volumes"), errors);
    volumes.extend(claims.iter().map(|claim| Volume { name: crate::meta::name(claim), is_claim: true }));
    let whole = Whole { spec, volumes };
    container::containers(&whole, path, errors);
    container::init_containers(&whole, path, errors);
    container::ephemeral_containers(&whole, path, errors);
    host_network(spec, path, errors);
    policies(spec, path, errors);
    checks::labels(&spec["nodeSelector"], &path.child("nodeSelector"), errors);
    security::pod(spec, path, errors);
    scheduling::affinity(&spec["affinity"], &path.child("affinity"), errors);
    dns(spec, &path.child("dnsConfig"), errors);
    scheduling::gates(spec, path, errors);
    scheduling::spreading(spec.items("topologySpreadConstraints"), &path.child("topologySpreadConstraints"), errors);
    names_of(spec, path, errors);
    checks::range(
        &path.child("activeDeadlineSeconds"),
        spec.int("activeDeadlineSeconds"),
        1,
        i64::from(i32::MAX),
        errors,
    );
    scheduling::tolerations(spec.items("tolerations"), &path.child("tolerations"), errors);
    host_aliases(spec.items("hostAliases"), &path.child("hostAliases"), errors);
    overhead(&spec["overhead"], &path.child("overhead"), errors);
}

/// On the host's network, a container's ports are the host's.
fn host_network(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    if !spec.flag("hostNetwork") {
        return;
    }
    for (at, container) in spec.items("containers").iter().enumerate() {
        for (port_at, port) in container.items("ports").iter().enumerate() {
            let host = port.int("hostPort").unwrap_or_default();
            if host != 0 && Some(host) != port.int("containerPort") {
                let why = "must match `containerPort` when `hostNetwork` is true";
                let path = format!("{path}.containers[{at}].ports[{port_at}].hostPort");
                errors.push(FieldError::invalid(path, host, why));
            }
        }
    }
}

fn policies(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    const RESTART: &[&str] = &["Always", "OnFailure", "Never"];
    const DNS: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    const PREEMPTION: &[&str] = &["PreemptLowerPriority", "Never"];
    checks::one_of(&path.child("restartPolicy"), spec.text("restartPolicy"), RESTART, errors);
    checks::one_of(&path.child("dnsPolicy"), spec.text("dnsPolicy"), DNS, errors);
    checks::one_of_if_set(&path.child("preemptionPolicy"), spec["preemptionPolicy"].as_str(), PREEMPTION, errors);
    if spec.has("os") {
        let os = path.child("os");
        checks::one_of(&os.child("name"), spec["os"].text("name"), &["linux", "windows"], errors);
    }
}

/// Names of other objects, and of the pod itself.
fn names_of(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    for field in ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName", "hostnameOverride"] {
        if !spec.text(field).is_empty() {
            checks::subdomain(&path.child(field), spec.text(field), errors);
        }
    }
    for field in ["hostname", "subdomain"] {
        if !spec.text(field).is_empty() {
            checks::label(&path.child(field), spec.text(field), errors);
        }
    }
    if spec.has("hostnameOverride") {
        let path = path.child("hostnameOverride");
        for (flag, name) in [("setHostnameAsFQDN", "setHostnameAsFQDN"), ("hostNetwork", "hostNetwork")] {
            if spec.flag(flag) {
                errors.push(FieldError::forbidden(path, format!("may not be specified when {name} is true")));
            }
        }
        if spec.text("hostnameOverride").len() > 64 {
            errors.push(FieldError::too_long(path, 64));
        }
    }
}

fn dns(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let config = &spec["dnsConfig"];
    let texts = |field: &str| config.items(field).iter().filter_map(Value::as_str).collect::<Vec<_>>();
    let (servers, searches) = (texts("nameservers"), texts("searches"));
    if spec.text("dnsPolicy") == "None" {
        if config.is_null() {
            let why = "must provide `dnsConfig` when `dnsPolicy` is None";
            errors.push(FieldError::required(path, why));
            return;
        }
        if servers.is_empty() {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(FieldError::required(path.child("nameservers"), why));
            return;
        }
    }
    let list = path.child("nameservers");
    if servers.len() > MAX_NAMESERVERS {
        let why = format!("must not have more than {MAX_NAMESERVERS} nameservers");
        errors.push(FieldError::invalid(list, config["nameservers"].clone(), why));
    }
    for (at, server) in servers.iter().enumerate() {
        checks::ip(&list.index(at), server, errors);
    }
    let list = path.child("searches");
    if searches.len() > MAX_SEARCHES {
        let why = format!("must not have more than {MAX_SEARCHES} search paths");
        errors.push(FieldError::invalid(list, config["searches"].clone(), why));
    }
    if searches.iter().map(|search| search.len() + 1).sum::<usize>() > MAX_SEARCH_LENGTH + 1 {
        let why =
            format!("must not have more than {MAX_SEARCH_LENGTH} characters (including spaces) in the search list");
        errors.push(FieldError::invalid(list, config["searches"].clone(), why));
    }
    for (at, search) in searches.iter().enumerate().filter(|(_, search)| **search != ".") {
        let name = search.strip_suffix('.').unwrap_or(search);
        // Underscores are allowed in search paths, at the start of a part or within.
        if !names::dns1123_subdomain(&name.replace('_', "a")).is_empty() {
            checks::subdomain(&list.index(at), name, errors);
        }
    }
    for (at, option) in config.items("options").iter().enumerate() {
        if option.text("name").is_empty() {
            errors.push(FieldError::required(path.child("options").index(at), "must not be empty"));
        }
    }
}

fn host_aliases(aliases: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (at, alias) in aliases.iter().enumerate() {
        let path = path.index(at);
        checks::ip(&path.child("ip"), alias.text("ip"), errors);
        let list = path.child("hostnames");
        for (at, name) in alias.items("hostnames").iter().filter_map(Value::as_str).enumerate() {
            checks::subdomain(&list.index(at), name, errors);
        }
    }
}

fn overhead(overhead: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (resource, value) in overhead.as_object().into_iter().flatten() {
        checks::amount(resource, value, &path.key(resource), errors);
    }
}
