//! What one set needs: a pod on each fit node, none elsewhere, old ones replaced. Pure.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, DaemonSetStatus},
        core::v1::{Node, Pod, PodSpec, PodTemplateSpec},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;

use super::fit;
use crate::objects::{
    owner,
    percent::{Round, resolve},
    pod, template,
};

/// Names the template that a pod was made from.
pub(super) const HASH: &str = "controller-revision-hash";

/// All that the decision rests on.
pub(super) struct Observed<'a> {
    pub(super) set: &'a DaemonSet,
    /// Its pods, in every state.
    pub(super) pods: &'a [Arc<Pod>],
    pub(super) nodes: &'a [Arc<Node>],
    /// Whether pods may be made and deleted now.
    pub(super) may_manage: bool,
    pub(super) now: Timestamp,
}

/// What to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The nodes that get a pod.
    pub(super) create: Vec<String>,
    pub(super) delete: Vec<Arc<Pod>>,
    pub(super) status: DaemonSetStatus,
    pub(super) hash: String,
    pub(super) look_again: Option<Duration>,
}

/// What is true of one node.
struct Place {
    should_run: bool,
    pods: Vec<Arc<Pod>>,
}

/// Names a template.
pub(super) fn hash(template: &PodTemplateSpec) -> String {
    let bytes = serde_json::to_vec(template).unwrap_or_default();
    template::safe_hash(template::fnv1a(&bytes))
}

/// The node that a pod is on, or is meant for.
fn node_of(subject: &Pod) -> Option<&str> {
    pod::node(subject).or_else(|| fit::pinned(subject.spec.as_ref()?))
}

/// Decides.
pub(super) fn decide(observed: &Observed<'_>) -> Plan {
    let spec = &observed.set.spec;
    let min_ready = spec.min_ready_seconds.unwrap_or(0);
    let mut plan = Plan { hash: hash(&spec.template), ..Plan::default() };
    let mut wanted = spec.template.spec.clone().unwrap_or_default();
    fit::harden(&mut wanted);
    let places = places(observed, &wanted, &mut plan);
    for (node, place) in &places {
        settle(node, place, &mut plan);
    }
    roll(observed, &places, min_ready, &mut plan);
    status(observed, &places, min_ready, &mut plan);
    plan.look_again = pod::next_available(observed.pods.iter().map(|pod| &**pod), min_ready, observed.now);
    if !observed.may_manage {
        plan.create.clear();
        plan.delete.clear();
    }
    plan
}

/// Every node, with the pods that are on it. Pods that may not stay where they are go.
fn places(observed: &Observed<'_>, wanted: &PodSpec, plan: &mut Plan) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    let mut expelled = Vec::new();
    for node in observed.nodes {
        let fit = fit::fit(wanted, node);
        places.insert(node.name_any(), Place { should_run: fit.should_run, pods: Vec::new() });
        if !fit.may_stay {
            expelled.push(node.name_any());
        }
    }
    for pod in observed.pods {
        let place = node_of(pod).and_then(|node| places.get_mut(node).map(|place| (node, place)));
        match place {
            Some((node, place)) => {
                if expelled.iter().any(|expelled| expelled == node) && !owner::is_deleting(&pod.metadata) {
                    plan.delete.push(pod.clone());
                }
                place.pods.push(pod.clone());
            }
            // Its node is gone.
            None if !owner::is_deleting(&pod.metadata) => plan.delete.push(pod.clone()),
            None => {}
        }
    }
    places
}

/// One pod, and no second one; what has ended is made anew.
fn settle(node: &str, place: &Place, plan: &mut Plan) {
    if !place.should_run {
        return;
    }
    let mut alive: Vec<&Arc<Pod>> = place.pods.iter().filter(|pod| pod::is_active(pod)).collect();
    alive.sort_by_key(|pod| (!pod::is_ready(pod), pod.creation_timestamp().map(|time| time.0), pod.name_any()));
    let ended = place.pods.iter().filter(|pod| pod::is_finished(pod) && !owner::is_deleting(&pod.metadata));
    plan.delete.extend(ended.cloned());
    plan.delete.extend(alive.iter().skip(1).map(|pod| (*pod).clone()));
    // The node takes the next one when the last has left.
    if place.pods.is_empty() {
        plan.create.push(node.to_owned());
    }
}

/// Deletes pods of an older template, as many at once as may be missing.
fn roll(observed: &Observed<'_>, places: &BTreeMap<String, Place>, min_ready: i32, plan: &mut Plan) {
    let strategy = observed.set.spec.update_strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
        return;
    }
    let wanted: Vec<&Place> = places.values().filter(|place| place.should_run).collect();
    let total = i32::try_from(wanted.len()).unwrap_or(i32::MAX);
    let most = strategy
        .and_then(|strategy| strategy.rolling_update.as_ref()?.max_unavailable.clone())
        .unwrap_or(IntOrString::Int(1));
    let most = usize::try_from(resolve(&most, total, Round::Up)).unwrap_or(0).max(1);
    let up = |place: &Place| {
        place.pods.iter().any(|pod| pod::is_active(pod) && pod::is_available(pod, min_ready, observed.now))
    };
    let mut missing = wanted.iter().filter(|place| !up(place)).count();
    for place in wanted {
        for old in place.pods.iter().filter(|pod| pod::is_active(pod) && !is_current(pod, &plan.hash)) {
            // One that does not serve anyway costs nothing.
            let serves = pod::is_available(old, min_ready, observed.now);
            if serves && missing >= most {
                continue;
            }
            missing += usize::from(serves);
            if !plan.delete.iter().any(|pod| pod.metadata.uid == old.metadata.uid) {
                plan.delete.push(old.clone());
            }
        }
    }
}

