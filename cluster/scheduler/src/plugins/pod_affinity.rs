//! Pods that must or should be near other pods, or away from them.
//!
//! *Near* means: on a node with the same value of the term's label. The rules of pods that are
//! there already hold for a newcomer too: who keeps others away goes on doing so.

use std::collections::HashMap;

use crate::{
    framework::{
        Changes, FilterPlugin, MAX_SCORE, NodeFilter, NodeScore, PluginError, Prepared, Reason, ScorePlugin, Verdict,
    },
    model::{NodeInfo, PodInfo, PodTerm, Weighted},
    snapshot::{Group, Snapshot},
};

const NOT_NEAR: Reason = Reason::new("node(s) didn't match pod affinity rules");
const TOO_NEAR: Reason = Reason::new("node(s) didn't match pod anti-affinity rules");
const KEPT_AWAY: Reason = Reason::new("node(s) didn't satisfy existing pods anti-affinity rules");
/// How much a required term of a pod that is there counts in a newcomer's score.
const HARD_WEIGHT: i64 = 1;

/// The plugin.
pub(super) struct PodAffinity;

/// Something per place: label key, then value.
type Places<T> = HashMap<String, HashMap<String, T>>;

fn at<'a, T>(places: &'a Places<T>, node: &NodeInfo, key: &str) -> Option<&'a T> {
    places.get(key)?.get(node.label(key)?)
}

fn add(places: &mut Places<i64>, key: &str, node: &NodeInfo, amount: i64) {
    if let Some(value) = node.label(key) {
        *places.entry(key.to_owned()).or_default().entry(value.to_owned()).or_default() += amount;
    }
}

fn means(term: &PodTerm, pod: &PodInfo, snapshot: &Snapshot) -> bool {
    term.matches(&pod.key.namespace, snapshot.namespaces.get(&*pod.key.namespace), &pod.labels)
}

// === impl FilterPlugin ===

impl FilterPlugin for PodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn wakes_on(&self) -> Changes {
        let pods = Changes::POD_LEFT.and(Changes::POD_PLACED).and(Changes::POD_LABELS);
        pods.and(Changes::NODE_ADDED).and(Changes::NODE_LABELS).and(Changes::NAMESPACE)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        let kept_away = kept_away(pod, snapshot);
        if kept_away.is_empty() && pod.required_affinity.is_empty() && pod.required_anti_affinity.is_empty() {
            return Ok(Prepared::Skip);
        }
        let near = near(pod, snapshot);
        let too_near = pod.required_anti_affinity.iter().map(|term| places_of(term, snapshot)).collect();
        // The first pod of a group that wants to be near itself would otherwise wait forever.
        let alone =
            near.iter().all(HashMap::is_empty) && pod.required_affinity.iter().all(|term| means(term, pod, snapshot));
        Ok(Prepared::Ready(Box::new(Placing { pod, kept_away, near, too_near, alone })))
    }
}

struct Placing<'a> {
    pod: &'a PodInfo,
    /// Places that pods there keep this one away from.
    kept_away: Places<i64>,
    /// For each affinity term the places with pods that it means.
    near: Vec<HashMap<String, u32>>,
    /// For each anti-affinity term the same.
    too_near: Vec<HashMap<String, u32>>,
    alone: bool,
}

/// Where pods stand whose own terms keep this pod away.
fn kept_away(pod: &PodInfo, snapshot: &Snapshot) -> Places<i64> {
    let mut places = Places::new();
    for node in snapshot.resolve(&snapshot.with_required_anti_affinity) {
        for other in node.pods.values() {
            for term in other.required_anti_affinity.iter().filter(|term| means(term, pod, snapshot)) {
                add(&mut places, &term.topology_key, node, 1);
            }
        }
    }
    places
}

/// For each affinity term, where pods stand that all terms mean.
fn near(pod: &PodInfo, snapshot: &Snapshot) -> Vec<HashMap<String, u32>> {
    match pod.required_affinity.as_slice() {
        [] => Vec::new(),
        [only] => vec![places_of(only, snapshot)],
        terms => {
            let all = |other: &PodInfo| terms.iter().all(|term| means(term, other, snapshot));
            terms.iter().map(|term| count(&term.topology_key, snapshot, all)).collect()
        }
    }
}

