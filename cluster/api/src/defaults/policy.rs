//! Kinds that say what others may do: webhooks, roles, network policies, priorities, autoscalers.

use super::{Object, at, each, make, set, text};
use serde_json::json;

pub(super) fn webhooks(object: &mut Object, mutating: bool) {
    for hook in each(object, "webhooks") {
        set(hook, "failurePolicy", "Fail");
        set(hook, "matchPolicy", "Equivalent");
        set(hook, "timeoutSeconds", 10);
        make(hook, "namespaceSelector");
        make(hook, "objectSelector");
        if mutating {
            set(hook, "reinvocationPolicy", "Never");
        }
        for rule in each(hook, "rules") {
            set(rule, "scope", "*");
        }
        if let Some(service) = at(hook, "clientConfig").and_then(|config| at(config, "service")) {
            set(service, "port", 443);
        }
    }
}

pub(super) fn role_binding(object: &mut Object) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    for subject in each(object, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            set(subject, "apiGroup", GROUP);
        }
    }
    if let Some(role) = at(object, "roleRef")
        && text(role, "apiGroup").is_empty()
    {
        role.insert("apiGroup".to_owned(), GROUP.into());
    }
}

pub(super) fn network_policy(object: &mut Object) {
    let spec = make(object, "spec");
    make(spec, "podSelector");
    for list in ["ingress", "egress"] {
        for rule in each(spec, list) {
            for port in each(rule, "ports") {
                set(port, "protocol", "TCP");
            }
        }
    }
    if !spec.contains_key("policyTypes") {
        let types = if spec.contains_key("egress") { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        spec.insert("policyTypes".to_owned(), types);
    }
}

pub(super) fn priority_class(object: &mut Object) {
    set(object, "preemptionPolicy", "PreemptLowerPriority");
}

pub(super) fn autoscaler(object: &mut Object) {
    let spec = make(object, "spec");
    set(spec, "minReplicas", 1);
    if spec.get("metrics").and_then(|metrics| metrics.as_array()).is_none_or(Vec::is_empty) {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".to_owned(), json!([cpu]));
    }
    let Some(behavior) = at(spec, "behavior") else { return };
    for (name, policies) in [
        (
            "scaleUp",
            json!([{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]),
        ),
        ("scaleDown", json!([{"type": "Percent", "value": 100, "periodSeconds": 15}])),
    ] {
        let rules = make(behavior, name);
        set(rules, "selectPolicy", "Max");
        set(rules, "policies", policies);
        if name == "scaleUp" {
            set(rules, "stabilizationWindowSeconds", 0);
        }
    }
}

pub(super) fn csi_driver(object: &mut Object) {
    let spec = make(object, "spec");
    set(spec, "attachRequired", true);
    for key in ["podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"] {
        set(spec, key, false);
    }
    set(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    set(spec, "volumeLifecycleModes", json!(["Persistent"]));
}

pub(super) fn limit_range(object: &mut Object) {
    for limit in each(make(object, "spec"), "limits") {
        let Some(most) = limit.get("max").cloned() else { continue };
        if text(limit, "type") == "Container" {
            let default = make(limit, "default");
            for (name, value) in most.as_object().into_iter().flatten() {
                set(default, name, value.clone());
            }
        }
    }
}

/// A custom resource's definition: names that follow from its kind, and no conversion.
pub(super) fn definition(object: &mut Object) {
    let spec = make(object, "spec");
    let conversion = make(spec, "conversion");
    if text(conversion, "strategy").is_empty() {
        conversion.insert("strategy".to_owned(), "None".into());
    }
    let names = make(spec, "names");
    let kind = text(names, "kind").to_owned();
    set(names, "singular", kind.to_lowercase());
    set(names, "listKind", format!("{kind}List"));
}
