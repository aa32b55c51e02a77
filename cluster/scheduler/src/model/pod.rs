//! A pod: what it asks for and how it wants to be placed.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Affinity, Pod, PodAffinityTerm, PodSpec, Toleration as TolerationObject, TopologySpreadConstraint,
    WeightedPodAffinityTerm,
};
use kube::ResourceExt;

use super::{HostPort, Labels, NodeMatcher, PodTerm, Requirement, Resources, Selector, Taint, Weighted};

/// Namespace and name. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace; empty for cluster-wide kinds.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// The key of `namespace`/`name`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What happens where a spreading rule cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnsatisfiable {
    /// The pod waits.
    DoNotSchedule,
    /// The node scores less.
    ScheduleAnyway,
}

/// One rule of how a group of pods is spread.
#[derive(Clone, Debug)]
pub struct Spread {
    /// By how much places may differ.
    pub max_skew: i64,
    /// Nodes with the same value of this label are one place.
    pub topology_key: String,
    /// What if not.
    pub when_unsatisfiable: WhenUnsatisfiable,
    /// The pods that are counted, in the pod's own namespace.
    pub selector: Selector,
    /// With fewer places than this the emptiest counts as empty.
    pub min_domains: usize,
    /// Whether nodes that the pod's affinity excludes are left out.
    pub honor_affinity: bool,
    /// Whether nodes with taints that the pod does not tolerate are left out.
    pub honor_taints: bool,
}

/// A taint that the pod puts up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    /// The key; empty for any.
    key: String,
    /// Whether the value does not matter.
    exists: bool,
    value: String,
    /// The effect; empty for any.
    effect: String,
}

impl Toleration {
    fn of(toleration: &TolerationObject) -> Self {
        Self {
            key: toleration.key.clone().unwrap_or_default(),
            exists: toleration.operator.as_deref() == Some("Exists"),
            value: toleration.value.clone().unwrap_or_default(),
            effect: toleration.effect.clone().unwrap_or_default(),
        }
    }

    /// Whether it covers a taint.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && (self.exists || (!self.key.is_empty() && self.value == taint.value))
    }

    /// Whether it covers marks of this sort that only put scheduling off.
    pub fn concerns_preference(&self) -> bool {
        self.effect.is_empty() || self.effect == "PreferNoSchedule"
    }
}

/// The pod.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// Its identity.
    pub key: Key,
    /// Its identity over time.
    pub uid: Arc<str>,
    /// Its labels.
    pub labels: Labels,
    /// The node that it is bound to.
    pub node: Option<Arc<str>>,
    /// Higher goes first.
    pub priority: i32,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether it is on its way out.
    pub deleting: bool,
    /// Who schedules it.
    pub scheduler: Box<str>,
    /// What holds it back from being scheduled.
    pub gates: Vec<String>,
    /// The condition PodScheduled: status, reason, message.
    pub scheduled: Option<(String, String, String)>,
    /// What it asks for.
    pub requests: Resources,
    /// The same for scoring.
    pub assumed: Resources,
    /// The ports that it takes on its node.
    pub ports: Vec<HostPort>,
    /// The images that it runs.
    pub images: Vec<String>,
    /// What its node must be labelled.
    pub node_selector: Selector,
    /// What its node must be.
    pub required_nodes: Option<NodeMatcher>,
    /// What its node should be.
    pub preferred_nodes: Vec<Weighted<NodeMatcher>>,
    /// Taints that it puts up with.
    pub tolerations: Vec<Toleration>,
    /// Pods that it must be near.
    pub required_affinity: Vec<PodTerm>,
    /// Pods that it must not be near.
    pub required_anti_affinity: Vec<PodTerm>,
    /// Pods that it should be near, or not near by a negative weight.
    pub preferred_affinity: Vec<Weighted<PodTerm>>,
    /// How its group is spread.
    pub spread: Vec<Spread>,
    /// The claims that it uses.
    pub claims: Vec<Key>,
    /// The object that controls it: kind and name.
    pub controller: Option<(String, String)>,
}

