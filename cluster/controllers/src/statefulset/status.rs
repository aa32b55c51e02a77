//! The status of a set; pure.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{StatefulSet, StatefulSetStatus},
    core::v1::Pod,
};

use super::{identity, revision::Revisions};
use crate::objects::{owner, pod};

/// Whether a pod runs and is ready.
pub(super) fn is_running_and_ready(subject: &Pod) -> bool {
    pod::phase(subject) == "Running" && pod::is_ready(subject)
}

/// Whether it has been so for long enough.
pub(super) fn is_available(set: &StatefulSet, subject: &Pod, now: Timestamp) -> bool {
    let seconds = set.spec.min_ready_seconds.unwrap_or(0);
    is_running_and_ready(subject) && pod::is_available(subject, seconds, now)
}

/// Whether the set updates its pods by itself.
pub(super) fn is_rolling(set: &StatefulSet) -> bool {
    set.spec.update_strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) != Some("OnDelete")
}

/// Counts.
pub(super) fn status(set: &StatefulSet, pods: &[Arc<Pod>], revisions: &Revisions, now: Timestamp) -> StatefulSetStatus {
    let count =
        |test: &dyn Fn(&Pod) -> bool| i32::try_from(pods.iter().filter(|pod| test(pod)).count()).unwrap_or(i32::MAX);
    let of = |name: &str, subject: &Pod| identity::revision(subject) == name && !owner::is_deleting(&subject.metadata);
    let wanted = set.spec.replicas.unwrap_or(1);
    let mut status = StatefulSetStatus {
        observed_generation: set.metadata.generation,
        replicas: count(&|_| true),
        ready_replicas: Some(count(&is_running_and_ready)),
        available_replicas: Some(count(&|subject| is_available(set, subject, now))),
        current_replicas: Some(count(&|subject| of(&revisions.current.name, subject))),
        updated_replicas: Some(count(&|subject| of(&revisions.update.name, subject))),
        current_revision: Some(revisions.current.name.clone()),
        update_revision: Some(revisions.update.name.clone()),
        collision_count: Some(revisions.collisions),
        conditions: set.status.as_ref().and_then(|status| status.conditions.clone()),
    };
    let complete = is_rolling(set)
        && status.replicas == wanted
        && status.updated_replicas == Some(wanted)
        && status.ready_replicas == Some(wanted);
    if complete {
        status.current_revision = status.update_revision.clone();
        status.current_replicas = status.updated_replicas;
    }
    status
}
