//! Kinds that say what others may do.

use super::{Columns, NAMED, age, count, items, join, number, text, text_or_none, wide};
use kpkg_api::meta;
use serde_json::Value;

/// How Ingresses are shown.
pub(super) const INGRESS: Columns = Columns {
    columns: &[text("Class"), text("Hosts"), text("Address"), text("Ports"), text("Age")],
    cells: |object| {
        let hosts: Vec<String> = items(object, "/spec/rules")
            .filter_map(|rule| rule["host"].as_str())
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect();
        let hosts = if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") };
        let addresses = items(object, "/status/loadBalancer/ingress")
            .filter_map(|it| it["ip"].as_str().or(it["hostname"].as_str()));
        let secure = items(object, "/spec/tls").next().is_some();
        vec![
            text_or_none(object, "/spec/ingressClassName"),
            hosts.into(),
            addresses.collect::<Vec<_>>().join(",").into(),
            (if secure { "80, 443" } else { "80" }).into(),
            age(object),
        ]
    },
    ..NAMED
};

/// How IngressClasses are shown.
pub(super) const INGRESS_CLASS: Columns = Columns {
    columns: &[text("Controller"), text("Parameters"), text("Age")],
    cells: |object| {
        let parameters = &object["spec"]["parameters"];
        let word = |key: &str| parameters[key].as_str().unwrap_or_default();
        let shown = match (word("apiGroup"), word("kind")) {
            (_, "") => "<none>".to_owned(),
            ("", kind) => format!("{kind}/{}", word("name")),
            (group, kind) => format!("{kind}.{group}/{}", word("name")),
        };
        vec![object["spec"]["controller"].clone(), shown.into(), age(object)]
    },
    ..NAMED
};

/// How NetworkPolicies are shown.
pub(super) const NETWORK_POLICY: Columns = Columns {
    columns: &[text("Pod-Selector"), text("Age")],
    cells: |object| {
        let labels = meta::strings(&object["spec"]["podSelector"]["matchLabels"]);
        vec![join(labels.map(|(key, value)| format!("{key}={value}"))), age(object)]
    },
    ..NAMED
};

/// How PodDisruptionBudgets are shown.
pub(super) const BUDGET: Columns = Columns {
    columns: &[text("Min Available"), text("Max Unavailable"), number("Allowed Disruptions"), text("Age")],
    cells: |object| {
        let limit = |key: &str| match &object["spec"][key] {
            Value::Null => "N/A".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        vec![
            limit("minAvailable").into(),
            limit("maxUnavailable").into(),
            count(object, "/status/disruptionsAllowed").into(),
            age(object),
        ]
    },
    ..NAMED
};

/// How HorizontalPodAutoscalers are shown.
pub(super) const AUTOSCALER: Columns = Columns {
    columns: &[text("Reference"), text("Targets"), text("MinPods"), text("MaxPods"), text("Replicas"), text("Age")],
    cells: |object| {
        let target = &object["spec"]["scaleTargetRef"];
        let word = |key: &str| target[key].as_str().unwrap_or_default();
        let targets = items(object, "/spec/metrics").map(|metric| {
            let name = metric["resource"]["name"].as_str().unwrap_or("metric");
            match metric["resource"]["target"]["averageUtilization"].as_i64() {
                Some(wanted) => format!("{name}: <unknown>/{wanted}%"),
                None => format!("{name}: <unknown>"),
            }
        });
        let targets: Vec<String> = targets.collect();
        vec![
            format!("{}/{}", word("kind"), word("name")).into(),
            if targets.is_empty() { "<none>".into() } else { targets.join(", ").into() },
            count(object, "/spec/minReplicas").to_string().into(),
            count(object, "/spec/maxReplicas").into(),
            count(object, "/status/currentReplicas").into(),
            age(object),
        ]
    },
    ..NAMED
};

/// How PriorityClasses are shown.
pub(super) const PRIORITY_CLASS: Columns = Columns {
    columns: &[number("Value"), text("Global-Default"), text("Age"), text("PreemptionPolicy")],
    cells: |object| {
        vec![
            count(object, "/value").into(),
            (object["globalDefault"] == true).into(),
            age(object),
            text_or_none(object, "/preemptionPolicy"),
        ]
    },
    ..NAMED
};

/// How RuntimeClasses are shown.
pub(super) const RUNTIME_CLASS: Columns = Columns {
    columns: &[text("Handler"), text("Age")],
    cells: |object| vec![object["handler"].clone(), age(object)],
    ..NAMED
};

/// How roles are shown.
pub(super) const ROLE: Columns = Columns {
    columns: &[text("Created At")],
    cells: |object| vec![object["metadata"]["creationTimestamp"].clone()],
    ..NAMED
};

/// How role bindings are shown.
pub(super) const ROLE_BINDING: Columns = Columns {
    columns: &[text("Role"), text("Age"), wide("Users"), wide("Groups"), wide("ServiceAccounts")],
    cells: |object| {
        let role = &object["roleRef"];
        let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let named = |kind: &'static str| items(object, "/subjects").filter(move |subject| subject["kind"] == kind);
        let accounts = named("ServiceAccount").map(|it| format!("{}/{}", word(it, "namespace"), word(it, "name")));
        let list = |texts: Vec<String>| Value::from(texts.join(", "));
        vec![
            format!("{}/{}", word(role, "kind"), word(role, "name")).into(),
            age(object),
            list(named("User").map(|it| word(it, "name")).collect()),
            list(named("Group").map(|it| word(it, "name")).collect()),
            list(accounts.collect()),
        ]
    },
    ..NAMED
};

/// How webhook configurations are shown.
pub(super) const WEBHOOKS: Columns = Columns {
    columns: &[number("Webhooks"), text("Age")],
    cells: |object| vec![items(object, "/webhooks").count().into(), age(object)],
    ..NAMED
};

/// How definitions of custom resources are shown.
pub(super) const DEFINITION: Columns = Columns {
    columns: &[text("Created At")],
    cells: |object| vec![object["metadata"]["creationTimestamp"].clone()],
    ..NAMED
};
