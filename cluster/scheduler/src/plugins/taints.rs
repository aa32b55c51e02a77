//! Taints keep pods away that do not tolerate them; soft ones make a node less liked.

use crate::{
    framework::{
        Changes, FilterPlugin, NodeFilter, NodeScore, PluginError, Prepared, Reason, ScorePlugin, Verdict, stretch,
    },
    model::{NodeInfo, PodInfo, Taint, Toleration},
    snapshot::Snapshot,
};

/// The plugin.
pub(super) struct Taints;

impl FilterPlugin for Taints {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn wakes_on(&self) -> Changes {
        Changes::NODE_ADDED.and(Changes::NODE_TAINTS)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, _: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        Ok(Prepared::Ready(Box::new(Tolerable(pod))))
    }
}

struct Tolerable<'a>(&'a PodInfo);

impl NodeFilter for Tolerable<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        match untolerated(self.0, &node.facts.taints) {
            None => Verdict::Fits,
            Some(taint) => {
                let text = format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value);
                Verdict::NeverFits(vec![Reason::from(text)])
            }
        }
    }
}

/// The first taint that keeps the pod away.
fn untolerated<'a>(pod: &PodInfo, taints: &'a [Taint]) -> Option<&'a Taint> {
    let hard = taints.iter().filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    hard.into_iter().find(|taint| !pod.tolerates(taint))
}

impl ScorePlugin for Taints {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        _: &'a Snapshot,
        nodes: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError> {
        if nodes.iter().all(|node| node.facts.taints.is_empty()) {
            return Ok(None);
        }
        let tolerations = pod.tolerations.iter().filter(|toleration| toleration.concerns_preference()).collect();
        Ok(Some(Box::new(Fewest(tolerations))))
    }
}

/// The fewer soft taints are not tolerated, the better.
struct Fewest<'a>(Vec<&'a Toleration>);

impl NodeScore for Fewest<'_> {
    fn score(&self, node: &NodeInfo) -> i64 {
        let soft = node.facts.taints.iter().filter(|taint| taint.effect == "PreferNoSchedule");
        let bad = soft.filter(|taint| !self.0.iter().any(|toleration| toleration.tolerates(taint)));
        i64::try_from(bad.count()).unwrap_or(i64::MAX)
    }

    fn normalize(&self, scores: &mut [i64]) {
        stretch(scores, true);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{model::NodeFacts, testing};

    fn node(name: &str, taints: Value) -> NodeFacts {
        testing::node_with(name, json!({}), json!({"taints": taints}), json!({}))
    }

    #[test]
    fn hard_taints_keep_away_and_soft_ones_put_off() {
        let snapshot = testing::cluster([
            node("free", json!([])),
            node("hard", json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])),
            node("soft", json!([{"key": "old", "effect": "PreferNoSchedule"}])),
        ]);
        let pod = testing::pending(json!({}));
        let verdicts = testing::filtered(&Taints, &pod, &snapshot);
        assert_eq!(verdicts[1].1, "node(s) had untolerated taint {gpu: yes}");
        assert_eq!(testing::fitting(&Taints, &pod, &snapshot), ["free", "soft"]);
        let scores = testing::scored(&Taints, &pod, &snapshot);
        assert_eq!(scores, [("free".into(), 100), ("hard".into(), 100), ("soft".into(), 0)]);
        let tolerant = testing::pending(json!({"tolerations": [
            {"key": "gpu", "operator": "Exists"}, {"key": "old", "operator": "Exists"}]}));
        assert_eq!(testing::fitting(&Taints, &tolerant, &snapshot).len(), 3);
        assert!(testing::scored(&Taints, &tolerant, &snapshot).iter().all(|(_, score)| *score == 100));
    }
}
