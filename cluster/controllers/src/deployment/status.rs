//! The status of a deployment and its conditions; pure. `kubectl rollout status` reads them.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet, ReplicaSetCondition},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use super::sizes::{self, Bounds};

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const REPLICA_FAILURE: &str = "ReplicaFailure";
const COMPLETED: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
const NO_DEADLINE: i32 = i32::MAX;

/// Conditions being worked on.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    list: Vec<DeploymentCondition>,
    now: Option<Timestamp>,
}

impl Conditions {
    /// The conditions that the deployment has.
    pub(super) fn of(deployment: &Deployment, now: Timestamp) -> Self {
        let list = deployment.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
        Self { list, now: Some(now) }
    }

    fn get(&self, kind: &str) -> Option<&DeploymentCondition> {
        self.list.iter().find(|condition| condition.type_.as_deref() == Some(kind))
    }

    fn reason(&self, kind: &str) -> Option<&str> {
        self.get(kind)?.reason.as_deref()
    }

    fn remove(&mut self, kind: &str) {
        self.list.retain(|condition| condition.type_.as_deref() != Some(kind));
    }

    /// Sets a condition unless one of the same status and reason is there.
    fn set(&mut self, kind: &str, status: &str, reason: &str, message: String) {
        let known = self.get(kind);
        let same_status = known.filter(|known| known.status.as_deref() == Some(status));
        if same_status.is_some_and(|known| known.reason.as_deref() == Some(reason)) {
            return;
        }
        let now = self.now.map(Time);
        let since = same_status.map_or_else(|| now.clone(), |known| known.last_transition_time.clone());
        self.remove(kind);
        self.list.push(DeploymentCondition {
            type_: Some(kind.to_owned()),
            status: Some(status.to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_update_time: now,
            last_transition_time: since,
        });
    }

    /// Marks that something moved, even if it did so before for the same reason: the deadline
    /// counts from the last progress.
    fn renew_progress(&mut self, message: String) {
        let since = self.get(PROGRESSING).filter(|known| known.status.as_deref() == Some("True"));
        let since = since.and_then(|known| known.last_transition_time.clone());
        self.remove(PROGRESSING);
        self.set(PROGRESSING, "True", "ReplicaSetUpdated", message);
        if let (Some(since), Some(condition)) = (since, self.list.last_mut()) {
            condition.last_transition_time = Some(since);
        }
    }

    /// Notes that the deployment was paused or resumed, so that the pause is not taken for a
    /// rollout that hangs.
    pub(super) fn note_pause(&mut self, deployment: &Deployment) {
        let paused = deployment.spec.paused.unwrap_or(false);
        let reason = self.reason(PROGRESSING);
        if deadline(deployment).is_none() || reason == Some(TIMED_OUT) {
            return;
        }
        match (paused, reason == Some(PAUSED)) {
            (true, false) => self.set(PROGRESSING, "Unknown", PAUSED, "Deployment is paused".to_owned()),
            (false, true) => {
                self.set(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed".to_owned());
            }
            _ => {}
        }
    }

    /// Notes that the set for the new template is about to be made.
    pub(super) fn note_created(&mut self, deployment: &Deployment, set: &str) {
        if deadline(deployment).is_some() {
            self.set(PROGRESSING, "True", "NewReplicaSetCreated", format!("Created new replica set \"{set}\""));
        }
    }

    /// Notes that the set for the new template was there already.
    pub(super) fn note_found(&mut self, deployment: &Deployment, set: &str) {
        if deadline(deployment).is_some() && self.get(PROGRESSING).is_none() {
            self.set(PROGRESSING, "True", "FoundNewReplicaSet", format!("Found new replica set \"{set}\""));
        }
    }
}

/// Notes in a finished status that the new set could not be made.
pub(super) fn note_create_failed(status: &mut DeploymentStatus, set: &str, why: &str, now: Timestamp) {
    let mut conditions = Conditions { list: status.conditions.take().unwrap_or_default(), now: Some(now) };
    let message = format!("Failed to create new replica set \"{set}\": {why}");
    conditions.set(PROGRESSING, "False", "FailedCreate", message);
    status.conditions = Some(conditions.list);
}

/// The sets that a status is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sets<'a> {
    /// The set of the present template.
    pub(super) new: Option<&'a Arc<ReplicaSet>>,
    /// All others.
    pub(super) old: &'a [Arc<ReplicaSet>],
    /// Pods asked for in all sets together, after the plan is carried out.
    pub(super) asked: i32,
}

impl Sets<'_> {
    fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.new.into_iter().chain(self.old).map(|set| &**set)
    }
}

