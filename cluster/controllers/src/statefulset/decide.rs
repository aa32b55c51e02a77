//! What one set needs next. Pure.
//!
//! By default pods are made in order, each after its predecessors are available, and removed in
//! reverse order; then every step waits for the one before it, and a decision holds one step. The
//! `Parallel` policy takes all steps at once.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, StatefulSet, StatefulSetStatus},
        core::v1::{PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::ResourceExt;

use super::{
    claims, identity,
    revision::{self, Revisions},
    status::{self, is_available, is_running_and_ready},
};
use crate::objects::{
    owner,
    percent::{self, Round},
    pod,
};

/// All that the decision rests on.
pub(super) struct Observed<'a> {
    /// The set.
    pub(super) set: &'a Arc<StatefulSet>,
    /// Its pods.
    pub(super) pods: &'a [Arc<Pod>],
    /// Its templates.
    pub(super) revisions: &'a Revisions,
    /// Looks a claim of the set's namespace up.
    pub(super) claim_of: &'a (dyn Fn(&str) -> Option<Arc<PersistentVolumeClaim>> + Sync),
    /// The time of day.
    pub(super) now: Timestamp,
}

/// One write.
#[derive(Debug)]
pub(super) enum Action {
    /// Make a claim for the pod of this name.
    CreateClaim(Box<PersistentVolumeClaim>, String),
    /// Give a claim these owners.
    SetOwners(Arc<PersistentVolumeClaim>, Vec<OwnerReference>),
    /// Make a pod; its claims come before.
    CreatePod(Box<Pod>),
    /// Give a pod back the labels of its identity.
    Relabel(Arc<Pod>, i32),
    /// Remove a pod.
    DeletePod(Arc<Pod>),
    /// Remove a template that nothing uses.
    DeleteRevision(Arc<ControllerRevision>),
}

/// What to do.
#[derive(Debug)]
pub(super) struct Plan {
    /// Writes, in order.
    pub(super) actions: Vec<Action>,
    /// The status.
    pub(super) status: StatefulSetStatus,
    /// When a ready pod becomes available.
    pub(super) look_again: Option<Duration>,
}

/// Decides.
pub(super) fn decide(observed: &Observed<'_>) -> Plan {
    let Observed { set, pods, revisions, now, .. } = *observed;
    let seconds = set.spec.min_ready_seconds.unwrap_or(0);
    let mut plan = Plan {
        actions: Vec::new(),
        status: status::status(set, pods, revisions, now),
        look_again: pod::next_available(pods.iter().map(|pod| &**pod), seconds, now),
    };
    if owner::is_deleting(&set.metadata) {
        return plan;
    }
    let mut draft = Draft::new(observed);
    let _ = draft.establish() && draft.condemn() && draft.update();
    draft.truncate_history();
    plan.actions = draft.actions;
    plan
}

struct Draft<'a> {
    observed: &'a Observed<'a>,
    ordered: bool,
    /// The wanted ordinals, each with its pod if there is one.
    replicas: Vec<(i32, Option<Arc<Pod>>)>,
    /// Pods beyond the wanted ordinals, the highest first.
    condemned: Vec<(i32, Arc<Pod>)>,
    actions: Vec<Action>,
}

impl<'a> Draft<'a> {
    fn new(observed: &'a Observed<'a>) -> Self {
        let set = observed.set;
        let wanted = identity::wanted(set);
        let numbered = || {
            let with_ordinal = |pod: &Arc<Pod>| Some((identity::ordinal(set, &pod.name_any())?, pod.clone()));
            observed.pods.iter().filter_map(with_ordinal)
        };
        let pod_of = |ordinal| numbered().find(|(number, _)| *number == ordinal).map(|(_, pod)| pod);
        let mut condemned: Vec<_> = numbered().filter(|(ordinal, _)| !wanted.contains(ordinal)).collect();
        condemned.sort_by_key(|(ordinal, _)| -ordinal);
        Self {
            observed,
            ordered: set.spec.pod_management_policy.as_deref() != Some("Parallel"),
            replicas: wanted.map(|ordinal| (ordinal, pod_of(ordinal))).collect(),
            condemned,
            actions: Vec::new(),
        }
    }

