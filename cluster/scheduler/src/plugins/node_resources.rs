//! A node must have what a pod asks for, and should have much left afterwards.

use crate::{
    framework::{
        Changes, FilterPlugin, MAX_SCORE, NodeFilter, NodeScore, PluginError, Prepared, Reason, ScorePlugin, Verdict,
    },
    model::{NodeInfo, PodInfo},
    snapshot::Snapshot,
};

const TOO_MANY_PODS: Reason = Reason::new("Too many pods");
const CPU: Reason = Reason::new("Insufficient cpu");
const MEMORY: Reason = Reason::new("Insufficient memory");
const STORAGE: Reason = Reason::new("Insufficient ephemeral-storage");

/// The plugin.
pub(super) struct NodeResources;

impl FilterPlugin for NodeResources {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn wakes_on(&self) -> Changes {
        Changes::NODE_ADDED.and(Changes::NODE_RESOURCES).and(Changes::POD_LEFT)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, _: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        Ok(Prepared::Ready(Box::new(Enough(pod))))
    }
}

struct Enough<'a>(&'a PodInfo);

impl NodeFilter for Enough<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        let (wanted, has, used) = (&self.0.requests, &node.facts.allocatable, &node.requested);
        // What is not asked for cannot lack, even on a node that is overbooked.
        let lacks = |wanted: i64, has: i64, used: i64| wanted > 0 && wanted > has.saturating_sub(used);
        let cpu = lacks(wanted.milli_cpu, has.milli_cpu, used.milli_cpu);
        let memory = lacks(wanted.memory, has.memory, used.memory);
        let storage = lacks(wanted.ephemeral_storage, has.ephemeral_storage, used.ephemeral_storage);
        let crowded = node.pods.len() >= node.facts.max_pods;
        if !cpu && !memory && !storage && !crowded && wanted.others.is_empty() {
            return Verdict::Fits;
        }
        let mut reasons = Vec::new();
        let mut never = false;
        for (lacking, reason, larger) in [
            (crowded, TOO_MANY_PODS, false),
            (cpu, CPU, wanted.milli_cpu > has.milli_cpu),
            (memory, MEMORY, wanted.memory > has.memory),
            (storage, STORAGE, wanted.ephemeral_storage > has.ephemeral_storage),
        ] {
            if lacking {
                reasons.push(reason);
                // A pod larger than the empty node never fits.
                never |= larger;
            }
        }
        for (name, amount) in &wanted.others {
            let has = has.other(name);
            if lacks(*amount, has, used.other(name)) {
                reasons.push(Reason::from(format!("Insufficient {name}")));
                never |= *amount > has;
            }
        }
        match (reasons.is_empty(), never) {
            (true, _) => Verdict::Fits,
            (false, true) => Verdict::NeverFits(reasons),
            (false, false) => Verdict::Rejected(reasons),
        }
    }
}

impl ScorePlugin for NodeResources {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        _: &'a Snapshot,
        _: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError> {
        Ok(Some(Box::new(MostLeft(pod))))
    }
}

struct MostLeft<'a>(&'a PodInfo);

impl NodeScore for MostLeft<'_> {
    fn score(&self, node: &NodeInfo) -> i64 {
        let (has, used, wanted) = (&node.facts.allocatable, &node.assumed, &self.0.assumed);
        let left = |has: i64, used: i64| if has <= 0 || used > has { 0 } else { (has - used) * MAX_SCORE / has };
        let cpu = left(has.milli_cpu, used.milli_cpu + wanted.milli_cpu);
        let memory = left(has.memory, used.memory + wanted.memory);
        i64::midpoint(cpu, memory)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing;

    fn asking(requests: Value) -> PodInfo {
        testing::pending(json!({"containers": [{"name": "c", "resources": {"requests": requests}}]}))
    }

    #[test]
    fn what_lacks_is_named() {
        let small = json!({"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "1", "x/gpu": "1"}});
        let mut snapshot = testing::cluster([testing::node_with("n", json!({}), json!({}), small)]);
        let why = |pod: &PodInfo, snapshot: &Snapshot| testing::filtered(&NodeResources, pod, snapshot)[0].1.clone();
        assert_eq!(why(&asking(json!({"cpu": "1", "memory": "1Gi", "x/gpu": "1"})), &snapshot), "");
        assert_eq!(why(&asking(json!({"cpu": "1100m"})), &snapshot), "Insufficient cpu");
        assert_eq!(
            why(&asking(json!({"cpu": "2", "memory": "2Gi"})), &snapshot),
            "Insufficient cpu, Insufficient memory"
        );
        assert_eq!(why(&asking(json!({"x/gpu": "2"})), &snapshot), "Insufficient x/gpu");
        testing::place(
            &mut snapshot,
            "n",
            testing::labelled(
                "q",
                json!({}),
                json!({"containers": [
            {"name": "c", "resources": {"requests": {"cpu": "600m"}}}]}),
            ),
        );
        assert_eq!(why(&asking(json!({"cpu": "600m"})), &snapshot), "Too many pods, Insufficient cpu");
    }

    #[test]
    fn a_pod_larger_than_the_node_never_fits() {
        let snapshot = testing::cluster([testing::node("n", json!({}))]);
        let verdict = |requests: Value| {
            let pod = asking(requests);
            let Prepared::Ready(filter) = FilterPlugin::prepare(&NodeResources, &pod, &snapshot).unwrap() else {
                panic!()
            };
            filter.check(snapshot.nodes.iter().next().unwrap())
        };
        assert!(matches!(verdict(json!({"memory": "1Ti"})), Verdict::NeverFits(_)));
    }

    #[test]
    fn the_emptier_node_scores_more() {
        let mut snapshot = testing::cluster([testing::node("a", json!({})), testing::node("b", json!({}))]);
        testing::place(
            &mut snapshot,
            "a",
            testing::labelled(
                "q",
                json!({}),
                json!({"containers": [
            {"name": "c", "resources": {"requests": {"cpu": "2", "memory": "4Gi"}}}]}),
            ),
        );
        let scores = testing::scored(&NodeResources, &asking(json!({"cpu": "1", "memory": "2Gi"})), &snapshot);
        assert_eq!(scores, [("a".into(), 25), ("b".into(), 75)]);
    }
}
