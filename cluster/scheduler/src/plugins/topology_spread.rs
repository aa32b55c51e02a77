//! Pods of a group are spread over places: zones, nodes, whatever a label says.
//!
//! A pod's own hard rules filter, its own soft rules score. A pod without rules whose group is
//! known (by its service or controller) is spread softly over nodes and zones.

use std::{collections::HashMap, sync::Arc};

use crate::{
    framework::{
        Changes, FilterPlugin, MAX_SCORE, NodeFilter, NodeScore, PluginError, Prepared, Reason, ScorePlugin, Verdict,
    },
    model::{NodeInfo, PodInfo, Spread, WhenUnsatisfiable},
    snapshot::{Group, Snapshot, Tally},
};

const UNEVEN: Reason = Reason::new("node(s) didn't match pod topology spread constraints");
const NO_LABEL: Reason = Reason::new("node(s) didn't match pod topology spread constraints (missing required label)");
const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
/// The skews that are accepted without a rule of the pod's own.
const DEFAULTS: [(&str, i64); 2] = [(HOSTNAME, 3), (ZONE, 5)];

/// The plugin.
pub(super) struct TopologySpread;

fn rules(pod: &PodInfo, sort: WhenUnsatisfiable) -> Vec<&Spread> {
    pod.spread.iter().filter(|rule| rule.when_unsatisfiable == sort).collect()
}

fn group(pod: &PodInfo, rule: &Spread) -> Group {
    Group { namespace: pod.key.namespace.clone(), selector: rule.selector.clone(), with_deleting: false }
}

/// Whether a node counts for a rule at all.
fn counts(pod: &PodInfo, rule: &Spread, node: &NodeInfo) -> bool {
    let allowed = !rule.honor_affinity || pod.allows_node(&node.facts.name, &node.facts.labels);
    let tolerated = || {
        let hard = node.facts.taints.iter().filter(|taint| taint.effect != "PreferNoSchedule");
        hard.into_iter().all(|taint| pod.tolerates(taint))
    };
    allowed && (!rule.honor_taints || tolerated())
}

/// Whether every node counts for a rule.
fn counts_everywhere(pod: &PodInfo, rule: &Spread) -> bool {
    (!rule.honor_affinity || (pod.node_selector.is_empty() && pod.required_nodes.is_none())) && !rule.honor_taints
}

// === impl FilterPlugin ===

impl FilterPlugin for TopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn wakes_on(&self) -> Changes {
        let nodes = Changes::NODE_ADDED.and(Changes::NODE_LABELS).and(Changes::NODE_TAINTS);
        nodes.and(Changes::POD_LEFT).and(Changes::POD_PLACED).and(Changes::POD_LABELS)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        let rules = rules(pod, WhenUnsatisfiable::DoNotSchedule);
        if rules.is_empty() {
            return Ok(Prepared::Skip);
        }
        let keys: Vec<&str> = rules.iter().map(|rule| rule.topology_key.as_str()).collect();
        let hard = rules.iter().map(|rule| HardRule::new(pod, rule, &keys, snapshot)).collect();
        Ok(Prepared::Ready(Box::new(Even(hard))))
    }
}

struct Even<'a>(Vec<HardRule<'a>>);

struct HardRule<'a> {
    rule: &'a Spread,
    counted: Counted,
    /// The emptiest place's count.
    least: i64,
    /// Whether the pod itself is one of those counted.
    selects_itself: bool,
}

/// Pods by place.
enum Counted {
    /// As the tally has them.
    Tally(Arc<Tally>),
    /// Of the places that count for this pod.
    Own(HashMap<String, u32>),
}

impl<'a> HardRule<'a> {
    fn new(pod: &PodInfo, rule: &'a Spread, keys: &[&str], snapshot: &Snapshot) -> Self {
        let key = rule.topology_key.as_str();
        let tally = snapshot.tally(&group(pod, rule), &[key]);
        let total = snapshot.nodes.len();
        // A node without one of the keys counts for none of the rules.
        let all_labelled = keys.iter().all(|key| snapshot.places(key).values().sum::<usize>() == total);
        let (counted, least, places) = if counts_everywhere(pod, rule) && all_labelled {
            let places = snapshot.places(key);
            let present = tally.places(key);
            let least = if present.map_or(0, HashMap::len) < places.len() {
                0
            } else {
                present.into_iter().flat_map(HashMap::values).copied().min().unwrap_or(0)
            };
            (Counted::Tally(tally.clone()), least, places.len())
        } else {
            let mut own: HashMap<String, u32> = HashMap::new();
            for node in snapshot.nodes.iter() {
                let labelled = keys.iter().all(|key| node.label(key).is_some());
                if let Some(value) = node.label(key).filter(|_| labelled && counts(pod, rule, node)) {
                    *own.entry(value.to_owned()).or_default() += tally.on(node);
                }
            }
            let least = own.values().copied().min().unwrap_or(0);
            let places = own.len();
            (Counted::Own(own), least, places)
        };
        let least = if places < rule.min_domains { 0 } else { i64::from(least) };
        Self { rule, counted, least, selects_itself: rule.selector.matches(&pod.labels) }
    }