impl PodInfo {
    /// Reads a pod.
    pub fn of(pod: &Pod) -> Self {
        let empty = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&empty);
        let key = Key::new(pod.metadata.namespace.as_deref().unwrap_or(""), &pod.name_any());
        let labels = pod.labels().clone();
        let mut info = Self {
            uid: pod.uid().unwrap_or_default().into(),
            node: spec.node_name.as_deref().filter(|node| !node.is_empty()).map(Into::into),
            priority: spec.priority.unwrap_or(0),
            created: pod.creation_timestamp().map(|time| time.0),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            scheduler: spec.scheduler_name.as_deref().unwrap_or("default-scheduler").into(),
            gates: spec.scheduling_gates.iter().flatten().map(|gate| gate.name.clone()).collect(),
            scheduled: scheduled(pod),
            requests: Resources::requested(spec),
            assumed: Resources::assumed(spec),
            ports: HostPort::of(spec),
            images: images(spec),
            node_selector: Selector::default(),
            required_nodes: None,
            preferred_nodes: Vec::new(),
            tolerations: spec.tolerations.iter().flatten().map(Toleration::of).collect(),
            required_affinity: Vec::new(),
            required_anti_affinity: Vec::new(),
            preferred_affinity: Vec::new(),
            spread: spec.topology_spread_constraints.iter().flatten().map(|it| spread(it, &labels)).collect(),
            claims: claims(pod, spec, &key),
            controller: controller(pod),
            key,
            labels,
        };
        info.node_selector.require_all(spec.node_selector.iter().flatten());
        if let Some(affinity) = &spec.affinity {
            info.read_affinity(affinity);
        }
        info
    }

    fn read_affinity(&mut self, affinity: &Affinity) {
        if let Some(nodes) = &affinity.node_affinity {
            self.required_nodes =
                nodes.required_during_scheduling_ignored_during_execution.as_ref().map(NodeMatcher::of);
            let preferred = nodes.preferred_during_scheduling_ignored_during_execution.iter().flatten();
            self.preferred_nodes = preferred
                .map(|it| Weighted { weight: it.weight.into(), term: NodeMatcher::of_term(&it.preference) })
                .collect();
        }
        if let Some(near) = &affinity.pod_affinity {
            let required = near.required_during_scheduling_ignored_during_execution.iter().flatten();
            self.required_affinity = required.map(|term| self.term(term)).collect();
            let preferred = near.preferred_during_scheduling_ignored_during_execution.iter().flatten();
            let terms: Vec<_> = preferred.map(|term| self.weighted(term, 1)).collect();
            self.preferred_affinity.extend(terms);
        }
        if let Some(apart) = &affinity.pod_anti_affinity {
            let required = apart.required_during_scheduling_ignored_during_execution.iter().flatten();
            self.required_anti_affinity = required.map(|term| self.term(term)).collect();
            let preferred = apart.preferred_during_scheduling_ignored_during_execution.iter().flatten();
            let terms: Vec<_> = preferred.map(|term| self.weighted(term, -1)).collect();
            self.preferred_affinity.extend(terms);
        }
    }

    fn term(&self, term: &PodAffinityTerm) -> PodTerm {
        PodTerm::of(term, &self.key.namespace, &self.labels)
    }

    fn weighted(&self, term: &WeightedPodAffinityTerm, sign: i64) -> Weighted<PodTerm> {
        Weighted { weight: sign * i64::from(term.weight), term: self.term(&term.pod_affinity_term) }
    }

    /// Whether it has terms about other pods.
    pub fn has_affinity(&self) -> bool {
        !self.required_affinity.is_empty()
            || !self.required_anti_affinity.is_empty()
            || !self.preferred_affinity.is_empty()
    }

    /// Whether it is to its node what it was: the same pod, asking for and looking like the same.
    pub fn is_same_on_node(&self, newer: &Self) -> bool {
        self.uid == newer.uid
            && self.deleting == newer.deleting
            && self.labels == newer.labels
            && self.requests == newer.requests
    }

    /// Whether its own terms allow a node.
    pub fn allows_node(&self, name: &str, labels: &Labels) -> bool {
        self.node_selector.matches(labels)
            && self.required_nodes.as_ref().is_none_or(|nodes| nodes.matches(name, labels))
    }

    /// Whether it puts up with a taint.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|toleration| toleration.tolerates(taint))
    }
}

