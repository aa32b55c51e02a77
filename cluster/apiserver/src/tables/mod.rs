//! Tables: objects as people read them, with the columns that `kubectl get` shows.
//!
//! Each kind has a row of [`Columns`]: the columns' definitions and a function from an object to its
//! cells. Columns and texts follow Kubernetes' `pkg/printers/internalversion/printers.go`.

mod age;
mod batch;
mod cluster;
mod pods;
mod policy;
mod storage;
mod workloads;

use crate::{accept::Include, show::partial};
use kpkg_api::{meta, schema::Kind};
use serde_json::{Value, json};

/// A column: its name, its type, and whether only `-o wide` shows it.
struct Column {
    name: &'static str,
    kind: &'static str,
    wide: bool,
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: "string", wide: false }
}

const fn number(name: &'static str) -> Column {
    Column { name, kind: "integer", wide: false }
}

const fn wide(name: &'static str) -> Column {
    Column { name, kind: "string", wide: true }
}

/// How a kind is shown.
struct Columns {
    /// What follows the name, or, where the name is not first, all there is.
    columns: &'static [Column],
    cells: fn(&Value) -> Vec<Value>,
    /// The first column's text; none where the first column is not the name.
    name: Option<fn(&Value) -> String>,
}

/// What most kinds have in common.
const NAMED: Columns =
    Columns { columns: &[], cells: |_| Vec::new(), name: Some(|object| meta::name(object).to_owned()) };

/// Kinds without columns of their own.
const OTHER: Columns = Columns { columns: &[text("Age")], cells: |object| vec![age(object)], ..NAMED };

/// Objects of a kind as a `meta.k8s.io/v1` Table. `metadata` is the list's; the columns may be left out where the client
/// has them already.
pub(crate) fn table<'a>(
    kind: &Kind,
    objects: impl Iterator<Item = &'a Value>,
    metadata: Value,
    include: Include,
    with_columns: bool,
) -> Value {
    let columns = columns(kind);
    let rows: Vec<Value> = objects.map(|object| row(&columns, object, include)).collect();
    let mut table = json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": null,
        "rows": rows,
    });
    if with_columns {
        table["columnDefinitions"] = definitions(&columns);
    }
    table
}

fn row(columns: &Columns, object: &Value, include: Include) -> Value {
    let mut cells: Vec<Value> = columns.name.iter().map(|name| name(object).into()).collect();
    cells.extend((columns.cells)(object));
    let mut row = json!({"cells": cells});
    if let Some(condition) = pods::completion(object) {
        row["conditions"] = json!([condition]);
    }
    match include {
        Include::None => {}
        Include::Metadata => row["object"] = partial(object),
        Include::Object => row["object"] = object.clone(),
    }
    row
}

fn definitions(columns: &Columns) -> Value {
    let name = columns.name.map(|_| {
        json!({"name": "Name", "type": "string", "format": "name", "description": "The object's name.", "priority": 0})
    });
    let rest = columns.columns.iter().map(|column| {
        json!({"name": column.name, "type": column.kind, "format": "", "description": "", "priority": u8::from(column.wide)})
    });
    name.into_iter().chain(rest).collect()
}

fn columns(kind: &Kind) -> Columns {
    match (kind.group, kind.kind) {
        ("", "Pod") => pods::POD,
        ("", "Node") => cluster::NODE,
        ("", "Namespace") => cluster::NAMESPACE,
        ("", "Service") => cluster::SERVICE,
        ("", "Endpoints") => cluster::ENDPOINTS,
        ("discovery.k8s.io", "EndpointSlice") => cluster::ENDPOINT_SLICE,
        ("", "ConfigMap") => storage::CONFIG_MAP,
        ("", "Secret") => storage::SECRET,
        ("", "PersistentVolume") => storage::VOLUME,
        ("", "PersistentVolumeClaim") => storage::CLAIM,
        ("storage.k8s.io", "StorageClass") => storage::CLASS,
        ("", "ServiceAccount") => cluster::SERVICE_ACCOUNT,
        ("", "Event") => cluster::EVENT,
        ("events.k8s.io", "Event") => cluster::NEW_EVENT,
        ("coordination.k8s.io", "Lease") => cluster::LEASE,
        ("apps", "Deployment") => workloads::DEPLOYMENT,
        ("apps", "ReplicaSet") => workloads::REPLICA_SET,
        ("apps", "StatefulSet") => workloads::STATEFUL_SET,
        ("apps", "DaemonSet") => workloads::DAEMON_SET,
        ("", "ReplicationController") => workloads::REPLICATION_CONTROLLER,
        ("batch", "Job") => batch::JOB,
        ("batch", "CronJob") => batch::CRON_JOB,
        ("networking.k8s.io", "Ingress") => policy::INGRESS,
        ("networking.k8s.io", "IngressClass") => policy::INGRESS_CLASS,
        ("networking.k8s.io", "NetworkPolicy") => policy::NETWORK_POLICY,
        ("policy", "PodDisruptionBudget") => policy::BUDGET,
        ("autoscaling", "HorizontalPodAutoscaler") => policy::AUTOSCALER,
        ("scheduling.k8s.io", "PriorityClass") => policy::PRIORITY_CLASS,
        ("node.k8s.io", "RuntimeClass") => policy::RUNTIME_CLASS,
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => policy::ROLE,
        ("rbac.authorization.k8s.io", _) => policy::ROLE_BINDING,
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            policy::WEBHOOKS
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => policy::DEFINITION,
        ("apps", "ControllerRevision") => workloads::CONTROLLER_REVISION,
        _ => OTHER,
    }
}

/// The time since a timestamp, as a cell.
pub(crate) fn age_of(at: &Value) -> Value {
    age::since(at).into()
}

/// The time since the object was made.
fn age(object: &Value) -> Value {
    age::since(&object["metadata"]["creationTimestamp"]).into()
}

/// A text at a path, or `<none>`.
fn text_or_none(object: &Value, pointer: &str) -> Value {
    match object.pointer(pointer).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => text.into(),
        _ => "<none>".into(),
    }
}

/// A count at a path; absent is 0.
fn count(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// The elements of a list.
fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Texts with commas between, or `<none>`.
fn join(texts: impl IntoIterator<Item = String>) -> Value {
    let texts: Vec<String> = texts.into_iter().collect();
    if texts.is_empty() { "<none>".into() } else { texts.join(",").into() }
}

/// The names and images of a pod template's containers.
fn containers(object: &Value) -> (Value, Value) {
    let field = |key: &str| {
        items(object, "/spec/template/spec/containers")
            .map(|it| it[key].as_str().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(",")
    };
    (field("name").into(), field("image").into())
}

/// A label selector as kubectl prints it.
fn selector(object: &Value) -> Value {
    let labels = meta::strings(&object["spec"]["selector"]["matchLabels"]).map(|(key, value)| format!("{key}={value}"));
    let expressions = items(object, "/spec/selector/matchExpressions").map(|it| {
        let key = it["key"].as_str().unwrap_or_default();
        let values =
            it["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        match it["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        }
    });
    join(labels.chain(expressions))
}