    fn count(&self, place: &str) -> i64 {
        let count = match &self.counted {
            Counted::Tally(tally) => tally.places(&self.rule.topology_key).and_then(|places| places.get(place)),
            Counted::Own(places) => places.get(place),
        };
        count.copied().unwrap_or(0).into()
    }
}

impl NodeFilter for Even<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        for hard in &self.0 {
            let Some(place) = node.label(&hard.rule.topology_key) else { return Verdict::never(&NO_LABEL) };
            let skew = hard.count(place) + i64::from(hard.selects_itself) - hard.least;
            if skew > hard.rule.max_skew {
                return Verdict::rejected(&UNEVEN);
            }
        }
        Verdict::Fits
    }
}

// === impl ScorePlugin ===

impl ScorePlugin for TopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        snapshot: &'a Snapshot,
        nodes: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError> {
        let rules = rules(pod, WhenUnsatisfiable::ScheduleAnyway);
        let soft = if pod.spread.is_empty() {
            default_rules(pod, snapshot, nodes)
        } else {
            rules.iter().map(|rule| SoftRule::new(pod, rule, snapshot, nodes)).collect()
        };
        if soft.is_empty() {
            return Ok(None);
        }
        // A node without one of the labels is left out, unless the rules are not the pod's own.
        let unlabelled =
            |node: &&NodeInfo| !pod.spread.is_empty() && soft.iter().any(|soft| node.label(&soft.key).is_none());
        let ignored = nodes.iter().map(unlabelled).collect();
        Ok(Some(Box::new(Fairest { soft, ignored })))
    }
}

struct Fairest {
    soft: Vec<SoftRule>,
    /// Which of the nodes given to `prepare` are left out.
    ignored: Vec<bool>,
}

struct SoftRule {
    key: String,
    max_skew: i64,
    tally: Arc<Tally>,
    /// Pods by place, where not every node counts.
    own: Option<HashMap<String, u32>>,
    /// With more places each counts more, or large zones would drown small nodes.
    weight: f64,
}

impl SoftRule {
    fn new(pod: &PodInfo, rule: &Spread, snapshot: &Snapshot, nodes: &[&NodeInfo]) -> Self {
        let key = rule.topology_key.clone();
        let tally = snapshot.tally(&group(pod, rule), &[&key]);
        let own = (!counts_everywhere(pod, rule)).then(|| {
            let mut own: HashMap<String, u32> = HashMap::new();
            for node in snapshot.nodes.iter().filter(|node| counts(pod, rule, node)) {
                if let Some(value) = node.label(&key) {
                    *own.entry(value.to_owned()).or_default() += tally.on(node);
                }
            }
            own
        });
        let weight = weight(&key, snapshot, nodes);
        Self { key, max_skew: rule.max_skew, tally, own, weight }
    }

    fn score(&self, node: &NodeInfo) -> f64 {
        let Some(place) = node.label(&self.key) else { return 0.0 };
        let places = self.own.as_ref().or_else(|| self.tally.places(&self.key));
        let count = if self.key == HOSTNAME {
            self.tally.on(node)
        } else {
            places.and_then(|places| places.get(place)).copied().unwrap_or(0)
        };
        f64::from(count) * self.weight + (self.max_skew - 1) as f64
    }
}

fn default_rules(pod: &PodInfo, snapshot: &Snapshot, nodes: &[&NodeInfo]) -> Vec<SoftRule> {
    let Some(group) = snapshot.group_of(pod) else { return Vec::new() };
    let keys: Vec<_> = DEFAULTS.iter().map(|(key, _)| *key).collect();
    // Nodes are counted one by one, so only zones are followed as places.
    let tally = snapshot.tally(&group, &[ZONE]);
    let used = keys.iter().zip(DEFAULTS).filter(|(key, _)| !snapshot.places(key).is_empty());
    used.map(|(key, (_, max_skew))| SoftRule {
        key: (*key).to_owned(),
        max_skew,
        tally: tally.clone(),
        own: None,
        weight: weight(key, snapshot, nodes),
    })
    .collect()
}

fn weight(key: &str, snapshot: &Snapshot, nodes: &[&NodeInfo]) -> f64 {
    let places = if key == HOSTNAME { nodes.len() } else { snapshot.places(key).len() };
    ((places + 2) as f64).ln()
}

impl NodeScore for Fairest {
    #[expect(clippy::cast_possible_truncation, reason = "counts of pods are far below 2^52")]
    fn score(&self, node: &NodeInfo) -> i64 {
        self.soft.iter().map(|soft| soft.score(node)).sum::<f64>().round() as i64
    }

