//! Kinds that say what others may do: roles, network policies, budgets, priorities, autoscalers, ingresses.

use super::{
    FieldError,
    checks::{self, Errors},
    path::Path,
};
use crate::value::Read as _;
use serde_json::Value;

const SPEC: Path<'_> = Path::root("spec");
/// The highest priority that users may give.
const MAX_PRIORITY: i64 = 1_000_000_000;

/// Checks a role: namespaced ones speak of resources only.
pub(super) fn role(kind: &str, object: &Value, errors: &mut Errors) {
    let list = Path::root("rules");
    for (at, rule) in object.items("rules").iter().enumerate() {
        let path = list.index(at);
        if rule.items("verbs").is_empty() {
            errors.push(FieldError::required(path.child("verbs"), "verbs must contain at least one value"));
        }
        if !rule.items("nonResourceURLs").is_empty() {
            if kind == "Role" {
                let why = "namespaced rules cannot apply to non-resource URLs";
                errors.push(FieldError::invalid(path.child("nonResourceURLs"), rule["nonResourceURLs"].clone(), why));
            }
            continue;
        }
        if rule.items("apiGroups").is_empty() {
            errors.push(FieldError::required(
                path.child("apiGroups"),
                "resource rules must supply at least one api group",
            ));
        }
        if rule.items("resources").is_empty() {
            errors.push(FieldError::required(
                path.child("resources"),
                "resource rules must supply at least one resource",
            ));
        }
    }
}

/// Checks a role binding.
pub(super) fn role_binding(kind: &str, object: &Value, errors: &mut Errors) {
    let (path, role) = (Path::root("roleRef"), &object["roleRef"]);
    if role.text("apiGroup") != "rbac.authorization.k8s.io" {
        errors.push(FieldError::not_supported(
            path.child("apiGroup"),
            role.text("apiGroup"),
            &["rbac.authorization.k8s.io"],
        ));
    }
    let kinds: &[&str] = if kind == "RoleBinding" { &["ClusterRole", "Role"] } else { &["ClusterRole"] };
    if !kinds.contains(&role.text("kind")) {
        errors.push(FieldError::not_supported(path.child("kind"), role.text("kind"), kinds));
    }
    checks::required(&path.child("name"), role.text("name"), errors);
    let list = Path::root("subjects");
    for (at, subject) in object.items("subjects").iter().enumerate() {
        let path = list.index(at);
        checks::required(&path.child("name"), subject.text("name"), errors);
        match subject.text("kind") {
            "ServiceAccount" if kind == "ClusterRoleBinding" => {
                checks::required(&path.child("namespace"), subject.text("namespace"), errors);
            }
            "User" | "Group" | "ServiceAccount" => {}
            other => {
                let path = path.child("kind");
                errors.push(FieldError::not_supported(path, other, &["ServiceAccount", "User", "Group"]));
            }
        }
    }
}

/// A binding stays with its role.
pub(super) fn role_binding_update(old: &Value, new: &Value, errors: &mut Errors) {
    if old["roleRef"] != new["roleRef"] {
        errors.push(FieldError::invalid("roleRef", new["roleRef"].clone(), "cannot change roleRef"));
    }
}

/// Checks an Ingress.
pub(super) fn ingress(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if spec.items("rules").is_empty() && !spec.has("defaultBackend") {
        let why = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid(SPEC, spec["rules"].clone(), why));
    }
    if spec.has("defaultBackend") {
        backend(&spec["defaultBackend"], &SPEC.child("defaultBackend"), errors);
    }
    let list = SPEC.child("rules");
    for (at, rule) in spec.items("rules").iter().enumerate() {
        let path = list.index(at);
        let host = rule.text("host");
        if !host.is_empty() && host.parse::<std::net::IpAddr>().is_ok() {
            errors.push(FieldError::invalid(path.child("host"), host, "must be a DNS name, not an IP address"));
        } else if !host.is_empty() {
            checks::subdomain(&path.child("host"), host.strip_prefix("*.").unwrap_or(host), errors);
        }
        let http = path.child("http");
        let list = http.child("paths");
        if rule.has("http") && rule["http"].items("paths").is_empty() {
            errors.push(FieldError::required(list, ""));
        }
        for (at, entry) in rule["http"].items("paths").iter().enumerate() {
            http_path(entry, &list.index(at), errors);
        }
    }
}

fn http_path(entry: &Value, path: &Path<'_>, errors: &mut Errors) {
    let own = entry.text("path");
    match entry.text("pathType") {
        "" => errors.push(FieldError::required(path.child("pathType"), "pathType must be specified")),
        "Exact" | "Prefix" if !own.starts_with('/') => {
            errors.push(FieldError::invalid(path.child("path"), own, "must be an absolute path"));
        }
        "ImplementationSpecific" if !own.is_empty() && !own.starts_with('/') => {
            errors.push(FieldError::invalid(path.child("path"), own, "must be an absolute path"));
        }
        "Exact" | "Prefix" | "ImplementationSpecific" => {}
        other => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            errors.push(FieldError::not_supported(path.child("pathType"), other, &supported));
        }
    }
    backend(&entry["backend"], &path.child("backend"), errors);
}