/// Where pods stand that a term means.
fn places_of(term: &PodTerm, snapshot: &Snapshot) -> HashMap<String, u32> {
    let by_namespace = snapshot.namespaces.values().any(|labels| term.namespace_selector.matches(labels));
    if by_namespace {
        return count(&term.topology_key, snapshot, |other| means(term, other, snapshot));
    }
    let mut places: HashMap<String, u32> = HashMap::new();
    for namespace in &term.namespaces {
        let group =
            Group { namespace: namespace.as_str().into(), selector: term.selector.clone(), with_deleting: true };
        let tally = snapshot.tally(&group, &[&term.topology_key]);
        for (place, count) in tally.places(&term.topology_key).into_iter().flatten() {
            *places.entry(place.clone()).or_default() += count;
        }
    }
    places
}

fn count(key: &str, snapshot: &Snapshot, counts: impl Fn(&PodInfo) -> bool) -> HashMap<String, u32> {
    let mut places: HashMap<String, u32> = HashMap::new();
    for node in snapshot.nodes.iter() {
        let Some(value) = node.label(key) else { continue };
        let here = node.pods.values().filter(|pod| counts(pod)).count();
        if here > 0 {
            *places.entry(value.to_owned()).or_default() += u32::try_from(here).unwrap_or(u32::MAX);
        }
    }
    places
}

impl Placing<'_> {
    fn is_near(&self, node: &NodeInfo) -> bool {
        self.pod.required_affinity.iter().zip(&self.near).all(|(term, places)| {
            node.label(&term.topology_key).is_some_and(|value| self.alone || places.contains_key(value))
        })
    }

    fn is_too_near(&self, node: &NodeInfo) -> bool {
        self.pod
            .required_anti_affinity
            .iter()
            .zip(&self.too_near)
            .any(|(term, places)| node.label(&term.topology_key).is_some_and(|value| places.contains_key(value)))
    }
}

impl NodeFilter for Placing<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        if !self.is_near(node) {
            return Verdict::never(&NOT_NEAR);
        }
        if self.is_too_near(node) {
            return Verdict::rejected(&TOO_NEAR);
        }
        if self.kept_away.keys().any(|key| at(&self.kept_away, node, key).is_some()) {
            return Verdict::rejected(&KEPT_AWAY);
        }
        Verdict::Fits
    }
}

// === impl ScorePlugin ===

