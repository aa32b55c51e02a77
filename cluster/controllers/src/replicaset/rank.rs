//! Which pods go first when there are too many.
//!
//! Those that do the least: not bound, then pending, then not ready. Among equals those that cost
//! less to lose by their own annotation, those with more of their like on the same node, those
//! ready for a shorter time, those that restarted more often, and the youngest.

use std::{
    cmp::{Ordering, Reverse},
    collections::HashMap,
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::objects::pod;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What is compared, in order; the smaller goes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    bound: bool,
    phase: u8,
    ready: bool,
    cost: i32,
    neighbours: Reverse<usize>,
    ready_since: Reverse<Option<Timestamp>>,
    restarts: Reverse<i32>,
    created: Reverse<Option<Timestamp>>,
}

/// Orders pods so that the first are the ones to delete.
pub(super) fn sort(pods: &mut [Arc<Pod>], neighbours: &HashMap<String, usize>) {
    pods.sort_by_cached_key(|pod| Ranked { worth: worth(pod, neighbours), name: pod.name_any() });
}

/// The name breaks ties, so that two readers of one state decide alike.
#[derive(PartialEq, Eq)]
struct Ranked {
    worth: Worth,
    name: String,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.worth.cmp(&other.worth).then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn worth(subject: &Pod, neighbours: &HashMap<String, usize>) -> Worth {
    let node = pod::node(subject);
    let ready = pod::is_ready(subject);
    Worth {
        bound: node.is_some(),
        phase: match pod::phase(subject) {
            "Pending" => 0,
            "Running" => 2,
            _ => 1,
        },
        ready,
        cost: subject.annotations().get(DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0),
        neighbours: Reverse(node.and_then(|node| neighbours.get(node)).copied().unwrap_or(0)),
        ready_since: Reverse(pod::ready_since(subject).filter(|_| ready)),
        restarts: Reverse(pod::restarts(subject)),
        created: Reverse(subject.creation_timestamp().map(|time| time.0)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, extra: Value) -> Arc<Pod> {
        let mut value = json!({
            "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [], "nodeName": "n1"},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:01:00Z"}]},
        });
        merge(&mut value, extra);
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn merge(into: &mut Value, from: Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (key, value) in from {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from,
        }
    }

    #[test]
    fn the_least_useful_goes_first() {
        let not_ready = json!([{"type": "Ready", "status": "False"}]);
        let late = json!([{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:02:00Z"}]);
        let mut pods = vec![
            pod("plain", json!({})),
            pod("young", json!({"metadata": {"creationTimestamp": "2026-01-02T00:00:00Z"}})),
            pod(
                "restarted",
                json!({"status": {"containerStatuses": [
                {"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 3}]}}),
            ),
            pod("late", json!({"status": {"conditions": late}})),
            pod("crowded", json!({"spec": {"nodeName": "n2"}})),
            pod("cheap", json!({"metadata": {"annotations": {DELETION_COST: "-5"}}})),
            pod("unready", json!({"status": {"conditions": not_ready}})),
            pod("pending", json!({"status": {"phase": "Pending"}})),
            pod("unbound", json!({"spec": {"nodeName": null}})),
        ];
        pods.rotate_left(4);
        sort(&mut pods, &[("n1".to_owned(), 1), ("n2".to_owned(), 2)].into());
        let order: Vec<_> = pods.iter().map(|pod| pod.name_any()).collect();
        let want = ["unbound", "pending", "unready", "cheap", "crowded", "late", "restarted", "young", "plain"];
        assert_eq!(order, want);
    }
}
