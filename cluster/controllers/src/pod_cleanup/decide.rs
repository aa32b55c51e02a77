//! Which pods go. Pure.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::objects::{owner, pod};

/// Pods bound to nodes that are not there.
pub(super) fn homeless(pods: &[Arc<Pod>], exists: impl Fn(&str) -> bool) -> Vec<Arc<Pod>> {
    let lost = |subject: &&Arc<Pod>| pod::node(subject).is_some_and(|node| !exists(node));
    pods.iter().filter(lost).cloned().collect()
}

/// The oldest finished pods beyond `limit`; evicted ones first, for they tell the least.
pub(super) fn surplus(pods: &[Arc<Pod>], limit: usize) -> Vec<Arc<Pod>> {
    let kept = |subject: &&Arc<Pod>| pod::is_finished(subject) && !owner::is_deleting(&subject.metadata);
    let mut finished: Vec<_> = pods.iter().filter(kept).cloned().collect();
    let surplus = finished.len().saturating_sub(limit);
    if surplus == 0 {
        return Vec::new();
    }
    let evicted =
        |subject: &Pod| subject.status.as_ref().and_then(|status| status.reason.as_deref()) == Some("Evicted");
    finished.sort_by_key(|subject| (!evicted(subject), subject.creation_timestamp(), subject.name_any()));
    finished.truncate(surplus);
    finished
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, node: &str, phase: &str, reason: &str, day: u8) -> Arc<Pod> {
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": name, "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z")},
                "spec": {"containers": [], "nodeName": node}, "status": {"phase": phase, "reason": reason}}))
            .unwrap(),
        )
    }

    fn names(pods: &[Arc<Pod>]) -> Vec<String> {
        pods.iter().map(|pod| pod.name_any()).collect()
    }

    #[test]
    fn pods_of_vanished_nodes_go() {
        let pods =
            [pod("a", "here", "Running", "", 1), pod("b", "gone", "Running", "", 1), pod("c", "", "Pending", "", 1)];
        assert_eq!(names(&homeless(&pods, |node| node == "here")), ["b"]);
    }

    #[test]
    fn the_oldest_finished_pods_go_beyond_the_limit() {
        let pods = [
            pod("young", "n", "Succeeded", "", 3),
            pod("old", "n", "Failed", "", 1),
            pod("evicted", "n", "Failed", "Evicted", 4),
            pod("running", "n", "Running", "", 1),
        ];
        assert_eq!(names(&surplus(&pods, 1)), ["evicted", "old"]);
        assert!(surplus(&pods, 3).is_empty());
    }
}
