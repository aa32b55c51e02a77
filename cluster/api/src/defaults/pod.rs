//! Pods and pod templates.

use super::{Object, at, each, make, set, text};
use crate::{quantity::Quantity, resources};
use serde_json::Value;

const DEFAULT_MODE: i64 = 0o644;

/// A pod itself: more than a template gets.
pub(super) fn pod(object: &mut Object) {
    let Some(spec) = at(object, "spec") else { return };
    for list in ["containers", "initContainers"] {
        each(spec, list).for_each(requests_from_limits);
    }
    whole_pod_requests(spec);
    set(spec, "enableServiceLinks", true);
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        for list in ["containers", "initContainers"] {
            each(spec, list).for_each(host_ports);
        }
    }
    pod_spec(spec);
}

/// The template of a workload's pods.
pub(super) fn template(workload_spec: &mut Object) {
    let template = make(workload_spec, "template");
    pod_spec(make(template, "spec"));
}

fn pod_spec(spec: &mut Object) {
    set(spec, "dnsPolicy", "ClusterFirst");
    set(spec, "restartPolicy", "Always");
    set(spec, "terminationGracePeriodSeconds", 30);
    set(spec, "schedulerName", "default-scheduler");
    make(spec, "securityContext");
    service_account(spec);
    each(spec, "volumes").for_each(volume);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        each(spec, list).for_each(container);
    }
    if let Some(overhead) = at(spec, "overhead") {
        to_milli(overhead);
    }
}

/// The old name of the field follows the new one.
fn service_account(spec: &mut Object) {
    let name = match (text(spec, "serviceAccountName"), text(spec, "serviceAccount")) {
        ("", old) => old.to_owned(),
        (new, _) => new.to_owned(),
    };
    if !name.is_empty() {
        spec.insert("serviceAccountName".to_owned(), name.clone().into());
        spec.insert("serviceAccount".to_owned(), name.into());
    }
}

/// A pod that is limited as a whole asks for what its containers ask for, else for its limit.
fn whole_pod_requests(spec: &mut Object) {
    const COUNTED: [&str; 2] = ["cpu", "memory"];
    let limits = spec.get("resources").and_then(|resources| resources["limits"].as_object());
    let Some(limits) = limits.filter(|limits| !limits.is_empty()).cloned() else { return };
    let of_containers = resources::effective(&Value::Object(spec.clone()), "requests");
    let requests = make(make(spec, "resources"), "requests");
    for name in COUNTED {
        if let Some(amount) = of_containers.get(name) {
            set(requests, name, amount.to_string());
        } else if let Some(limit) = limits.get(name) {
            set(requests, name, limit.clone());
        }
    }
}

fn requests_from_limits(container: &mut Object) {
    let Some(resources) = at(container, "resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    let requests = make(resources, "requests");
    for (name, limit) in limits {
        set(requests, &name, limit);
    }
}

fn host_ports(container: &mut Object) {
    for port in each(container, "ports") {
        let number = port.get("containerPort").cloned().unwrap_or_default();
        if port.get("hostPort").and_then(Value::as_i64).unwrap_or_default() == 0 {
            port.insert("hostPort".to_owned(), number);
        }
    }
}

fn container(container: &mut Object) {
    set(container, "imagePullPolicy", pull_policy(container.get("image")));
    set(container, "terminationMessagePath", "/dev/termination-log");
    set(container, "terminationMessagePolicy", "File");
    for port in each(container, "ports") {
        set(port, "protocol", "TCP");
    }
    for variable in each(container, "env") {
        if let Some(reference) = at(variable, "valueFrom").and_then(|from| at(from, "fieldRef")) {
            set(reference, "apiVersion", "v1");
        }
    }
    let resources = make(container, "resources");
    for list in ["limits", "requests"] {
        if let Some(amounts) = at(resources, list) {
            to_milli(amounts);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = at(container, name) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = at(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(get) = at(lifecycle, name).and_then(|handler| at(handler, "httpGet")) {
                http_get(get);
            }
        }
    }
}

fn probe(probe: &mut Object) {
    set(probe, "timeoutSeconds", 1);
    set(probe, "periodSeconds", 10);
    set(probe, "successThreshold", 1);
    set(probe, "failureThreshold", 3);
    if let Some(get) = at(probe, "httpGet") {
        http_get(get);
    }
    if let Some(grpc) = at(probe, "grpc") {
        set(grpc, "service", "");
    }
}

fn http_get(get: &mut Object) {
    set(get, "path", "/");
    set(get, "scheme", "HTTP");
}

/// Amounts finer than a thousandth are rounded up to one.
pub(super) fn to_milli(amounts: &mut Object) {
    for amount in amounts.values_mut() {
        let Ok(quantity) = Quantity::from_json(amount) else { continue };
        let rounded = quantity.round_up_to_milli();
        if rounded != quantity {
            *amount = rounded.to_string().into();
        }
    }
}

fn volume(volume: &mut Object) {
    if !volume.keys().any(|key| key != "name") {
        make(volume, "emptyDir");
    }
    if let Some(path) = at(volume, "hostPath") {
        set(path, "type", "");
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = at(volume, source) {
            set(source, "defaultMode", DEFAULT_MODE);
        }
    }
    if let Some(downward) = at(volume, "downwardAPI") {
        downward_items(downward);
    }
    if let Some(projected) = at(volume, "projected") {
        for source in each(projected, "sources") {
            if let Some(token) = at(source, "serviceAccountToken") {
                set(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = at(source, "downwardAPI") {
                downward_items(downward);
            }
        }
    }
    if let Some(iscsi) = at(volume, "iscsi") {
        set(iscsi, "iscsiInterface", "default");
    }
    if let Some(image) = at(volume, "image") {
        set(image, "pullPolicy", pull_policy(image.get("reference")));
    }
    if let Some(spec) = at(volume, "ephemeral").and_then(|e| at(e, "volumeClaimTemplate")).and_then(|t| at(t, "spec")) {
        super::storage::claim_spec(spec);
    }
}

fn downward_items(source: &mut Object) {
    for item in each(source, "items") {
        if let Some(reference) = at(item, "fieldRef") {
            set(reference, "apiVersion", "v1");
        }
    }
}

/// `Always` for the tag `latest`, given or implied; `IfNotPresent` for all else.
fn pull_policy(image: Option<&Value>) -> &'static str {
    let image = image.and_then(Value::as_str).unwrap_or_default();
    if tag(image) == Some("latest") { "Always" } else { "IfNotPresent" }
}

/// An image's tag; `None` if the reference is malformed or has only a digest.
fn tag(image: &str) -> Option<&str> {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let path_at = name.rfind('/').map_or(0, |at| at + 1);
    let (repository, tag) = match name[path_at..].split_once(':') {
        Some((last, tag)) => (&name[..path_at + last.len()], Some(tag)),
        None => (name, None),
    };
    // The host may have capitals, the path may not.
    let path = match repository.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => repository,
    };
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "/._-".contains(c);
    if path.is_empty() || !path.chars().all(valid) {
        return None;
    }
    match (tag, digest) {
        (Some(tag), _) => Some(tag),
        (None, Some(_)) => None,
        (None, None) => Some("latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_policy_follows_the_tag() {
        let digest = "nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (image, want) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.27", "IfNotPresent"),
            ("localhost:5000/nginx", "Always"),
            ("localhost:5000/nginx:1", "IfNotPresent"),
            ("Registry.example.com/a/b", "Always"),
            ("Nginx", "IfNotPresent"),
            (digest, "IfNotPresent"),
            ("", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(Some(&image.into())), want, "{image}");
        }
    }
}
