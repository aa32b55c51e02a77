//! What one set needs: pods made, pods deleted, its status. Pure.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use super::rank;
use crate::objects::{owner, pod};

/// Pods made or deleted in one go. The next go follows when these are seen.
const BURST: usize = 500;

/// All that the decision rests on.
#[derive(Debug)]
pub(super) struct Observed {
    /// The set.
    pub(super) set: Arc<ReplicaSet>,
    /// Its pods, in every state.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Active pods of the same deployment, by node.
    pub(super) neighbours: HashMap<String, usize>,
    /// Whether pods may be made and deleted now.
    pub(super) may_manage: bool,
    /// The time of day.
    pub(super) now: Timestamp,
}

/// What to do.
#[derive(Debug)]
pub(super) struct Plan {
    /// How many pods to make.
    pub(super) create: usize,
    /// Which pods to delete.
    pub(super) delete: Vec<Arc<Pod>>,
    /// The status as far as pods tell; whether the plan failed is added afterwards.
    pub(super) status: ReplicaSetStatus,
    /// When a ready pod becomes available.
    pub(super) look_again: Option<Duration>,
}

/// Decides.
pub(super) fn decide(observed: &Observed) -> Plan {
    let Observed { set, pods, now, .. } = observed;
    let min_ready = set.spec.min_ready_seconds.unwrap_or(0);
    let mut active: Vec<_> = pods.iter().filter(|pod| pod::is_active(pod)).cloned().collect();
    let status = status(observed, &active, min_ready);
    let look_again = pod::next_available(active.iter().map(|pod| &**pod), min_ready, *now);
    let wanted = wanted(set);
    let mut plan = Plan { create: 0, delete: Vec::new(), status, look_again };
    if !observed.may_manage {
        return plan;
    }
    if active.len() < wanted {
        plan.create = (wanted - active.len()).min(BURST);
    } else if active.len() > wanted {
        rank::sort(&mut active, &observed.neighbours);
        active.truncate((active.len() - wanted).min(BURST));
        plan.delete = active;
    }
    plan
}

/// How many pods are asked for.
pub(super) fn wanted(set: &ReplicaSet) -> usize {
    let replicas = set.spec.replicas.unwrap_or(1);
    usize::try_from(replicas).unwrap_or(0)
}

fn status(observed: &Observed, active: &[Arc<Pod>], min_ready: i32) -> ReplicaSetStatus {
    let Observed { set, pods, now, .. } = observed;
    let template = set.spec.template.as_ref().and_then(|template| template.metadata.as_ref()?.labels.as_ref());
    let fully_labeled =
        |pod: &Pod| template.into_iter().flatten().all(|(key, value)| pod.labels().get(key) == Some(value));
    let count = |test: &dyn Fn(&Pod) -> bool| number(active.iter().filter(|pod| test(pod)).count());
    let terminating = pods.iter().filter(|pod| owner::is_deleting(&pod.metadata) && !pod::is_finished(pod)).count();
    ReplicaSetStatus {
        replicas: number(active.len()),
        fully_labeled_replicas: Some(count(&fully_labeled)),
        ready_replicas: Some(count(&pod::is_ready)),
        available_replicas: Some(count(&|pod| pod::is_available(pod, min_ready, *now))),
        terminating_replicas: Some(number(terminating)),
        observed_generation: set.metadata.generation,
        conditions: set.status.as_ref().and_then(|status| status.conditions.clone()),
    }
}