fn scheduled(pod: &Pod) -> Option<(String, String, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    Some((found.status.clone(), text(&found.reason), text(&found.message)))
}

fn images(spec: &PodSpec) -> Vec<String> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    containers.filter_map(|container| container.image.clone()).collect()
}

fn claims(pod: &Pod, spec: &PodSpec, key: &Key) -> Vec<Key> {
    let volumes = spec.volumes.iter().flatten();
    let names = volumes.filter_map(|volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
        (Some(claim), _) => Some(claim.claim_name.clone()),
        (None, Some(_)) => Some(format!("{}-{}", pod.name_any(), volume.name)),
        (None, None) => None,
    });
    names.map(|name| Key { namespace: key.namespace.clone(), name: name.into() }).collect()
}

fn controller(pod: &Pod) -> Option<(String, String)> {
    let owner = pod.owner_references().iter().find(|owner| owner.controller == Some(true))?;
    Some((owner.kind.clone(), owner.name.clone()))
}

fn spread(constraint: &TopologySpreadConstraint, labels: &Labels) -> Spread {
    let mut selector = Selector::of(constraint.label_selector.as_ref());
    for key in constraint.match_label_keys.iter().flatten() {
        if let Some(value) = labels.get(key) {
            selector.require(Requirement::In(key.clone(), vec![value.clone()]));
        }
    }
    Spread {
        max_skew: constraint.max_skew.into(),
        topology_key: constraint.topology_key.clone(),
        when_unsatisfiable: match constraint.when_unsatisfiable.as_str() {
            "ScheduleAnyway" => WhenUnsatisfiable::ScheduleAnyway,
            _ => WhenUnsatisfiable::DoNotSchedule,
        },
        selector,
        min_domains: constraint.min_domains.and_then(|count| usize::try_from(count).ok()).unwrap_or(1),
        honor_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
        honor_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tolerations_cover_taints_as_written() {
        let taint = Taint { key: "k".into(), value: "v".into(), effect: "NoSchedule".into() };
        let cases = [
            (json!({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}), true),
            (json!({"key": "k", "value": "v"}), true),
            (json!({"key": "k", "operator": "Exists"}), true),
            (json!({"operator": "Exists"}), true),
            (json!({"key": "k", "value": "w"}), false),
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute"}), false),
            (json!({"key": "other", "operator": "Exists"}), false),
            (json!({"value": "v"}), false),
        ];
        for (value, want) in cases {
            let toleration = Toleration::of(&serde_json::from_value(value).unwrap());
            assert_eq!(toleration.tolerates(&taint), want, "{toleration:?}");
        }
    }

    #[test]
    fn a_pod_is_read_whole() {
        let pod = json!({
            "metadata": {"name": "p", "namespace": "ns", "labels": {"app": "web", "hash": "1"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "u",
                    "controller": true}]},
            "spec": {
                "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 1, "hostPort": 80}]}],
                "nodeSelector": {"disk": "ssd"},
                "affinity": {
                    "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 5, "podAffinityTerm": {"topologyKey": "zone"}}]},
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "host"}],
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 7, "podAffinityTerm": {"topologyKey": "zone"}}]}},
                "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "zone",
                    "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}, "matchLabelKeys": ["hash"]}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "e", "ephemeral": {}}],
            },
        });
        let info = PodInfo::of(&serde_json::from_value(pod).unwrap());
        let weights: Vec<_> = info.preferred_affinity.iter().map(|term| term.weight).collect();
        assert_eq!(weights, [5, -7]);
        assert_eq!(info.required_anti_affinity.len(), 1);
        let claims: Vec<_> = info.claims.iter().map(ToString::to_string).collect();
        assert_eq!(claims, ["ns/c", "ns/p-e"]);
        assert!(info.spread[0].selector.matches(&[("hash".into(), "1".into())].into()));
        assert!(!info.spread[0].selector.matches(&[("hash".into(), "2".into())].into()));
        assert!(info.allows_node("n", &[("disk".into(), "ssd".into())].into()));
        assert!(!info.allows_node("n", &Labels::new()));
        assert_eq!(info.controller, Some(("ReplicaSet".into(), "rs".into())));
    }
}