    fn normalize(&self, scores: &mut [i64]) {
        let counted = || scores.iter().zip(&self.ignored).filter(|(_, ignored)| !**ignored).map(|(score, _)| *score);
        let (least, most) = (counted().min().unwrap_or(0), counted().max().unwrap_or(0));
        for (score, ignored) in scores.iter_mut().zip(&self.ignored) {
            *score = match (ignored, most) {
                (true, _) => 0,
                (false, 0) => MAX_SCORE,
                (false, _) => MAX_SCORE * (most + least - *score) / most,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{model::Selector, testing};

    /// Four nodes in two zones, with pods of the group on them.
    fn cluster(pods: [usize; 4]) -> Snapshot {
        let names = ["a1", "a2", "b1", "b2"];
        let labels = |name: &str| json!({ZONE: name[..1], HOSTNAME: name});
        let mut snapshot = testing::cluster(names.map(|name| testing::node(name, labels(name))));
        for (name, count) in names.iter().zip(pods) {
            for index in 0..count {
                let pod = testing::labelled(&format!("{name}-{index}"), json!({"app": "web"}), json!({}));
                testing::place(&mut snapshot, name, pod);
            }
        }
        snapshot
    }

    fn spread(key: &str, extra: Value) -> PodInfo {
        let mut rule = json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}});
        for (key, value) in extra.as_object().unwrap() {
            rule[key] = value.clone();
        }
        testing::pending(json!({"topologySpreadConstraints": [rule]}))
    }

    #[test]
    fn hard_rules_keep_the_skew() {
        let fitting = |pod: &PodInfo, pods| testing::fitting(&TopologySpread, pod, &cluster(pods));
        let by_zone = spread(ZONE, json!({}));
        assert_eq!(fitting(&by_zone, [1, 1, 1, 0]), ["b1", "b2"]);
        assert_eq!(fitting(&by_zone, [1, 0, 1, 0]).len(), 4);
        assert_eq!(fitting(&spread(ZONE, json!({"maxSkew": 2})), [1, 1, 1, 0]).len(), 4);
        assert_eq!(fitting(&spread(HOSTNAME, json!({})), [1, 1, 1, 0]), ["b2"]);
        assert_eq!(fitting(&spread(ZONE, json!({"minDomains": 3})), [1, 0, 1, 0]), Vec::<String>::new());
        let others = spread(ZONE, json!({"labelSelector": {"matchLabels": {"app": "db"}}}));
        assert_eq!(fitting(&others, [5, 0, 0, 0]).len(), 4);
    }

    #[test]
    fn nodes_that_the_pod_excludes_do_not_count() {
        let mut pod = spread(HOSTNAME, json!({}));
        pod.node_selector.require_all([(&ZONE.to_owned(), &"a".to_owned())].into_iter());
        // Were b2 counted, its emptiness would reject both.
        assert_eq!(testing::fitting(&TopologySpread, &pod, &cluster([1, 1, 1, 0])), ["a1", "a2", "b1", "b2"]);
    }

    #[test]
    fn a_node_without_the_label_never_fits() {
        let mut snapshot = cluster([0, 0, 0, 0]);
        snapshot.set_node(testing::node("bare", json!({})));
        let verdicts = testing::filtered(&TopologySpread, &spread(ZONE, json!({})), &snapshot);
        assert!(verdicts.iter().any(|(name, why)| name == "bare" && why.ends_with("(missing required label)")));
        assert_eq!(testing::fitting(&TopologySpread, &spread(ZONE, json!({})), &snapshot).len(), 4);
    }

    #[test]
    fn soft_rules_prefer_the_emptier_place() {
        let soft = spread(ZONE, json!({"whenUnsatisfiable": "ScheduleAnyway"}));
        let scores: HashMap<_, _> =
            testing::scored(&TopologySpread, &soft, &cluster([2, 2, 1, 0])).into_iter().collect();
        assert_eq!(scores["a1"], scores["a2"]);
        assert!(scores["b1"] > scores["a1"], "{scores:?}");
    }

    #[test]
    fn a_known_group_is_spread_without_rules() {
        let mut snapshot = cluster([2, 0, 1, 1]);
        let pod = testing::pending(json!({}));
        assert!(testing::scored(&TopologySpread, &pod, &snapshot).is_empty());
        let mut selector = Selector::default();
        selector.require_all([(&"app".to_owned(), &"web".to_owned())].into_iter());
        snapshot.services.entry("ns".into()).or_default().insert("web".into(), selector);
        let scores: HashMap<_, _> = testing::scored(&TopologySpread, &pod, &snapshot).into_iter().collect();
        assert!(scores["a2"] > scores["b1"] && scores["b1"] > scores["a1"], "{scores:?}");
    }
}