fn is_current(pod: &Pod, hash: &str) -> bool {
    pod.labels().get(HASH).is_some_and(|own| own == hash)
}

fn status(observed: &Observed<'_>, places: &BTreeMap<String, Place>, min_ready: i32, plan: &mut Plan) {
    let known = observed.set.status.clone().unwrap_or_default();
    let mut status = DaemonSetStatus {
        observed_generation: observed.set.metadata.generation,
        collision_count: known.collision_count,
        conditions: known.conditions,
        ..DaemonSetStatus::default()
    };
    let (mut updated, mut available) = (0, 0);
    for place in places.values() {
        let best = place.pods.iter().filter(|pod| pod::is_active(pod)).max_by_key(|pod| pod::is_ready(pod));
        match (place.should_run, best) {
            (false, Some(_)) => status.number_misscheduled += 1,
            (false, None) => {}
            (true, best) => {
                status.desired_number_scheduled += 1;
                let Some(pod) = best else { continue };
                status.current_number_scheduled += 1;
                status.number_ready += i32::from(pod::is_ready(pod));
                available += i32::from(pod::is_available(pod, min_ready, observed.now));
                updated += i32::from(is_current(pod, &plan.hash));
            }
        }
    }
    let some = |count: i32| (count != 0).then_some(count);
    status.updated_number_scheduled = some(updated);
    status.number_available = some(available);
    status.number_unavailable = some(status.desired_number_scheduled - available);
    plan.status = status;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn set(image: &str, strategy: Value) -> DaemonSet {
        serde_json::from_value(json!({
            "metadata": {"name": "d", "generation": 2},
            "spec": {"selector": {}, "updateStrategy": strategy,
                "template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
        }))
        .unwrap()
    }

    fn node(name: &str) -> Arc<Node> {
        Arc::new(serde_json::from_value(json!({"metadata": {"name": name}, "spec": {}})).unwrap())
    }

    fn pod(name: &str, node: &str, hash: &str, phase: &str, ready: bool) -> Arc<Pod> {
        let ready = if ready { "True" } else { "False" };
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": name, "uid": name, "labels": {HASH: hash}},
                "spec": {"containers": [], "nodeName": node},
                "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
            }))
            .unwrap(),
        )
    }

    fn plan(set: &DaemonSet, pods: &[Arc<Pod>], nodes: &[&str]) -> Plan {
        let nodes: Vec<_> = nodes.iter().map(|name| node(name)).collect();
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        decide(&Observed { set, pods, nodes: &nodes, may_manage: true, now })
    }

    fn names(pods: &[Arc<Pod>]) -> Vec<String> {
        pods.iter().map(|pod| pod.name_any()).collect()
    }

    #[test]
    fn one_pod_a_node() {
        let set = set("a", json!({"type": "RollingUpdate"}));
        let own = hash(&set.spec.template);
        let pods = [
            pod("a", "n1", &own, "Running", true),
            pod("b", "n1", &own, "Running", false),
            pod("c", "n2", &own, "Failed", false),
            pod("d", "gone", &own, "Running", true),
        ];
        let plan = plan(&set, &pods, &["n1", "n2", "n3"]);
        assert_eq!(plan.create, ["n3"]);
        assert_eq!(names(&plan.delete), ["d", "b", "c"]);
        let status = plan.status;
        assert_eq!((status.desired_number_scheduled, status.current_number_scheduled, status.number_ready), (3, 1, 1));
        assert_eq!((status.updated_number_scheduled, status.number_unavailable), (Some(1), Some(2)));
    }

    #[test]
    fn old_pods_go_one_by_one() {
        let pods = [pod("a", "n1", "old", "Running", true), pod("b", "n2", "old", "Running", true)];
        let rolling = set("a", json!({"type": "RollingUpdate"}));
        assert_eq!(names(&plan(&rolling, &pods, &["n1", "n2"]).delete), ["a"]);
        let two = set("a", json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}));
        assert_eq!(plan(&two, &pods, &["n1", "n2"]).delete.len(), 2);
        let broken = [pod("a", "n1", "old", "Running", true), pod("b", "n2", "old", "Running", false)];
        assert_eq!(names(&plan(&rolling, &broken, &["n1", "n2"]).delete), ["b"]);
        let by_hand = set("a", json!({"type": "OnDelete"}));
        assert!(plan(&by_hand, &pods, &["n1", "n2"]).delete.is_empty());
    }
}
