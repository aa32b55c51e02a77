//! Which set holds which template: hashes, revision numbers, annotations; pure.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;
use serde_json::Value;

use super::sizes::Bounds;
use crate::objects::{owner, template};

/// The label that tells the pods of one template from those of another.
pub(super) const HASH_LABEL: &str = "pod-template-hash";
/// The number of a rollout.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The size of the deployment when the set was last scaled.
pub(super) const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with the surge.
pub(super) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const REVISION_HISTORY_LIMIT: usize = 2000;
/// Annotations of a deployment that its sets do not inherit.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
];

/// A number that an annotation of a set holds.
pub(super) fn annotated_number(set: &ReplicaSet, annotation: &str) -> Option<i32> {
    set.annotations().get(annotation)?.parse().ok()
}

/// The set's revision; zero if it has none.
pub(super) fn of(set: &ReplicaSet) -> i64 {
    set.annotations().get(REVISION).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}

/// Whether two templates are one but for the hash label.
pub(super) fn same_template(a: &PodTemplateSpec, b: &PodTemplateSpec) -> bool {
    canonical(a) == canonical(b)
}

/// The template as JSON without the hash label and without what is empty: empty and absent mean
/// the same.
fn canonical(template: &PodTemplateSpec) -> Value {
    let mut value = serde_json::to_value(template).unwrap_or_default();
    if let Some(labels) = value.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
    if let Some(meta) = value.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        meta.remove("creationTimestamp");
    }
    prune(&mut value);
    value
}

/// Removes nulls and empty lists and objects, except where an empty object says something: a
/// volume or handler is chosen by its mere presence (`emptyDir: {}`).
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// The hash of a deployment's template, different for each collision counted before.
pub(super) fn template_hash(deployment: &Deployment) -> String {
    let mut bytes = canonical(&deployment.spec.template).to_string().into_bytes();
    let collisions = deployment.status.as_ref().and_then(|status| status.collision_count);
    if let Some(collisions) = collisions.filter(|count| *count > 0) {
        bytes.extend(collisions.to_le_bytes());
    }
    template::safe_hash(template::fnv1a(&bytes))
}

/// The set for the deployment's present template, not yet made.
pub(super) fn new_set(deployment: &Deployment, bounds: &Bounds, size: i32, revision: i64) -> ReplicaSet {
    let hash = template_hash(deployment);
    let spec = deployment.spec.clone();
    let (mut template, mut selector) = (spec.template, spec.selector);
    let mut labels = template.metadata.as_ref().and_then(|meta| meta.labels.clone()).unwrap_or_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    template.metadata.get_or_insert_default().labels = Some(labels.clone());
    selector.match_labels.get_or_insert_default().insert(HASH_LABEL.to_owned(), hash.clone());
    let mut annotations = inherited(deployment);
    annotations.extend(size_annotations(bounds));
    annotations.insert(REVISION.to_owned(), revision.to_string());
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.name_any())),
            namespace: deployment.namespace(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![owner::controller_ref(deployment)]),
            ..ObjectMeta::default()
        },
        spec: ReplicaSetSpec {
            replicas: Some(size),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        },
        status: None,
    }
}

/// Annotations that every scaled set carries.
pub(super) fn size_annotations(bounds: &Bounds) -> BTreeMap<String, String> {
    [(DESIRED_REPLICAS.to_owned(), bounds.replicas.to_string()), (MAX_REPLICAS.to_owned(), bounds.most().to_string())]
        .into()
}

/// Annotations of the existing new set that must change: what it inherits, and its revision if
/// that lags behind (a rollback makes an old set the newest).
pub(super) fn renewed(deployment: &Deployment, set: &ReplicaSet, revision: i64) -> BTreeMap<String, String> {
    let mut changes = inherited(deployment);
    let old = of(set);
    if old < revision {
        changes.insert(REVISION.to_owned(), revision.to_string());
        if old > 0 {
            changes.insert(REVISION_HISTORY.to_owned(), history(set, old));
        }
    }
    changes.retain(|key, value| set.annotations().get(key) != Some(value));
    changes
}

fn inherited(deployment: &Deployment) -> BTreeMap<String, String> {
    let own = |key: &str| OWN.contains(&key);
    deployment.annotations().iter().filter(|(key, _)| !own(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn history(set: &ReplicaSet, old: i64) -> String {
    let mut past: Vec<String> = set
        .annotations()
        .get(REVISION_HISTORY)
        .map(|past| past.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    past.push(old.to_string());
    while past.len() > 1 && past.iter().map(|entry| entry.len() + 1).sum::<usize>() > REVISION_HISTORY_LIMIT {
        past.remove(0);
    }
    past.join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, collisions: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "ns", "uid": "u",
                "annotations": {"note": "x", REVISION: "9", "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": image}]}}},
            "status": {"collisionCount": collisions},
        }))
        .unwrap()
    }

    #[test]
    fn the_new_set_is_named_by_its_template() {
        let bounds = Bounds { replicas: 3, surge: 1, unavailable: 0, rolling: true };
        let set = new_set(&deployment("a", 0), &bounds, 2, 4);
        let hash = set.labels()[HASH_LABEL].clone();
        assert_eq!(set.name_any(), format!("web-{hash}"));
        assert!((6..=10).contains(&hash.len()), "{hash}");
        assert_eq!(set.annotations()["note"], "x");
        assert_eq!(set.annotations()[REVISION], "4");
        assert_eq!(set.annotations()[MAX_REPLICAS], "4");
        assert!(!set.annotations().contains_key("kubectl.kubernetes.io/last-applied-configuration"));
        let spec = set.spec;
        assert_eq!(spec.selector.match_labels.unwrap()[HASH_LABEL], hash);
        let template = spec.template.unwrap();
        assert!(same_template(&template, &deployment("a", 0).spec.template));
        assert!(!same_template(&template, &deployment("b", 0).spec.template));
    }

    #[test]
    fn hashes_depend_on_template_and_collisions_only() {
        assert_eq!(template_hash(&deployment("a", 0)), template_hash(&deployment("a", 0)));
        assert_ne!(template_hash(&deployment("a", 0)), template_hash(&deployment("b", 0)));
        assert_ne!(template_hash(&deployment("a", 0)), template_hash(&deployment("a", 1)));
    }

    #[test]
    fn a_set_that_becomes_the_newest_again_keeps_its_history() {
        let set: ReplicaSet = serde_json::from_value(json!({"metadata": {"annotations":
            {"note": "x", REVISION: "2", REVISION_HISTORY: "1"}}, "spec": {"selector": {}}}))
        .unwrap();
        let changes = renewed(&deployment("a", 0), &set, 5);
        let want = [(REVISION.to_owned(), "5".to_owned()), (REVISION_HISTORY.to_owned(), "1,2".to_owned())];
        assert_eq!(changes, want.into());
        assert!(renewed(&deployment("a", 0), &set, 2).is_empty());
    }
}
