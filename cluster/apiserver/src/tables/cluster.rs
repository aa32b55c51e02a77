//! Nodes, namespaces, services and their endpoints, accounts, leases and events.

use kpkg_api::meta;
use serde_json::Value;

use super::{Columns, NAMED, age, age::since, count, items, join, text, text_or_none, wide};

/// How Nodes are shown.
pub(super) const NODE: Columns = Columns {
    columns: &[
        text("Status"),
        text("Roles"),
        text("Age"),
        text("Version"),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ],
    cells: |object| {
        vec![
            node_status(object),
            node_roles(object),
            age(object),
            text_or_none(object, "/status/nodeInfo/kubeletVersion"),
            address(object, "InternalIP"),
            address(object, "ExternalIP"),
            unknown(object, "/status/nodeInfo/osImage"),
            unknown(object, "/status/nodeInfo/kernelVersion"),
            unknown(object, "/status/nodeInfo/containerRuntimeVersion"),
        ]
    },
    ..NAMED
};

/// How Namespaces are shown.
pub(super) const NAMESPACE: Columns = Columns {
    columns: &[text("Status"), text("Age")],
    cells: |object| vec![object["status"]["phase"].clone(), age(object)],
    ..NAMED
};

/// How Services are shown.
pub(super) const SERVICE: Columns = Columns {
    columns: &[text("Type"), text("Cluster-IP"), text("External-IP"), text("Port(s)"), text("Age"), wide("Selector")],
    cells: |object| {
        let selector = join(meta::strings(&object["spec"]["selector"]).map(|(key, value)| format!("{key}={value}")));
        vec![
            text_or_none(object, "/spec/type"),
            text_or_none(object, "/spec/clusterIP"),
            external_address(object),
            service_ports(object),
            age(object),
            selector,
        ]
    },
    ..NAMED
};

/// How Endpoints are shown.
pub(super) const ENDPOINTS: Columns = Columns {
    columns: &[text("Endpoints"), text("Age")],
    cells: |object| {
        let mut pairs = Vec::new();
        for subset in items(object, "/subsets") {
            for address in items(subset, "/addresses") {
                let ip = address["ip"].as_str().unwrap_or_default();
                pairs.extend(items(subset, "/ports").map(|port| format!("{ip}:{}", port["port"])));
            }
        }
        vec![shortened(pairs), age(object)]
    },
    ..NAMED
};

/// How EndpointSlices are shown.
pub(super) const ENDPOINT_SLICE: Columns = Columns {
    columns: &[text("AddressType"), text("Ports"), text("Endpoints"), text("Age")],
    cells: |object| {
        let unset = |list: Vec<String>| if list.is_empty() { Value::from("<unset>") } else { shortened(list) };
        let ports = items(object, "/ports")
            .map(|it| it["port"].as_u64().map_or_else(|| "*".to_owned(), |port| port.to_string()));
        let addresses = items(object, "/endpoints")
            .flat_map(|it| items(it, "/addresses"))
            .filter_map(Value::as_str)
            .map(str::to_owned);
        vec![object["addressType"].clone(), unset(ports.collect()), unset(addresses.collect()), age(object)]
    },
    ..NAMED
};

/// How ServiceAccounts are shown.
pub(super) const SERVICE_ACCOUNT: Columns =
    Columns { columns: &[text("Age")], cells: |object| vec![age(object)], ..NAMED };

/// How Leases are shown.
pub(super) const LEASE: Columns = Columns {
    columns: &[text("Holder"), text("Age")],
    cells: |object| vec![object["spec"]["holderIdentity"].as_str().unwrap_or_default().into(), age(object)],
    ..NAMED
};

/// How Events are shown.
pub(super) const EVENT: Columns = Columns {
    columns: &[
        text("Last Seen"),
        text("Type"),
        text("Reason"),
        text("Object"),
        wide("Subobject"),
        wide("Source"),
        text("Message"),
        wide("First Seen"),
        wide("Count"),
        wide("Name"),
    ],
    cells: |object| event_cells(object, "involvedObject", "message"),
    name: None,
};