/// Adds or removes the condition that says why pods could not be made or deleted.
pub(super) fn set_failure(status: &mut ReplicaSetStatus, failure: Option<(&str, String)>, now: Timestamp) {
    const FAILURE: &str = "ReplicaFailure";
    let mut conditions = status.conditions.take().unwrap_or_default();
    let known = conditions.iter().any(|condition| condition.type_.as_deref() == Some(FAILURE));
    match failure {
        Some((reason, message)) if !known => conditions.push(ReplicaSetCondition {
            type_: Some(FAILURE.to_owned()),
            status: Some("True".to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(Time(now)),
        }),
        Some(_) => {}
        None => conditions.retain(|condition| condition.type_.as_deref() != Some(FAILURE)),
    }
    status.conditions = (!conditions.is_empty()).then_some(conditions);
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(replicas: i32, min_ready: i32) -> Arc<ReplicaSet> {
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": "web", "generation": 3},
                "spec": {"replicas": replicas, "minReadySeconds": min_ready,
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": {"metadata": {"labels": {"app": "web", "tier": "front"}}}},
            }))
            .unwrap(),
        )
    }

    fn pod(name: &str, phase: &str, ready_for: Option<i64>, deleting: bool) -> Arc<Pod> {
        let ready = ready_for.map(|seconds| {
            json!([{"type": "Ready", "status": "True",
                "lastTransitionTime": Time(now() - jiff::SignedDuration::from_secs(seconds))}])
        });
        let deletion = deleting.then(|| Time(now()));
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": name, "labels": {"app": "web"}, "deletionTimestamp": deletion},
                "spec": {"containers": [], "nodeName": "n"},
                "status": {"phase": phase, "conditions": ready},
            }))
            .unwrap(),
        )
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn observed(set: Arc<ReplicaSet>, pods: Vec<Arc<Pod>>) -> Observed {
        Observed { set, pods, neighbours: HashMap::new(), may_manage: true, now: now() }
    }

    #[test]
    fn pods_are_made_and_deleted_to_the_number() {
        struct Case {
            name: &'static str,
            replicas: i32,
            pods: Vec<Arc<Pod>>,
            create: usize,
            delete: &'static [&'static str],
        }
        let running = |name| pod(name, "Running", Some(9), false);
        let cases = [
            Case { name: "empty", replicas: 3, pods: vec![], create: 3, delete: &[] },
            Case { name: "enough", replicas: 1, pods: vec![running("a")], create: 0, delete: &[] },
            Case {
                name: "finished and leaving pods do not count",
                replicas: 2,
                pods: vec![running("a"), pod("b", "Failed", None, false), pod("c", "Running", Some(9), true)],
                create: 1,
                delete: &[],
            },
            Case {
                name: "the least useful goes",
                replicas: 1,
                pods: vec![running("a"), pod("b", "Pending", None, false)],
                create: 0,
                delete: &["b"],
            },
            Case { name: "burst", replicas: 2000, pods: vec![], create: 500, delete: &[] },
        ];
        for case in cases {
            let plan = decide(&observed(set(case.replicas, 0), case.pods));
            let deleted: Vec<_> = plan.delete.iter().map(|pod| pod.name_any()).collect();
            assert_eq!((plan.create, &deleted[..]), (case.create, &case.delete.map_owned()[..]), "{}", case.name);
        }
    }

    trait MapOwned {
        fn map_owned(&self) -> Vec<String>;
    }

    impl MapOwned for &[&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|name| (*name).to_owned()).collect()
        }
    }

    #[test]
    fn nothing_is_managed_while_expectations_are_open() {
        let mut observed = observed(set(3, 0), vec![]);
        observed.may_manage = false;
        let plan = decide(&observed);
        assert_eq!((plan.create, plan.delete.len()), (0, 0));
        assert_eq!(plan.status.observed_generation, Some(3));
    }

    #[test]
    fn the_status_counts_ready_and_available() {
        let pods = vec![
            pod("a", "Running", Some(20), false),
            pod("b", "Running", Some(4), false),
            pod("c", "Pending", None, false),
            pod("d", "Running", Some(20), true),
        ];
        let plan = decide(&observed(set(3, 10), pods));
        let status = plan.status;
        assert_eq!(status.replicas, 3);
        assert_eq!(status.ready_replicas, Some(2));
        assert_eq!(status.available_replicas, Some(1));
        assert_eq!(status.fully_labeled_replicas, Some(0), "the tier label is missing");
        assert_eq!(status.terminating_replicas, Some(1));
        assert_eq!(plan.look_again, Some(Duration::from_secs(6)));
    }

    #[test]
    fn a_failure_is_told_once_and_taken_back() {
        let mut status = ReplicaSetStatus::default();
        set_failure(&mut status, Some(("FailedCreate", "first".into())), now());
        set_failure(&mut status, Some(("FailedCreate", "second".into())), now());
        let conditions = status.conditions.clone().unwrap();
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].message.as_deref(), Some("first"));
        set_failure(&mut status, None, now());
        assert_eq!(status.conditions, None);
    }
}
