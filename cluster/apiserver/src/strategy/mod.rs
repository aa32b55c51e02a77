//! What differs from kind to kind: a row of rules each, and code where a row is not enough.

mod job;
mod namespace;
mod pod;

use kpkg_api::{meta, schema::Kind};
use serde_json::{Value, json};

/// How a kind differs from the others.
pub(crate) struct Rules {
    /// Fields whose change counts `metadata.generation` up; none means that there is no generation.
    counted: &'static [&'static str],
    /// What becomes of `status` when an object is made.
    status: NewStatus,
    /// Whether a PUT of what does not exist creates it.
    pub(crate) create_on_update: bool,
    /// Whether a PUT may leave out the resourceVersion.
    pub(crate) unconditional_update: bool,
    /// Whether a deletion answers with the object, not with a Status.
    pub(crate) returns_deleted: bool,
    /// Whether an update of the status leaves the labels alone.
    status_keeps_labels: bool,
    /// Whether it leaves all metadata alone, and all else is counted.
    custom: bool,
    create: fn(&mut Value),
    update: fn(&Value, &mut Value),
}

/// The `status` of a new object.
enum NewStatus {
    /// What the client sends.
    Sent,
    /// Nothing.
    Empty,
    /// None at all.
    Dropped,
    /// What the server says.
    Made(fn(&Value) -> Value),
}

const PLAIN: Rules = Rules {
    counted: &[],
    status: NewStatus::Sent,
    create_on_update: false,
    unconditional_update: true,
    returns_deleted: false,
    status_keeps_labels: false,
    custom: false,
    create: |_| {},
    update: |_, _| {},
};
const WORKLOAD: Rules = Rules { counted: &["/spec"], status: NewStatus::Empty, status_keeps_labels: true, ..PLAIN };
const DEPLOYMENT: Rules = Rules { counted: &["/spec", "/metadata/annotations"], ..WORKLOAD };
const POD: Rules = Rules {
    counted: &["/spec"],
    status: NewStatus::Made(pod::new_status),
    returns_deleted: true,
    create: pod::create,
    ..PLAIN
};
const NAMESPACE: Rules = Rules {
    status: NewStatus::Made(|_| json!({"phase": "Active"})),
    returns_deleted: true,
    create: namespace::create,
    update: namespace::update,
    ..PLAIN
};
const SERVICE: Rules =
    Rules { status: NewStatus::Made(|_| json!({"loadBalancer": {}})), returns_deleted: true, ..PLAIN };
const STORAGE: Rules =
    Rules { status: NewStatus::Made(|_| json!({"phase": "Pending"})), returns_deleted: true, ..PLAIN };
const SLICE: Rules = Rules { counted: &["/endpoints", "/ports", "/addressType"], ..PLAIN };
const LEASE: Rules = Rules { create_on_update: true, unconditional_update: false, ..PLAIN };
const EVENT: Rules = Rules { create_on_update: true, ..PLAIN };
/// Kinds with a spec and a status, both plain.
const SPECIFIED: Rules = Rules { counted: &["/spec"], status: NewStatus::Empty, ..PLAIN };
/// The same without a status.
const COUNTED: Rules = Rules { counted: &["/spec"], ..PLAIN };
const QUOTA: Rules = Rules { status: NewStatus::Empty, returns_deleted: true, ..PLAIN };
const JOB: Rules = Rules { create: job::create, ..SPECIFIED };
const HOOKS: Rules = Rules { counted: &["/webhooks"], ..PLAIN };
const DEFINITION: Rules = Rules { unconditional_update: false, returns_deleted: true, ..SPECIFIED };
const RETURNED: Rules = Rules { returns_deleted: true, ..PLAIN };

const CUSTOM: Rules = Rules { unconditional_update: false, custom: true, ..PLAIN };
const CUSTOM_WITH_STATUS: Rules = Rules { status: NewStatus::Dropped, ..CUSTOM };

/// The rules of a kind.
pub(crate) fn of(kind: &Kind) -> &'static Rules {
    if kind.custom {
        return if kind.has_status() { &CUSTOM_WITH_STATUS } else { &CUSTOM };
    }
    match (kind.group, kind.kind) {
        ("", "Pod") => &POD,
        ("", "Namespace") => &NAMESPACE,
        ("", "Service") => &SERVICE,
        ("", "PersistentVolume" | "PersistentVolumeClaim") => &STORAGE,
        ("", "ServiceAccount") | ("storage.k8s.io", "StorageClass") => &RETURNED,
        ("apps", "Deployment") => &DEPLOYMENT,
        ("apps", "ReplicaSet" | "StatefulSet") => &WORKLOAD,
        ("apps", "DaemonSet") | ("", "ReplicationController") => &WORKLOAD,
        ("batch", "Job") => &JOB,
        ("batch", "CronJob")
        | ("networking.k8s.io", "Ingress")
        | ("policy", "PodDisruptionBudget")
        | ("autoscaling", "HorizontalPodAutoscaler")
        | ("apiregistration.k8s.io", "APIService")
        | ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") => &SPECIFIED,
        ("", "ResourceQuota") => &QUOTA,
        ("networking.k8s.io", "NetworkPolicy" | "IngressClass")
        | ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding") => &COUNTED,
        ("admissionregistration.k8s.io", _) => &HOOKS,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => &DEFINITION,
        ("", "PodTemplate") | ("storage.k8s.io", "CSIDriver") => &RETURNED,
        ("discovery.k8s.io", "EndpointSlice") => &SLICE,
        ("coordination.k8s.io", "Lease") => &LEASE,
        ("" | "events.k8s.io", "Event") => &EVENT,
        _ => &PLAIN,
    }
}