    fn set(&self) -> &'a StatefulSet {
        self.observed.set
    }

    fn is_available(&self, pod: &Pod) -> bool {
        is_available(self.set(), pod, self.observed.now)
    }

    fn is_unavailable(&self, pod: &Pod) -> bool {
        !self.is_available(pod) || owner::is_deleting(&pod.metadata)
    }

    /// Makes what is missing and mends what is wrong among the wanted pods; true if there is
    /// nothing to wait for.
    fn establish(&mut self) -> bool {
        for (ordinal, replica) in self.replicas.clone() {
            let blocked = match replica {
                None => self.create(ordinal),
                Some(replica) => self.mend(ordinal, &replica),
            };
            if blocked && self.ordered {
                return false;
            }
        }
        true
    }

    /// Plans a pod and its claims; true, for the next must wait for it.
    fn create(&mut self, ordinal: i32) -> bool {
        if !self.complete_claims(ordinal, None) {
            return true;
        }
        let chosen =
            if self.is_kept_back(ordinal) { &self.observed.revisions.current } else { &self.observed.revisions.update };
        let made = identity::pod(self.set(), &chosen.template, &chosen.name, ordinal);
        self.actions.push(Action::CreatePod(Box::new(made)));
        true
    }

    /// Whether a new pod of this ordinal still gets the template from before the update.
    fn is_kept_back(&self, ordinal: i32) -> bool {
        if !status::is_rolling(self.set()) {
            return false;
        }
        ordinal < identity::wanted(self.set()).start.saturating_add(self.partition())
    }

    fn partition(&self) -> i32 {
        let strategy = self.set().spec.update_strategy.as_ref();
        strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition).unwrap_or(0)
    }

    /// True if the next pod must wait for this one.
    fn mend(&mut self, ordinal: i32, replica: &Arc<Pod>) -> bool {
        let leaving = owner::is_deleting(&replica.metadata);
        if pod::is_finished(replica) {
            if !leaving {
                self.actions.push(Action::DeletePod(replica.clone()));
            }
            return true;
        }
        if leaving {
            return true;
        }
        // A pod may wait for a claim that somebody deleted, so claims are completed before readiness
        // is asked for.
        self.complete_claims(ordinal, Some(replica));
        let labels = identity::labels(self.set(), ordinal);
        if labels.iter().any(|(key, value)| replica.labels().get(key) != Some(value)) {
            self.actions.push(Action::Relabel(replica.clone(), ordinal));
        }
        !self.is_available(replica)
    }

    /// Plans the claims that an ordinal lacks and the owners that they should have; false if one is
    /// on its way out and must be gone first.
    fn complete_claims(&mut self, ordinal: i32, replica: Option<&Pod>) -> bool {
        let set = self.set();
        for template in identity::claim_templates(set) {
            let Some(claim) = (self.observed.claim_of)(&identity::claim_name(set, template, ordinal)) else {
                let claim = claims::new(set, template, ordinal);
                self.actions.push(Action::CreateClaim(Box::new(claim), identity::pod_name(set, ordinal)));
                continue;
            };
            if replica.is_none() && owner::is_deleting(&claim.metadata) {
                return false;
            }
            self.fix_owners(&claim, replica, false);
        }
        true
    }

    fn fix_owners(&mut self, claim: &Arc<PersistentVolumeClaim>, replica: Option<&Pod>, surplus: bool) {
        if let Some(owners) = claims::owners_to_fix(self.set(), claim, replica, surplus) {
            self.actions.push(Action::SetOwners(claim.clone(), owners));
        }
    }

    /// Removes pods beyond the wanted ones; true if there is nothing to wait for.
    fn condemn(&mut self) -> bool {
        let set = self.set();
        for (ordinal, condemned) in self.condemned.clone() {
            for template in identity::claim_templates(set) {
                if let Some(claim) = (self.observed.claim_of)(&identity::claim_name(set, template, ordinal)) {
                    self.fix_owners(&claim, Some(&condemned), true);
                }
            }
        }
        let unhealthy = self.first_unhealthy();
        for (_, condemned) in self.condemned.clone() {
            if owner::is_deleting(&condemned.metadata) {
                if self.ordered {
                    return false;
                }
                continue;
            }
            // Removing a healthy pod while another ails would leave the set with even fewer.
            let ails = !is_running_and_ready(&condemned) || !self.is_available(&condemned);
            if self.ordered && ails && unhealthy.as_ref() != Some(&condemned.name_any()) {
                return false;
            }
            self.actions.push(Action::DeletePod(condemned));
            if self.ordered {
                return false;
            }
        }
        true
    }

    fn first_unhealthy(&self) -> Option<String> {
        let replicas = self.replicas.iter().filter_map(|(_, replica)| replica.as_ref());
        let condemned = self.condemned.iter().rev().map(|(_, condemned)| condemned);
        replicas.chain(condemned).find(|pod| self.is_unavailable(pod)).map(|pod| pod.name_any())
    }

    /// Removes pods of an old template, the highest first, so that they are made anew.
    fn update(&mut self) -> bool {
        if !status::is_rolling(self.set()) {
            return true;
        }
        let limit = self.max_unavailable();
        let start = identity::wanted(self.set()).start.saturating_add(self.partition());
        let unavailable =
            self.replicas.iter().filter(|(_, pod)| pod.as_ref().is_none_or(|pod| self.is_unavailable(pod))).count();
        let mut budget = limit.saturating_sub(unavailable);
        for (ordinal, replica) in self.replicas.clone().into_iter().rev() {
            let Some(replica) = replica.filter(|_| ordinal >= start) else { continue };
            let outdated = identity::revision(&replica) != self.observed.revisions.update.name;
            let unavailable = self.is_unavailable(&replica);
            if outdated && !owner::is_deleting(&replica.metadata) {
                // One that serves nobody costs nothing to replace.
                if !unavailable && budget == 0 {
                    return false;
                }
                budget -= usize::from(!unavailable);
                self.actions.push(Action::DeletePod(replica));
                if limit == 1 {
                    return false;
                }
            } else if unavailable && limit == 1 {
                return false;
            }
        }
        true
    }

    fn max_unavailable(&self) -> usize {
        let strategy = self.set().spec.update_strategy.as_ref();
        let given = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.max_unavailable.as_ref());
        let total = self.set().spec.replicas.unwrap_or(1);
        let resolved = given.map_or(1, |given| percent::resolve(given, total, Round::Down));
        usize::try_from(resolved.max(1)).unwrap_or(1)
    }

    fn truncate_history(&mut self) {
        let used = |name: &str| self.observed.pods.iter().any(|pod| identity::revision(pod) == name);
        let limit = self.set().spec.revision_history_limit;
        let surplus = revision::surplus(self.observed.revisions, limit, used);
        let surplus: Vec<_> = surplus.cloned().map(Action::DeleteRevision).collect();
        self.actions.extend(surplus);
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