/// The numbers, and whether enough is available.
pub(super) fn count(
    deployment: &Deployment,
    bounds: &Bounds,
    sets: Sets<'_>,
    mut conditions: Conditions,
) -> DeploymentStatus {
    let sum = |field: fn(&ReplicaSet) -> i32| sets.all().map(field).sum::<i32>();
    let available = sum(sizes::available);
    if available >= bounds.min_available() {
        let message = "Deployment has minimum availability.".to_owned();
        conditions.set(AVAILABLE, "True", "MinimumReplicasAvailable", message);
    } else {
        let message = "Deployment does not have minimum availability.".to_owned();
        conditions.set(AVAILABLE, "False", "MinimumReplicasUnavailable", message);
    }
    DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: Some(sum(pods)),
        updated_replicas: Some(sets.new.map_or(0, |set| pods(set))),
        ready_replicas: Some(sum(ready)),
        available_replicas: Some(available),
        unavailable_replicas: Some((sets.asked - available).max(0)),
        terminating_replicas: Some(sum(terminating)),
        collision_count: deployment.status.as_ref().and_then(|status| status.collision_count),
        conditions: Some(conditions.list),
    }
}

/// Adds how far the rollout is, and why pods cannot be made if they cannot.
pub(super) fn estimate_progress(
    deployment: &Deployment,
    bounds: &Bounds,
    sets: Sets<'_>,
    status: &mut DeploymentStatus,
    now: Timestamp,
) {
    let mut conditions = Conditions { list: status.conditions.take().unwrap_or_default(), now: Some(now) };
    let subject = sets.new.map_or_else(
        || format!("Deployment \"{}\"", deployment.name_any()),
        |set| format!("ReplicaSet \"{}\"", set.name_any()),
    );
    let settled = status.replicas == status.updated_replicas && conditions.reason(PROGRESSING) == Some(COMPLETED);
    match deadline(deployment) {
        None => conditions.remove(PROGRESSING),
        Some(_) if settled => {}
        Some(_) if is_complete(bounds, status) => {
            conditions.set(PROGRESSING, "True", COMPLETED, format!("{subject} has successfully progressed."));
        }
        Some(_) if moved(deployment.status.as_ref(), status) => {
            conditions.renew_progress(format!("{subject} is progressing."));
        }
        Some(limit) if is_timed_out(&conditions, limit, now) => {
            conditions.set(PROGRESSING, "False", TIMED_OUT, format!("{subject} has timed out progressing."));
        }
        Some(_) => {}
    }
    match sets.all().find_map(failure) {
        Some(failure) => {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            let status = text(&failure.status);
            conditions.set(REPLICA_FAILURE, &status, &text(&failure.reason), text(&failure.message));
        }
        None => conditions.remove(REPLICA_FAILURE),
    }
    status.conditions = Some(conditions.list);
}

/// Whether every pod is new and available.
pub(super) fn is_complete(bounds: &Bounds, status: &DeploymentStatus) -> bool {
    let wanted = Some(bounds.replicas);
    status.updated_replicas == wanted && status.replicas == wanted && status.available_replicas == wanted
}

/// When to look whether the rollout has missed its deadline.
pub(super) fn deadline_check(
    deployment: &Deployment,
    bounds: &Bounds,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<Duration> {
    let limit = deadline(deployment)?;
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let progress = conditions.iter().find(|condition| condition.type_.as_deref() == Some(PROGRESSING))?;
    let over = matches!(progress.reason.as_deref(), Some(TIMED_OUT | PAUSED | COMPLETED));
    if over || is_complete(bounds, status) {
        return None;
    }
    let left = progress.last_update_time.as_ref()?.0 + limit - now;
    let left = Duration::try_from(SignedDuration::try_from(left).ok()?).unwrap_or_default();
    // The condition's time is in whole seconds.
    Some(left + Duration::from_secs(1))
}

fn deadline(deployment: &Deployment) -> Option<SignedDuration> {
    let seconds = deployment.spec.progress_deadline_seconds?;
    (seconds != NO_DEADLINE).then(|| SignedDuration::from_secs(seconds.into()))
}

fn moved(before: Option<&DeploymentStatus>, now: &DeploymentStatus) -> bool {
    let number = |field: Option<i32>| field.unwrap_or(0);
    let updated = |status: &DeploymentStatus| number(status.updated_replicas);
    let outdated = |status: &DeploymentStatus| number(status.replicas) - updated(status);
    let empty = DeploymentStatus::default();
    let before = before.unwrap_or(&empty);
    updated(now) > updated(before)
        || outdated(now) < outdated(before)
        || now.ready_replicas > before.ready_replicas.or(Some(0))
        || now.available_replicas > before.available_replicas.or(Some(0))
}

fn is_timed_out(conditions: &Conditions, limit: SignedDuration, now: Timestamp) -> bool {
    let Some(progress) = conditions.get(PROGRESSING) else { return false };
    match progress.reason.as_deref() {
        Some(COMPLETED) => false,
        Some(TIMED_OUT) => true,
        _ => progress.last_update_time.as_ref().is_some_and(|last| now.duration_since(last.0) > limit),
    }
}

fn failure(set: &ReplicaSet) -> Option<&ReplicaSetCondition> {
    let conditions = set.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_.as_deref() == Some(REPLICA_FAILURE))
}

fn pods(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |status| status.replicas)
}

fn ready(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0)
}

fn terminating(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.terminating_replicas).unwrap_or(0)
}
