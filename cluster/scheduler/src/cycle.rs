//! One scheduling cycle: from a pod and the cluster to a node.
//!
//! ```text
//! prepare filters -> filter nodes until enough fit -> prepare scorers -> score -> the best
//! ```
//!
//! In a large cluster not every node is looked at: the search stops once enough nodes fit, and the
//! next pod's search goes on where this one stopped, so that all nodes get their turn.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    diagnosis::Diagnosis,
    framework::{Changes, FilterPlugin, NodeFilter, PluginError, Prepared, ScorePlugin},
    model::{NodeId, NodeInfo, PodInfo},
    plugins,
    snapshot::Snapshot,
};

/// With fewer nodes than this all are looked at.
const LOOK_AT_ALL: usize = 100;
/// The least part of the nodes that must fit before the search stops, in percent.
const LEAST_PERCENT: usize = 5;

/// Why a cycle found no node.
#[derive(Debug)]
pub enum Failure {
    /// The pod fits nowhere.
    Unschedulable(Box<Diagnosis>),
    /// A plugin failed.
    Plugin(PluginError),
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self::Plugin(error)
    }
}

/// The plugins, and where the next search begins.
pub struct Cycler {
    filters: Vec<Box<dyn FilterPlugin>>,
    scorers: Vec<(i64, Box<dyn ScorePlugin>)>,
    start: usize,
    random: SmallRng,
}

impl Cycler {
    /// All plugins; `seed` decides between nodes of equal worth.
    pub fn new(seed: u64) -> Self {
        Self {
            filters: plugins::filters(),
            scorers: plugins::scorers(),
            start: 0,
            random: SmallRng::seed_from_u64(seed),
        }
    }

    /// Chooses a node.
    pub fn schedule(&mut self, pod: &PodInfo, snapshot: &Snapshot) -> Result<NodeId, Failure> {
        let nodes = self.filter(pod, snapshot)?;
        if let [only] = nodes[..] {
            return Ok(only.id);
        }
        let scores = self.score(pod, snapshot, &nodes)?;
        Ok(self.best(&nodes, &scores))
    }

    /// The nodes that fit: at least one.
    fn filter<'a>(&mut self, pod: &PodInfo, snapshot: &'a Snapshot) -> Result<Vec<&'a NodeInfo>, Failure> {
        let order = snapshot.nodes.order();
        let mut diagnosis = Diagnosis::new(order.len());
        let mut active: Vec<(Box<dyn NodeFilter + '_>, Changes)> = Vec::with_capacity(self.filters.len());
        for plugin in &self.filters {
            match plugin.prepare(pod, snapshot)? {
                Prepared::Skip => {}
                Prepared::Ready(filter) => active.push((filter, plugin.wakes_on())),
                Prepared::Reject(reason) => {
                    return Err(Failure::Unschedulable(Box::new(diagnosis.reject(reason, plugin.wakes_on()))));
                }
            }
        }
        let enough = enough(order.len());
        let mut fitting = Vec::with_capacity(enough);
        let mut looked = 0;
        let start = if order.is_empty() { 0 } else { self.start % order.len() };
        for id in order[start..].iter().chain(&order[..start]) {
            looked += 1;
            let Some(node) = snapshot.nodes.get(*id) else { continue };
            if active.iter().all(|(filter, wakes_on)| diagnosis.note(filter.check(node), *wakes_on)) {
                fitting.push(node);
                if fitting.len() >= enough {
                    break;
                }
            }
        }
        self.start = start + looked;
        if fitting.is_empty() { Err(Failure::Unschedulable(Box::new(diagnosis))) } else { Ok(fitting) }
    }

    fn score<'a>(
        &self,
        pod: &'a PodInfo,
        snapshot: &'a Snapshot,
        nodes: &[&'a NodeInfo],
    ) -> Result<Vec<i64>, PluginError> {
        let mut totals = vec![0; nodes.len()];
        let mut scores = Vec::with_capacity(nodes.len());
        for (weight, plugin) in &self.scorers {
            let Some(scorer) = plugin.prepare(pod, snapshot, nodes)? else { continue };
            scores.clear();
            scores.extend(nodes.iter().map(|node| scorer.score(node)));
            scorer.normalize(&mut scores);
            for (total, score) in totals.iter_mut().zip(&scores) {
                *total += weight * score;
            }
        }
        Ok(totals)
    }

    /// One of the nodes with the most, each with the same chance.
    fn best(&mut self, nodes: &[&NodeInfo], scores: &[i64]) -> NodeId {
        let (mut best, mut most, mut equals) = (nodes[0].id, i64::MIN, 0_u32);
        for (node, score) in nodes.iter().zip(scores) {
            if *score > most {
                (best, most, equals) = (node.id, *score, 1);
            } else if *score == most {
                equals += 1;
                if self.random.random_range(0..equals) == 0 {
                    best = node.id;
                }
            }
        }
        best
    }
}

/// After how many nodes that fit the search stops: half of a hundred, a twentieth of thousands.
fn enough(total: usize) -> usize {
    if total < LOOK_AT_ALL {
        return total.max(1);
    }
    let percent = 50_usize.saturating_sub(total / 125).max(LEAST_PERCENT);
    (total * percent / 100).max(LOOK_AT_ALL)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use serde_json::json;

    use super::*;
    use crate::testing;

    fn asking(cpu: &str) -> PodInfo {
        testing::pending(json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}))
    }

    #[test]
    fn the_sample_shrinks_with_the_cluster() {
        let cases = [(0, 1), (1, 1), (99, 99), (100, 100), (1000, 420), (5000, 500), (20_000, 1000)];
        for (total, want) in cases {
            assert_eq!(enough(total), want, "{total}");
        }
    }

    #[test]
    fn pods_fill_a_cluster_evenly_and_then_fit_nowhere() {
        let mut snapshot = testing::cluster((0..4).map(|index| testing::node(&format!("n{index}"), json!({}))));
        let mut cycler = Cycler::new(1);
        for index in 0..16 {
            let mut pod = asking("1");
            pod.key = crate::model::Key::new("ns", &format!("p{index}"));
            let node = cycler.schedule(&pod, &snapshot).unwrap();
            snapshot.assume(&Arc::new(pod), node);
            let counts: Vec<_> = snapshot.nodes.iter().map(|node| node.pods.len()).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{counts:?}");
        }
        let Err(Failure::Unschedulable(diagnosis)) = cycler.schedule(&asking("1"), &snapshot) else { panic!() };
        assert!(diagnosis.to_string().starts_with("0/4 nodes are available: 4 Insufficient cpu."), "{diagnosis}");
        assert!(diagnosis.wakes_on.meet(Changes::POD_LEFT));
        assert!(!diagnosis.wakes_on.meet(Changes::CLAIM));
    }

    #[test]
    fn all_nodes_get_their_turn() {
        let snapshot = testing::cluster((0..300).map(|index| testing::node(&format!("n{index:03}"), json!({}))));
        let mut cycler = Cycler::new(7);
        let mut chosen: HashMap<NodeId, usize> = HashMap::new();
        for _ in 0..3000 {
            *chosen.entry(cycler.schedule(&asking("1"), &snapshot).unwrap()).or_default() += 1;
        }
        assert_eq!(chosen.len(), 300);
    }

    #[test]
    fn an_empty_cluster_is_said_to_be_one() {
        let Err(Failure::Unschedulable(diagnosis)) = Cycler::new(1).schedule(&asking("1"), &Snapshot::default()) else {
            panic!()
        };
        assert_eq!(diagnosis.to_string(), "no nodes available to schedule pods");
    }
}
