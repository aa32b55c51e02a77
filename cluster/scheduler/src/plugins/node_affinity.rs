//! What a pod's node must and should be.

use crate::{
    framework::{
        Changes, FilterPlugin, NodeFilter, NodeScore, PluginError, Prepared, Reason, ScorePlugin, Verdict, stretch,
    },
    model::{NodeInfo, PodInfo},
    snapshot::Snapshot,
};

const OTHER_NODES: Reason = Reason::new("node(s) didn't match Pod's node affinity/selector");

/// The plugin.
pub(super) struct NodeAffinity;

impl FilterPlugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn wakes_on(&self) -> Changes {
        Changes::NODE_ADDED.and(Changes::NODE_LABELS)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, _: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        let any = pod.node_selector.is_empty() && pod.required_nodes.is_none();
        Ok(if any { Prepared::Skip } else { Prepared::Ready(Box::new(Allowed(pod))) })
    }
}

struct Allowed<'a>(&'a PodInfo);

impl NodeFilter for Allowed<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        if self.0.allows_node(&node.facts.name, &node.facts.labels) {
            Verdict::Fits
        } else {
            Verdict::never(&OTHER_NODES)
        }
    }
}

impl ScorePlugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        _: &'a Snapshot,
        _: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError> {
        let cares = !pod.preferred_nodes.is_empty();
        Ok(cares.then(|| Box::new(Preferred(pod)) as Box<dyn NodeScore + 'a>))
    }
}

struct Preferred<'a>(&'a PodInfo);

impl NodeScore for Preferred<'_> {
    fn score(&self, node: &NodeInfo) -> i64 {
        let matching = self.0.preferred_nodes.iter();
        matching.filter(|it| it.term.matches(&node.facts.name, &node.facts.labels)).map(|it| it.weight).sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        stretch(scores, false);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn required_filters_and_preferred_scores() {
        let snapshot = testing::cluster([
            testing::node("a", json!({"disk": "ssd", "zone": "1"})),
            testing::node("b", json!({"disk": "ssd", "zone": "2"})),
            testing::node("c", json!({"disk": "hdd", "zone": "1"})),
        ]);
        let expression = |key: &str, value: &str| {
            json!({"matchExpressions": [
            {"key": key, "operator": "In", "values": [value]}]})
        };
        let pod = testing::pending(json!({
            "nodeSelector": {"disk": "ssd"},
            "affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    expression("zone", "1"), expression("zone", "2")]},
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 10, "preference": expression("zone", "2")},
                    {"weight": 5, "preference": expression("disk", "ssd")}]}}}));
        assert_eq!(testing::fitting(&NodeAffinity, &pod, &snapshot), ["a", "b"]);
        let scores = testing::scored(&NodeAffinity, &pod, &snapshot);
        assert_eq!(scores, [("a".into(), 33), ("b".into(), 100), ("c".into(), 0)]);
        assert!(testing::scored(&NodeAffinity, &testing::pending(json!({})), &snapshot).is_empty());
    }
}