impl Rules {
    /// Prepares a new object: what the client may not decide is reset.
    pub(crate) fn prepare_create(&self, object: &mut Value) {
        match self.status {
            NewStatus::Sent => {}
            NewStatus::Empty => object["status"] = json!({}),
            NewStatus::Dropped => {
                object.as_object_mut().map(|object| object.remove("status"));
            }
            NewStatus::Made(make) => object["status"] = make(object),
        }
        if !self.counted.is_empty() || self.custom {
            meta::metadata_mut(object).insert("generation".to_owned(), json!(1));
        }
        (self.create)(object);
    }

    /// Prepares a new version of an object written through its own path.
    pub(crate) fn prepare_update(&self, kind: &Kind, old: &Value, new: &mut Value) {
        if kind.has_status() {
            copy(old, new, "status");
        }
        (self.update)(old, new);
        self.count(kind, old, new);
    }

    /// Prepares a new version of an object written through its `status`.
    pub(crate) fn prepare_status_update(&self, old: &Value, new: &mut Value) {
        let (Some(before), Some(after)) = (old.as_object(), new.as_object_mut()) else { return };
        after.retain(|key, _| matches!(key.as_str(), "metadata" | "status"));
        for (key, value) in before {
            if !matches!(key.as_str(), "metadata" | "status") {
                after.insert(key.clone(), value.clone());
            }
        }
        copy_metadata(old, new, "ownerReferences");
        if self.custom {
            ["labels", "annotations", "finalizers"].iter().for_each(|key| copy_metadata(old, new, key));
        }
        if self.status_keeps_labels {
            copy_metadata(old, new, "labels");
        }
    }

    fn count(&self, kind: &Kind, old: &Value, new: &mut Value) {
        let wanted = |object: &Value| {
            let mut object = object.clone();
            if let Some(map) = object.as_object_mut() {
                map.retain(|key, _| key != "metadata" && !(key == "status" && kind.has_status()));
            }
            object
        };
        if self.custom && wanted(old) != wanted(new) {
            crate::registry::bump_generation(new);
        }
        if self.counted.iter().any(|path| old.pointer(path) != new.pointer(path)) {
            crate::registry::bump_generation(new);
        }
    }
}

/// Takes a field as it was.
pub(crate) fn copy(old: &Value, new: &mut Value, key: &str) {
    let Some(map) = new.as_object_mut() else { return };
    match old.get(key) {
        Some(value) => map.insert(key.to_owned(), value.clone()),
        None => map.remove(key),
    };
}

fn copy_metadata(old: &Value, new: &mut Value, key: &str) {
    let metadata = meta::metadata_mut(new);
    match old["metadata"].get(key) {
        Some(value) => metadata.insert(key.to_owned(), value.clone()),
        None => metadata.remove(key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use kpkg_api::schema;

    #[test]
    fn generation_counts_what_the_user_wants() {
        let kind = schema::kind("apps", "v1", "Deployment").expect("served");
        let old = json!({"metadata": {"generation": 3}, "spec": {"replicas": 1}, "status": {"replicas": 1}});
        let cases = [
            (json!({"metadata": {"generation": 3}, "spec": {"replicas": 1}}), 3),
            (json!({"metadata": {"generation": 3}, "spec": {"replicas": 2}}), 4),
            (json!({"metadata": {"generation": 3, "annotations": {"a": "b"}}, "spec": {"replicas": 1}}), 4),
            (json!({"metadata": {"generation": 3, "labels": {"a": "b"}}, "spec": {"replicas": 1}}), 3),
        ];
        for (mut new, want) in cases {
            of(kind).prepare_update(kind, &old, &mut new);
            assert_eq!(meta::generation(&new), want, "{new}");
            assert_eq!(new["status"], old["status"]);
        }
    }

    #[test]
    fn a_status_update_changes_the_status_only() {
        let kind = schema::kind("apps", "v1", "Deployment").expect("served");
        let old = json!({"kind": "Deployment", "metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}});
        let mut new = json!({"kind": "Deployment", "metadata": {}, "spec": {"replicas": 2}, "status": {"replicas": 5}});
        of(kind).prepare_status_update(&old, &mut new);
        assert_eq!(new["spec"], old["spec"]);
        assert_eq!(new["metadata"], old["metadata"]);
        assert_eq!(new["status"], json!({"replicas": 5}));
    }
}