fn backend(backend: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (service, resource) = (&backend["service"], &backend["resource"]);
    if service.is_null() && resource.is_null() {
        errors.push(FieldError::required(path, "one of [service, resource] must be specified"));
    } else if !service.is_null() && !resource.is_null() {
        errors.push(FieldError::invalid(path, "", "cannot set both resource and service backends"));
    } else if !service.is_null() {
        let path = path.child("service");
        checks::required(&path.child("name"), service.text("name"), errors);
        let port = &service["port"];
        if port.text("name").is_empty() && port.int("number").unwrap_or_default() == 0 {
            errors.push(FieldError::required(path, "port name or number is required"));
        }
    }
}

/// Checks a PodDisruptionBudget.
pub(super) fn budget(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        let why = "minAvailable and maxUnavailable cannot be both set";
        errors.push(FieldError::invalid(SPEC, spec.clone(), why));
    }
    checks::label_selector(&spec["selector"], &SPEC.child("selector"), errors);
}

/// Checks a PriorityClass.
pub(super) fn priority_class(object: &Value, errors: &mut Errors) {
    let name = object["metadata"].text("name");
    let value = object.int("value").unwrap_or_default();
    let system = [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];
    if system.contains(&(name, value)) {
        return;
    }
    if name.starts_with("system-") {
        let why = "priority class names with 'system-' prefix are reserved for system use only";
        errors.push(FieldError::forbidden("metadata.name", why));
    }
    if value > MAX_PRIORITY {
        let why = format!("maximum allowed value of a user defined priority is {MAX_PRIORITY}");
        errors.push(FieldError::forbidden("value", why));
    }
    if let Some(policy) = object["preemptionPolicy"].as_str() {
        checks::one_of(&Path::root("preemptionPolicy"), policy, &["Never", "PreemptLowerPriority"], errors);
    }
}

/// A class keeps its value.
pub(super) fn priority_class_update(old: &Value, new: &Value, errors: &mut Errors) {
    if old["value"] != new["value"] {
        errors.push(FieldError::forbidden("value", "may not be changed in an update."));
    }
    checks::immutable(&Path::root("preemptionPolicy"), &old["preemptionPolicy"], &new["preemptionPolicy"], errors);
}

/// Checks a HorizontalPodAutoscaler.
pub(super) fn autoscaler(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let (least, most) = (spec.int("minReplicas").unwrap_or(1), spec.int("maxReplicas").unwrap_or_default());
    if least < 1 {
        errors.push(FieldError::invalid("spec.minReplicas", least, "must be greater than or equal to 1"));
    }
    if most < 1 {
        errors.push(FieldError::invalid("spec.maxReplicas", most, "must be greater than 0"));
    } else if most < least {
        errors.push(FieldError::invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"));
    }
    let path = SPEC.child("scaleTargetRef");
    for name in ["kind", "name"] {
        checks::required(&path.child(name), spec["scaleTargetRef"].text(name), errors);
    }
}

/// Checks a NetworkPolicy.
pub(super) fn network_policy(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    checks::label_selector(&spec["podSelector"], &SPEC.child("podSelector"), errors);
    let list = SPEC.child("policyTypes");
    for (at, word) in spec.items("policyTypes").iter().enumerate() {
        checks::one_of_if_set(&list.index(at), word.as_str(), &["Egress", "Ingress"], errors);
    }
    for (name, peers) in [("ingress", "from"), ("egress", "to")] {
        let list = SPEC.child(name);
        for (at, rule) in spec.items(name).iter().enumerate() {
            let rule_path = list.index(at);
            let list = rule_path.child(peers);
            for (at, peer) in rule.items(peers).iter().enumerate() {
                let count = ["ipBlock", "podSelector", "namespaceSelector"].iter().filter(|key| peer.has(key)).count();
                if count == 0 {
                    errors.push(FieldError::required(list.index(at), "must specify a peer"));
                } else if peer.has("ipBlock") && count > 1 {
                    let why = "may not specify both ipBlock and another peer";
                    errors.push(FieldError::forbidden(list.index(at), why));
                }
            }
        }
    }
}

/// Checks the webhooks of a configuration.
pub(super) fn webhooks(object: &Value, errors: &mut Errors) {
    let list = Path::root("webhooks");
    for (at, hook) in object.items("webhooks").iter().enumerate() {
        let path = list.index(at);
        checks::required(&path.child("name"), hook.text("name"), errors);
        if hook.items("admissionReviewVersions").is_empty() {
            let why = "must specify one of v1, v1beta1";
            errors.push(FieldError::required(path.child("admissionReviewVersions"), why));
        }
        checks::one_of(&path.child("sideEffects"), hook.text("sideEffects"), &["None", "NoneOnDryRun"], errors);
        if let Some(seconds) = hook.int("timeoutSeconds").filter(|seconds| !(1..=30).contains(seconds)) {
            let why = "the timeout value must be between 1 and 30 seconds";
            errors.push(FieldError::invalid(path.child("timeoutSeconds"), seconds, why));
        }
    }
}