impl ScorePlugin for PodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        snapshot: &'a Snapshot,
        _: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError> {
        let mut liked = Places::new();
        for Weighted { weight, term } in &pod.preferred_affinity {
            let places = places_of(term, snapshot);
            let entry = liked.entry(term.topology_key.clone()).or_default();
            for (place, count) in places {
                *entry.entry(place).or_default() += weight * i64::from(count);
            }
        }
        for node in snapshot.resolve(&snapshot.with_affinity) {
            for other in node.pods.values() {
                add_terms_of(other, pod, node, snapshot, &mut liked);
            }
        }
        let cares = liked.values().any(|places| !places.is_empty());
        Ok(cares.then(|| Box::new(Liked(liked)) as Box<dyn NodeScore + 'a>))
    }
}

/// What a pod that is there thinks of the newcomer.
fn add_terms_of(other: &PodInfo, pod: &PodInfo, node: &NodeInfo, snapshot: &Snapshot, liked: &mut Places<i64>) {
    for term in other.required_affinity.iter().filter(|term| means(term, pod, snapshot)) {
        add(liked, &term.topology_key, node, HARD_WEIGHT);
    }
    for Weighted { weight, term } in other.preferred_affinity.iter().filter(|it| means(&it.term, pod, snapshot)) {
        add(liked, &term.topology_key, node, *weight);
    }
}

struct Liked(Places<i64>);

impl NodeScore for Liked {
    fn score(&self, node: &NodeInfo) -> i64 {
        self.0.keys().filter_map(|key| at(&self.0, node, key)).sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        let (least, most) = (scores.iter().copied().min().unwrap_or(0), scores.iter().copied().max().unwrap_or(0));
        for score in scores {
            *score = if most == least { 0 } else { MAX_SCORE * (*score - least) / (most - least) };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing;

    fn term(app: &str, key: &str) -> Value {
        json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key})
    }

    fn required(sort: &str, terms: Value) -> Value {
        json!({"affinity": {sort: {"requiredDuringSchedulingIgnoredDuringExecution": terms}}})
    }

    /// Nodes a1, a2, b1 in zones a and b.
    fn cluster() -> Snapshot {
        testing::cluster(["a1", "a2", "b1"].map(|name| testing::node(name, json!({"zone": name[..1], "host": name}))))
    }

    fn fitting(spec: Value, snapshot: &Snapshot) -> Vec<String> {
        testing::fitting(&PodAffinity, &testing::pending(spec), snapshot)
    }

    #[test]
    fn a_pod_goes_near_those_it_must_be_near() {
        let mut snapshot = cluster();
        testing::place(&mut snapshot, "a1", testing::labelled("db", json!({"app": "db"}), json!({})));
        assert_eq!(fitting(required("podAffinity", json!([term("db", "zone")])), &snapshot), ["a1", "a2"]);
        assert_eq!(fitting(required("podAffinity", json!([term("db", "host")])), &snapshot), ["a1"]);
        assert!(fitting(required("podAffinity", json!([term("cache", "zone")])), &snapshot).is_empty());
        let both = json!([term("db", "zone"), term("db", "host")]);
        assert_eq!(fitting(required("podAffinity", both), &snapshot), ["a1"]);
    }

    #[test]
    fn the_first_of_a_group_that_wants_company_may_go_anywhere() {
        let mut snapshot = cluster();
        let spec = || required("podAffinity", json!([term("web", "zone")]));
        assert_eq!(fitting(spec(), &snapshot).len(), 3);
        testing::place(&mut snapshot, "b1", testing::labelled("first", json!({"app": "web"}), json!({})));
        assert_eq!(fitting(spec(), &snapshot), ["b1"]);
    }

    #[test]
    fn a_pod_stays_away_and_is_kept_away() {
        let mut snapshot = cluster();
        let spec = || required("podAntiAffinity", json!([term("web", "host")]));
        testing::place(&mut snapshot, "a1", testing::labelled("first", json!({"app": "web"}), spec()));
        let verdicts = testing::filtered(&PodAffinity, &testing::pending(spec()), &snapshot);
        assert_eq!(verdicts[0], ("a1".into(), TOO_NEAR.to_string()));
        assert_eq!(fitting(spec(), &snapshot), ["a2", "b1"]);
        let verdicts = testing::filtered(&PodAffinity, &testing::pending(json!({})), &snapshot);
        assert_eq!(verdicts[0], ("a1".into(), KEPT_AWAY.to_string()));
        let unrelated = testing::labelled("x", json!({"app": "db"}), json!({}));
        assert_eq!(testing::fitting(&PodAffinity, &unrelated, &snapshot).len(), 3);
    }

    #[test]
    fn namespaces_may_be_selected_by_label() {
        let mut snapshot = cluster();
        snapshot.namespaces.insert("other".into(), [("team".to_owned(), "a".to_owned())].into());
        let mut db = testing::labelled("db", json!({"app": "db"}), json!({}));
        db.key = crate::model::Key::new("other", "db");
        testing::place(&mut snapshot, "b1", db);
        let mut anywhere = term("db", "zone");
        anywhere["namespaceSelector"] = json!({"matchLabels": {"team": "a"}});
        assert_eq!(fitting(required("podAffinity", json!([anywhere])), &snapshot), ["b1"]);
        assert!(fitting(required("podAffinity", json!([term("db", "zone")])), &snapshot).is_empty());
    }

    #[test]
    fn preferences_of_both_sides_score() {
        let mut snapshot = cluster();
        testing::place(&mut snapshot, "a1", testing::labelled("db", json!({"app": "db"}), json!({})));
        let preferred = |sort: &str| {
            json!({"affinity": {sort: {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 10, "podAffinityTerm": term("db", "host")}]}}})
        };
        let scores = |spec| testing::scored(&PodAffinity, &testing::pending(spec), &snapshot);
        let by = |a1, a2, b1| vec![("a1".to_owned(), a1), ("a2".to_owned(), a2), ("b1".to_owned(), b1)];
        assert_eq!(scores(preferred("podAffinity")), by(100, 0, 0));
        assert_eq!(scores(preferred("podAntiAffinity")), by(0, 100, 100));
        assert!(scores(json!({})).is_empty());
        let mut snapshot = cluster();
        let lonely = json!({"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 10, "podAffinityTerm": term("web", "zone")}]}}});
        testing::place(&mut snapshot, "b1", testing::labelled("q", json!({"app": "q"}), lonely));
        assert_eq!(testing::scored(&PodAffinity, &testing::pending(json!({})), &snapshot), by(0, 0, 100));
    }
}
