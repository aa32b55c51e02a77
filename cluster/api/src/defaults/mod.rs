//! What Kubernetes fills in where an object leaves things open.

mod apps;
mod batch;
mod core;
mod pod;
mod policy;
mod storage;

use crate::schema::Kind;
use serde_json::{Map, Value};

/// Fills in the defaults of an object of a kind. The object conforms to its type ([`crate::schema::conform`]).
pub fn apply(kind: &Kind, object: &mut Value) {
    let Value::Object(map) = object else { return };
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::pod(map),
        ("", "Service") => core::service(map),
        ("", "Secret") => core::secret(map),
        ("", "Namespace") => core::namespace(map),
        ("", "Node") => core::node(map),
        ("", "Endpoints") => core::endpoints(map),
        ("", "PersistentVolume") => storage::volume(map),
        ("", "PersistentVolumeClaim") => storage::claim(map),
        ("storage.k8s.io", "StorageClass") => storage::class(map),
        ("apps", "Deployment") => apps::deployment(map),
        ("apps", "ReplicaSet") => apps::replica_set(map),
        ("apps", "StatefulSet") => apps::stateful_set(map),
        ("apps", "DaemonSet") => apps::daemon_set(map),
        ("", "ReplicationController") => apps::replication_controller(map),
        ("batch", "Job") => batch::job(map),
        ("batch", "CronJob") => batch::cron_job(map),
        ("", "LimitRange") => policy::limit_range(map),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => policy::webhooks(map, true),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => policy::webhooks(map, false),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => policy::definition(map),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(map),
        ("networking.k8s.io", "NetworkPolicy") => policy::network_policy(map),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => policy::role_binding(map),
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class(map),
        ("storage.k8s.io", "CSIDriver") => policy::csi_driver(map),
        ("discovery.k8s.io", "EndpointSlice") => core::endpoint_slice(map),
        _ => {}
    }
}

type Object = Map<String, Value>;

/// Sets a field that is absent or null.
fn set(object: &mut Object, key: &str, value: impl Into<Value>) {
    if object.get(key).is_none_or(Value::is_null) {
        object.insert(key.to_owned(), value.into());
    }
}

/// The object under a key, if there is one.
fn at<'a>(object: &'a mut Object, key: &str) -> Option<&'a mut Object> {
    object.get_mut(key).and_then(Value::as_object_mut)
}

/// The object under a key, made if absent.
fn make<'a>(object: &'a mut Object, key: &str) -> &'a mut Object {
    set(object, key, Map::new());
    at(object, key).expect("conforming objects have objects where the type says so")
}

/// The objects of a list under a key.
fn each<'a>(object: &'a mut Object, key: &str) -> impl Iterator<Item = &'a mut Object> {
    object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

fn text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
