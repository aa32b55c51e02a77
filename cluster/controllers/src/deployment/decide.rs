//! What one deployment needs next. Pure.
//!
//! Each decision is one step: make the new set, or resize sets, or clean up. The change that the
//! step causes wakes the controller for the next.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};
use kube::ResourceExt;

use super::{
    revision,
    sizes::{self, Bounds, Sized},
    status::{self, Conditions, Sets},
};
use crate::objects::owner;

/// All that the decision rests on.
#[derive(Debug)]
pub(super) struct Observed {
    /// The deployment.
    pub(super) deployment: Arc<Deployment>,
    /// Its sets.
    pub(super) sets: Vec<Arc<ReplicaSet>>,
    /// Uids of the sets with a pod that is not finished.
    pub(super) busy: HashSet<String>,
    /// The time of day.
    pub(super) now: Timestamp,
}

/// One write.
#[derive(Debug)]
pub(super) enum Action {
    /// Make the set for the present template.
    Create(Box<ReplicaSet>),
    /// Change an existing set.
    Update(Update),
    /// Remove a set that is of no more use.
    Delete(Arc<ReplicaSet>),
    /// Note the present revision on the deployment.
    SetRevision(String),
    /// Tell that the selector selects every pod of the namespace.
    WarnSelectingAll,
}

/// A change of one set.
#[derive(Clone, Debug)]
pub(super) struct Update {
    /// The set as observed.
    pub(super) set: Arc<ReplicaSet>,
    /// Its new size, if that changes.
    pub(super) size: Option<i32>,
    /// Annotations that change.
    pub(super) annotations: BTreeMap<String, String>,
    /// Its new minimum, if that changes.
    pub(super) min_ready: Option<i32>,
}

/// What to do.
#[derive(Debug)]
pub(super) struct Plan {
    /// Writes, in order.
    pub(super) actions: Vec<Action>,
    /// The status then.
    pub(super) status: DeploymentStatus,
    /// When to look at the deadline.
    pub(super) look_again: Option<Duration>,
}

/// Decides.
pub(super) fn decide(observed: &Observed) -> Plan {
    let deployment = &*observed.deployment;
    if selects_all(deployment) {
        let status = DeploymentStatus {
            observed_generation: deployment.metadata.generation,
            ..deployment.status.clone().unwrap_or_default()
        };
        return Plan { actions: vec![Action::WarnSelectingAll], status, look_again: None };
    }
    let mut draft = Draft::new(observed);
    if owner::is_deleting(&deployment.metadata) {
        return draft.finish(false);
    }
    draft.conditions.note_pause(deployment);
    draft.renew();
    let paused = deployment.spec.paused.unwrap_or(false);
    if paused || draft.is_scaled() {
        draft.rescale();
        if paused {
            draft.clean_up();
        }
        return draft.finish(false);
    }
    let settled = if draft.bounds.rolling { draft.roll() } else { draft.recreate() };
    if settled && draft.is_complete() {
        draft.clean_up();
    }
    draft.finish(true)
}

fn selects_all(deployment: &Deployment) -> bool {
    let selector = &deployment.spec.selector;
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// A plan in the making.
struct Draft<'a> {
    observed: &'a Observed,
    bounds: Bounds,
    new: Option<Arc<ReplicaSet>>,
    /// Ordered by age, the oldest first.
    old: Vec<Arc<ReplicaSet>>,
    create: Option<Box<ReplicaSet>>,
    updates: BTreeMap<String, Update>,
    delete: Vec<Arc<ReplicaSet>>,
    set_revision: Option<String>,
    conditions: Conditions,
}

impl<'a> Draft<'a> {
    fn new(observed: &'a Observed) -> Self {
        let deployment = &*observed.deployment;
        let template = &deployment.spec.template;
        let mut old = observed.sets.clone();
        old.sort_by_key(|set| (set.creation_timestamp(), set.name_any()));
        let is_new = |set: &Arc<ReplicaSet>| {
            let theirs = set.spec.template.as_ref();
            theirs.is_some_and(|theirs| revision::same_template(template, theirs))
        };
        let new = old.iter().position(is_new).map(|index| old.remove(index));
        Self {
            observed,
            bounds: Bounds::of(deployment),
            new,
            old,
            create: None,
            updates: BTreeMap::new(),
            delete: Vec::new(),
            set_revision: None,
            conditions: Conditions::of(deployment, observed.now),
        }
    }

