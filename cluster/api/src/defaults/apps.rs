//! Deployment, ReplicaSet and StatefulSet.

use super::{Object, at, each, make, pod, set, storage, text};

pub(super) fn deployment(object: &mut Object) {
    let spec = make(object, "spec");
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
    let strategy = make(spec, "strategy");
    set(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = make(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", "25%");
        set(rolling, "maxSurge", "25%");
    }
    pod::template(spec);
}

pub(super) fn replica_set(object: &mut Object) {
    let spec = make(object, "spec");
    set(spec, "replicas", 1);
    pod::template(spec);
}

pub(super) fn daemon_set(object: &mut Object) {
    let spec = make(object, "spec");
    set(spec, "revisionHistoryLimit", 10);
    let strategy = make(spec, "updateStrategy");
    if text(strategy, "type").is_empty() {
        strategy.insert("type".to_owned(), "RollingUpdate".into());
    }
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = make(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", 1);
        set(rolling, "maxSurge", 0);
    }
    pod::template(spec);
}

/// The selector and the labels are those of the template, if they are left out.
pub(super) fn replication_controller(object: &mut Object) {
    let labels = object.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels")).cloned();
    if let Some(labels) = labels {
        set(make(object, "metadata"), "labels", labels.clone());
        set(make(object, "spec"), "selector", labels);
    }
    let spec = make(object, "spec");
    set(spec, "replicas", 1);
    pod::template(spec);
}

pub(super) fn stateful_set(object: &mut Object) {
    let spec = make(object, "spec");
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "podManagementPolicy", "OrderedReady");
    update_strategy(make(spec, "updateStrategy"));
    let retention = make(spec, "persistentVolumeClaimRetentionPolicy");
    set(retention, "whenDeleted", "Retain");
    set(retention, "whenScaled", "Retain");
    pod::template(spec);
    for template in each(spec, "volumeClaimTemplates") {
        set(template, "apiVersion", "v1");
        set(template, "kind", "PersistentVolumeClaim");
        storage::claim(template);
    }
}

fn update_strategy(strategy: &mut Object) {
    if text(strategy, "type").is_empty() {
        set(strategy, "type", "RollingUpdate");
        make(strategy, "rollingUpdate");
    }
    if text(strategy, "type") == "RollingUpdate"
        && let Some(rolling) = at(strategy, "rollingUpdate")
    {
        set(rolling, "partition", 0);
        set(rolling, "maxUnavailable", 1);
    }
}
