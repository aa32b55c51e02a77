//! What objects must look like, and what may change.
//!
//! [`create`] checks a new object, [`update`] a changed one against the old, [`update_status`] one whose status alone was
//! written. All take objects that conform to their type and have their defaults, and give every mistake with its path in
//! Kubernetes' words. One file per family of kinds; what they share is in `meta` and `checks`.

mod apps;
mod batch;
mod checks;
mod core;
mod error;
mod event;
mod meta;
mod network;
pub mod options;
mod path;
mod pod;
mod policy;
mod service;
mod storage;

pub use error::{FieldError, FieldReason};

use crate::schema::Kind;
use serde_json::Value;

/// What is wrong with a new object.
pub fn create(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if kind.is("", "Binding") {
        // A binding only passes through: it has the name of its pod and is never stored.
        core::binding(object, &mut errors);
        return errors;
    }
    meta::create(kind, object, &mut errors);
    if kind.custom {
        return errors;
    }
    body(kind, object, &mut errors);
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::create(object, &mut errors),
        ("events.k8s.io", "Event") => event::create(object, &mut errors),
        _ => {}
    }
    errors
}

/// What is wrong with a changed object.
pub fn update(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    meta::update(kind, old, new, &mut errors);
    if kind.custom {
        return errors;
    }
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::update(old, new, &mut errors),
        ("", "Service") => service::update(old, new, &mut errors),
        ("events.k8s.io", "Event") => event::update(old, new, &mut errors),
        ("", "Secret") => core::secret_update(old, new, &mut errors),
        ("", "ConfigMap") => core::config_map_update(old, new, &mut errors),
        ("", "Node") => core::node_update(old, new, &mut errors),
        ("", "PersistentVolume") => storage::volume_update(old, new, &mut errors),
        ("", "PersistentVolumeClaim") => storage::claim_update(old, new, &mut errors),
        ("storage.k8s.io", "StorageClass") => storage::class_update(old, new, &mut errors),
        ("apps", _) => apps::update(kind.kind, old, new, &mut errors),
        ("batch", "Job") => batch::job_update(old, new, &mut errors),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            policy::role_binding_update(old, new, &mut errors);
        }
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class_update(old, new, &mut errors),
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice_update(old, new, &mut errors),
        _ => {}
    }
    body(kind, new, &mut errors);
    errors
}

/// What is wrong with an object whose status was written.
pub fn update_status(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    meta::update(kind, old, new, &mut errors);
    if kind.custom {
        return errors;
    }
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::update_status(old, new, &mut errors),
        ("", "Namespace") => core::namespace_status(new, &mut errors),
        ("", "Node") => core::node(new, &mut errors),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") => apps::status(kind.kind, old, new, &mut errors),
        _ => {}
    }
    errors
}

/// What must hold of an object at any time.
fn body(kind: &Kind, object: &Value, errors: &mut Vec<FieldError>) {
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::pod(object, errors),
        ("", "Service") => service::service(object, errors),
        ("", "Secret") => core::secret(object, errors),
        ("", "ConfigMap") => core::config_map(object, errors),
        ("", "Namespace") => core::namespace(object, errors),
        ("", "Node") => core::node(object, errors),
        ("" | "events.k8s.io", "Event") => event::event(kind.group, object, errors),
        ("", "Endpoints") => network::endpoints(object, errors),
        ("", "PersistentVolume") => storage::volume(object, errors),
        ("", "PersistentVolumeClaim") => storage::claim(object, errors),
        ("storage.k8s.io", "StorageClass") => storage::class(object, errors),
        ("apps", _) => apps::workload(kind.kind, object, errors),
        ("batch", "Job") => batch::job(object, errors),
        ("batch", "CronJob") => batch::cron_job(object, errors),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            policy::webhooks(object, errors);
        }
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(object, errors),
        ("networking.k8s.io", "Ingress") => policy::ingress(object, errors),
        ("networking.k8s.io", "NetworkPolicy") => policy::network_policy(object, errors),
        ("policy", "PodDisruptionBudget") => policy::budget(object, errors),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => policy::role(kind.kind, object, errors),
        ("rbac.authorization.k8s.io", _) => policy::role_binding(kind.kind, object, errors),
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class(object, errors),
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice(object, errors),
        ("coordination.k8s.io", "Lease") => core::lease(object, errors),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