    fn deployment(&self) -> &'a Deployment {
        &self.observed.deployment
    }

    fn next_revision(&self) -> i64 {
        self.old.iter().map(|set| revision::of(set)).max().unwrap_or(0) + 1
    }

    /// Keeps the existing new set's annotations and the deployment's revision up to date.
    fn renew(&mut self) {
        let Some(new) = self.new.clone() else { return };
        let deployment = self.deployment();
        self.conditions.note_found(deployment, &new.name_any());
        let annotations = revision::renewed(deployment, &new, self.next_revision());
        let latest = annotations.get(revision::REVISION).or_else(|| new.annotations().get(revision::REVISION));
        self.set_revision = latest.cloned();
        let wanted = deployment.spec.min_ready_seconds.unwrap_or(0);
        let actual = new.spec.min_ready_seconds.unwrap_or(0);
        let update = self.update(&new);
        update.annotations.extend(annotations);
        update.min_ready = (wanted != actual).then_some(wanted);
    }

    fn update(&mut self, set: &Arc<ReplicaSet>) -> &mut Update {
        self.updates.entry(set.name_any()).or_insert_with(|| Update {
            set: set.clone(),
            size: None,
            annotations: BTreeMap::new(),
            min_ready: None,
        })
    }

    /// Plans a size; true if that is a change of the size.
    fn resize(&mut self, set: &Arc<ReplicaSet>, size: i32) -> bool {
        let annotations = revision::size_annotations(&self.bounds);
        let changed = sizes::spec_size(set) != size;
        let update = self.update(set);
        update.annotations.extend(annotations);
        update.size = changed.then_some(size);
        changed
    }

    /// Whether the deployment was scaled since its active sets were.
    fn is_scaled(&self) -> bool {
        let active = self.new.iter().chain(&self.old).filter(|set| sizes::spec_size(set) > 0);
        let mut desired = active.filter_map(|set| revision::annotated_number(set, revision::DESIRED_REPLICAS));
        desired.any(|desired| desired != self.bounds.replicas)
    }

    /// Brings the sets to the deployment's size without moving the rollout on.
    fn rescale(&mut self) {
        if let Some(only) = self.only_active() {
            self.resize(&only, self.bounds.replicas);
            return;
        }
        let active = |set: &&Arc<ReplicaSet>| sizes::spec_size(set) > 0;
        if self.new.as_ref().is_some_and(|new| self.is_saturated(new)) {
            let old: Vec<_> = self.old.iter().filter(active).cloned().collect();
            for set in old {
                self.resize(&set, 0);
            }
        } else if self.bounds.rolling {
            let deployed = self.deployment().status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
            let mut sized: Vec<_> = self.new.iter().chain(&self.old).filter(active).cloned().map(Sized::new).collect();
            sizes::rescale(&self.bounds, &mut sized, deployed);
            for Sized { set, size } in sized {
                self.resize(&set, size);
            }
        }
    }

    /// The only set with pods; the newest set if none has any; nothing if several have.
    fn only_active(&self) -> Option<Arc<ReplicaSet>> {
        let mut active = self.new.iter().chain(&self.old).filter(|set| sizes::spec_size(set) > 0);
        match (active.next(), active.next()) {
            (None, _) => self.new.as_ref().or(self.old.last()).cloned(),
            (Some(only), None) => Some(only.clone()),
            (Some(_), Some(_)) => None,
        }
    }

    fn is_saturated(&self, set: &ReplicaSet) -> bool {
        let wanted = self.bounds.replicas;
        revision::annotated_number(set, revision::DESIRED_REPLICAS) == Some(wanted)
            && sizes::spec_size(set) == wanted
            && sizes::available(set) == wanted
    }

    /// One step of a rolling update; true if there is none left.
    fn roll(&mut self) -> bool {
        let old_total: i32 = self.old.iter().map(|set| sizes::spec_size(set)).sum();
        let Some(new) = self.new.clone() else {
            self.create(sizes::new_set(&self.bounds, 0, old_total));
            return false;
        };
        let size = sizes::spec_size(&new);
        let wanted = sizes::new_set(&self.bounds, size, old_total + size);
        if wanted != size {
            self.resize(&new, wanted);
            return false;
        }
        let mut old: Vec<_> = self.old.iter().cloned().map(Sized::new).collect();
        sizes::shrink_old(&self.bounds, &mut old, Some(&Sized::new(new)));
        let changed: Vec<_> = old.into_iter().filter(|old| old.size != sizes::spec_size(&old.set)).collect();
        let settled = changed.is_empty();
        for Sized { set, size } in changed {
            self.resize(&set, size);
        }
        settled
    }

    /// One step of an update that first ends all old pods; true if there is none left.
    fn recreate(&mut self) -> bool {
        let active: Vec<_> = self.old.iter().filter(|set| sizes::spec_size(set) > 0).cloned().collect();
        if !active.is_empty() {
            for set in active {
                self.resize(&set, 0);
            }
            return false;
        }
        if self.old.iter().any(|set| self.observed.busy.contains(set.metadata.uid.as_deref().unwrap_or(""))) {
            return false;
        }
        match self.new.clone() {
            None => {
                self.create(self.bounds.replicas);
                false
            }
            Some(new) => sizes::spec_size(&new) == self.bounds.replicas || !self.resize(&new, self.bounds.replicas),
        }
    }

    fn create(&mut self, size: i32) {
        let number = self.next_revision();
        let set = revision::new_set(self.deployment(), &self.bounds, size, number);
        self.conditions.note_created(self.deployment(), &set.name_any());
        self.set_revision = Some(number.to_string());
        self.create = Some(Box::new(set));
    }

    fn is_complete(&self) -> bool {
        status::is_complete(&self.bounds, &self.status())
    }

    /// Removes the oldest of the sets that nothing uses, beyond those kept for a rollback.
    fn clean_up(&mut self) {
        let Some(limit) = self.deployment().spec.revision_history_limit else { return };
        let mut past: Vec<_> = self.old.iter().filter(|set| !owner::is_deleting(&set.metadata)).collect();
        past.sort_by_key(|set| (revision::of(set), set.creation_timestamp()));
        let surplus = past.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        self.delete = past.into_iter().take(surplus).filter(|set| is_unused(set)).cloned().collect();
    }

    /// Pods asked for in all sets, after the plan.
    fn asked(&self) -> i32 {
        let planned = |set: &Arc<ReplicaSet>| {
            let update = self.updates.get(&set.name_any()).and_then(|update| update.size);
            update.unwrap_or_else(|| sizes::spec_size(set))
        };
        let created = self.create.as_ref().map_or(0, |set| sizes::spec_size(set));
        created + self.new.iter().chain(&self.old).map(planned).sum::<i32>()
    }

    fn sets(&self) -> Sets<'_> {
        Sets { new: self.new.as_ref(), old: &self.old, asked: self.asked() }
    }

    fn status(&self) -> DeploymentStatus {
        status::count(self.deployment(), &self.bounds, self.sets(), self.conditions.clone())
    }

    /// The plan; `rollout` tells whether this is a moment to judge progress.
    fn finish(self, rollout: bool) -> Plan {
        let (deployment, now) = (self.deployment(), self.observed.now);
        let mut status = self.status();
        if rollout {
            status::estimate_progress(deployment, &self.bounds, self.sets(), &mut status, now);
        }
        let look_again = status::deadline_check(deployment, &self.bounds, &status, now);
        let known = deployment.annotations().get(revision::REVISION);
        let set_revision = self.set_revision.filter(|revision| known != Some(revision));
        let updates = self.updates.into_values().filter_map(Update::effective).map(Action::Update);
        let actions = (self.create.map(Action::Create).into_iter())
            .chain(updates)
            .chain(self.delete.into_iter().map(Action::Delete))
            .chain(set_revision.map(Action::SetRevision))
            .collect();
        Plan { actions, status, look_again }
    }
}

impl Update {
    /// Without what the set has already; `None` if nothing is left.
    fn effective(mut self) -> Option<Self> {
        let set = &self.set;
        self.annotations.retain(|key, value| set.annotations().get(key) != Some(value));
        let idle = self.size.is_none() && self.min_ready.is_none() && self.annotations.is_empty();
        (!idle).then_some(self)
    }
}

fn is_unused(set: &ReplicaSet) -> bool {
    let status = set.status.as_ref();
    let observed = status.and_then(|status| status.observed_generation).unwrap_or(0);
    status.is_none_or(|status| status.replicas == 0)
        && sizes::spec_size(set) == 0
        && set.metadata.generation.unwrap_or(0) <= observed
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
