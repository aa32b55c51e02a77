//! A node should be used evenly: one that is out of memory with half its cores idle wastes them.

use crate::{
    framework::{MAX_SCORE, NodeScore, PluginError, ScorePlugin},
    model::{NodeInfo, PodInfo},
    snapshot::Snapshot,
};

/// The plugin.
pub(super) struct BalancedAllocation;

impl ScorePlugin for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        _: &'a Snapshot,
        _: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError> {
        // A pod that asks for nothing tips no balance.
        let cares = pod.requests.milli_cpu > 0 || pod.requests.memory > 0;
        Ok(cares.then(|| Box::new(Even(pod)) as Box<dyn NodeScore + 'a>))
    }
}

struct Even<'a>(&'a PodInfo);

impl NodeScore for Even<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "the value lies between 0 and 100")]
    fn score(&self, node: &NodeInfo) -> i64 {
        let (has, used, wanted) = (&node.facts.allocatable, &node.requested, &self.0.requests);
        let part = |has: i64, used: i64| if has <= 0 { None } else { Some((used as f64 / has as f64).min(1.0)) };
        let cpu = part(has.milli_cpu, used.milli_cpu + wanted.milli_cpu);
        let memory = part(has.memory, used.memory + wanted.memory);
        let (Some(cpu), Some(memory)) = (cpu, memory) else { return MAX_SCORE };
        // The standard deviation of two numbers is half their distance.
        let deviation = (cpu - memory).abs() / 2.0;
        ((1.0 - deviation) * MAX_SCORE as f64) as i64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn the_evenly_used_node_scores_more() {
        let mut snapshot = testing::cluster([testing::node("a", json!({})), testing::node("b", json!({}))]);
        testing::place(
            &mut snapshot,
            "a",
            testing::labelled(
                "q",
                json!({}),
                json!({"containers": [
            {"name": "c", "resources": {"requests": {"cpu": "2"}}}]}),
            ),
        );
        let pod = testing::pending(json!({"containers": [
            {"name": "c", "resources": {"requests": {"cpu": "1", "memory": "2Gi"}}}]}));
        let scores = testing::scored(&BalancedAllocation, &pod, &snapshot);
        assert_eq!(scores, [("a".into(), 75), ("b".into(), 100)]);
        assert!(testing::scored(&BalancedAllocation, &testing::pending(json!({})), &snapshot).is_empty());
    }
}