/// The same under `events.k8s.io`.
pub(super) const NEW_EVENT: Columns =
    Columns { columns: EVENT.columns, cells: |object| event_cells(object, "regarding", "note"), name: None };

fn event_cells(event: &Value, object: &str, message: &str) -> Vec<Value> {
    let first = time(event, &["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"]);
    let observed = &event["series"]["lastObservedTime"];
    let last = if observed.is_string() {
        observed.clone()
    } else {
        time(event, &["lastTimestamp", "deprecatedLastTimestamp", "eventTime"])
    };
    let times = event["series"]["count"].as_i64().unwrap_or_else(|| count(event, "/count").max(1));
    let involved = &event[object];
    let name = format!(
        "{}/{}",
        involved["kind"].as_str().unwrap_or_default().to_lowercase(),
        involved["name"].as_str().unwrap_or_default()
    );
    let component = event["reportingComponent"].as_str().or(event["source"]["component"].as_str()).unwrap_or_default();
    let host = event["reportingInstance"].as_str().or(event["source"]["host"].as_str()).unwrap_or_default();
    let source = if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") };
    vec![
        since(&last).into(),
        event["type"].clone(),
        event["reason"].clone(),
        name.into(),
        involved["fieldPath"].as_str().unwrap_or_default().into(),
        source.into(),
        event[message].as_str().unwrap_or_default().trim().into(),
        since(&first).into(),
        times.into(),
        meta::name(event).into(),
    ]
}

fn time(event: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| &event[*field]).find(|value| value.is_string()).cloned().unwrap_or_default()
}

fn unknown(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).and_then(Value::as_str).filter(|it| !it.is_empty()).unwrap_or("<unknown>").into()
}

fn node_status(node: &Value) -> Value {
    let mut words = match items(node, "/status/conditions").find(|it| it["type"] == "Ready") {
        Some(ready) if ready["status"] == "True" => vec!["Ready"],
        Some(_) => vec!["NotReady"],
        None => vec!["Unknown"],
    };
    if node["spec"]["unschedulable"] == true {
        words.push("SchedulingDisabled");
    }
    words.join(",").into()
}

fn node_roles(node: &Value) -> Value {
    let mut roles: Vec<String> = meta::labels(node)
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => Some(role.to_owned()),
            _ if key == "kubernetes.io/role" && !value.is_empty() => Some(value.to_owned()),
            _ => None,
        })
        .collect();
    roles.sort();
    join(roles)
}

fn address(node: &Value, kind: &str) -> Value {
    let found = items(node, "/status/addresses").find(|it| it["type"] == kind);
    found.and_then(|it| it["address"].as_str()).unwrap_or("<none>").into()
}

fn external_address(service: &Value) -> Value {
    let given: Vec<String> = items(service, "/spec/externalIPs").filter_map(Value::as_str).map(str::to_owned).collect();
    let balanced: Vec<String> = items(service, "/status/loadBalancer/ingress")
        .filter_map(|it| it["ip"].as_str().or(it["hostname"].as_str()).map(str::to_owned))
        .collect();
    match service["spec"]["type"].as_str() {
        Some("ExternalName") => text_or_none(service, "/spec/externalName"),
        Some("LoadBalancer") if balanced.is_empty() && given.is_empty() => "<pending>".into(),
        Some("LoadBalancer") => join(balanced.into_iter().chain(given)),
        _ => join(given),
    }
}

fn service_ports(service: &Value) -> Value {
    join(items(service, "/spec/ports").map(|port| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match port["nodePort"].as_u64() {
            Some(node) if node > 0 => format!("{}:{node}/{protocol}", port["port"]),
            _ => format!("{}/{protocol}", port["port"]),
        }
    }))
}

/// At most three, and how many more there are.
fn shortened(mut list: Vec<String>) -> Value {
    let more = list.len().saturating_sub(3);
    list.truncate(3);
    match (list.is_empty(), more) {
        (true, _) => "<none>".into(),
        (false, 0) => list.join(",").into(),
        (false, more) => format!("{} + {more} more...", list.join(",")).into(),
    }
}
