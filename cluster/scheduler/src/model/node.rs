//! A node: what it is, and what runs on it.

use std::{collections::HashMap, sync::Arc};

use k8s_openapi::api::core::v1::{Node, Taint as TaintObject};
use kube::ResourceExt;

use super::{Key, Labels, PodInfo, Ports, Resources};

/// Where a node stands in the snapshot. Valid until the node is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A mark that keeps pods away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl Taint {
    fn of(taint: &TaintObject) -> Self {
        let value = taint.value.clone().unwrap_or_default();
        Self { key: taint.key.clone(), value, effect: taint.effect.clone() }
    }
}

/// What the node object says.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeFacts {
    /// The name.
    pub name: Arc<str>,
    /// The labels.
    pub labels: Labels,
    /// The taints.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// What pods may use.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub max_pods: usize,
    /// The sizes of its images, by every name that they have.
    pub images: HashMap<String, i64>,
}

impl NodeFacts {
    /// Reads a node.
    pub fn of(node: &Node) -> Self {
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref());
        let pods = allocatable.and_then(|list| list.get("pods")).and_then(|text| text.0.parse().ok());
        let images = status.and_then(|status| status.images.as_ref());
        let names = images.into_iter().flatten().flat_map(|image| {
            let size = image.size_bytes.unwrap_or(0);
            image.names.iter().flatten().map(move |name| (name.clone(), size))
        });
        Self {
            name: node.name_any().into(),
            labels: node.labels().clone(),
            taints: node.spec.iter().flat_map(|spec| spec.taints.iter().flatten()).map(Taint::of).collect(),
            unschedulable: node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
            allocatable: allocatable.map(Resources::of).unwrap_or_default(),
            // A node that does not say takes none: it has not reported yet.
            max_pods: pods.unwrap_or(0),
            images: names.collect(),
        }
    }
}

/// A node with its pods.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Its place in the snapshot.
    pub id: NodeId,
    /// What it is.
    pub facts: NodeFacts,
    /// What its pods ask for.
    pub requested: Resources,
    /// The same for scoring, where a pod that asks for nothing counts as small.
    pub assumed: Resources,
    /// The ports that its pods take.
    pub ports: Ports,
    /// Its pods.
    pub pods: HashMap<Key, Arc<PodInfo>>,
    /// How many of them have affinity terms of any sort.
    pub with_affinity: usize,
    /// How many of them keep others away.
    pub with_required_anti_affinity: usize,
}

impl NodeInfo {
    /// An empty node.
    pub fn new(id: NodeId, facts: NodeFacts) -> Self {
        Self {
            id,
            facts,
            requested: Resources::default(),
            assumed: Resources::default(),
            ports: Ports::default(),
            pods: HashMap::new(),
            with_affinity: 0,
            with_required_anti_affinity: 0,
        }
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.facts.labels.get(key).map(String::as_str)
    }

    /// Puts a pod here.
    pub(crate) fn add(&mut self, pod: Arc<PodInfo>) {
        self.requested.add(&pod.requests);
        self.assumed.add(&pod.assumed);
        self.ports.add(&pod.ports);
        self.with_affinity += usize::from(pod.has_affinity());
        self.with_required_anti_affinity += usize::from(!pod.required_anti_affinity.is_empty());
        self.pods.insert(pod.key.clone(), pod);
    }

    /// Takes a pod away.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<PodInfo>> {
        let pod = self.pods.remove(key)?;
        self.requested.subtract(&pod.requests);
        self.assumed.subtract(&pod.assumed);
        self.ports.remove(&pod.ports);
        self.with_affinity -= usize::from(pod.has_affinity());
        self.with_required_anti_affinity -= usize::from(!pod.required_anti_affinity.is_empty());
        Some(pod)
    }
}
