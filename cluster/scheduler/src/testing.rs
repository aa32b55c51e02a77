//! Pods, nodes and clusters for tests.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    framework::{FilterPlugin, Prepared, ScorePlugin, Verdict},
    model::{NodeFacts, PodInfo},
    snapshot::Snapshot,
};

/// A node with labels, 4 cores, 8 GiB and room for 110 pods.
pub(crate) fn node(name: &str, labels: Value) -> NodeFacts {
    node_with(name, labels, json!({}), json!({}))
}

/// The same with a spec and a status of its own.
pub(crate) fn node_with(name: &str, labels: Value, spec: Value, status: Value) -> NodeFacts {
    let mut node = json!({
        "metadata": {"name": name, "labels": labels}, "spec": spec,
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
    });
    for (key, value) in status.as_object().unwrap() {
        node["status"][key] = value.clone();
    }
    NodeFacts::of(&serde_json::from_value(node).unwrap())
}

/// A pod.
pub(crate) fn pod(value: Value) -> PodInfo {
    PodInfo::of(&serde_json::from_value(value).unwrap())
}

/// A pod `p` in `ns` with this spec, and a container if it has none.
pub(crate) fn pending(spec: Value) -> PodInfo {
    labelled("p", json!({"app": "web"}), spec)
}

/// The same under another name and labels.
pub(crate) fn labelled(name: &str, labels: Value, mut spec: Value) -> PodInfo {
    if spec["containers"].is_null() {
        spec["containers"] = json!([{"name": "c"}]);
    }
    pod(json!({"metadata": {"name": name, "namespace": "ns", "labels": labels}, "spec": spec}))
}

/// A cluster of these nodes.
pub(crate) fn cluster(nodes: impl IntoIterator<Item = NodeFacts>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for node in nodes {
        snapshot.set_node(node);
    }
    snapshot
}

/// Puts a pod on a node.
pub(crate) fn place(snapshot: &mut Snapshot, node: &str, mut pod: PodInfo) {
    pod.node = Some(node.into());
    snapshot.place(Arc::new(pod));
}

/// What a filter says of each node, by name; the empty text means that the pod fits.
pub(crate) fn filtered(plugin: &dyn FilterPlugin, pod: &PodInfo, snapshot: &Snapshot) -> Vec<(String, String)> {
    let text = |verdict: Verdict| match verdict {
        Verdict::Fits => String::new(),
        Verdict::Rejected(reasons) | Verdict::NeverFits(reasons) => {
            reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
    };
    let mut verdicts: Vec<_> = match plugin.prepare(pod, snapshot).unwrap() {
        Prepared::Skip => snapshot.nodes.iter().map(|node| (node.facts.name.to_string(), String::new())).collect(),
        Prepared::Ready(filter) => {
            snapshot.nodes.iter().map(|node| (node.facts.name.to_string(), text(filter.check(node)))).collect()
        }
        Prepared::Reject(reason) => vec![("all".to_owned(), reason.to_string())],
    };
    verdicts.sort();
    verdicts
}

/// What a scorer gives each node after normalizing, by name; nothing if it does not care.
pub(crate) fn scored(plugin: &dyn ScorePlugin, pod: &PodInfo, snapshot: &Snapshot) -> Vec<(String, i64)> {
    let mut nodes: Vec<_> = snapshot.nodes.iter().collect();
    nodes.sort_by_key(|node| node.facts.name.clone());
    let Some(scorer) = plugin.prepare(pod, snapshot, &nodes).unwrap() else { return Vec::new() };
    let mut scores: Vec<_> = nodes.iter().map(|node| scorer.score(node)).collect();
    scorer.normalize(&mut scores);
    nodes.iter().map(|node| node.facts.name.to_string()).zip(scores).collect()
}

/// The names of the nodes that fit.
pub(crate) fn fitting(plugin: &dyn FilterPlugin, pod: &PodInfo, snapshot: &Snapshot) -> Vec<String> {
    filtered(plugin, pod, snapshot).into_iter().filter(|(_, why)| why.is_empty()).map(|(name, _)| name).collect()
}
