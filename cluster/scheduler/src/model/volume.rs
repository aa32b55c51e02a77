//! Claims, volumes and classes, as far as they tie pods to nodes.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass as ClassObject,
};
use kpkg_api::quantity::Quantity;
use kube::{Resource, ResourceExt};

use super::{Key, Labels, NodeMatcher, Selector};

const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// The annotation by which the scheduler tells a provisioner where to make a volume.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// A claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The volume that it has; only once that is settled.
    pub volume: Option<String>,
    /// Whether it is on its way out.
    pub deleting: bool,
    /// Its class; empty for none.
    pub class: String,
    /// The node that was chosen for its volume.
    pub selected_node: Option<String>,
    /// Its version, for changes.
    pub version: Option<String>,
    modes: BTreeSet<String>,
    mode: String,
    size: Quantity,
    selector: Selector,
}

impl Claim {
    /// Reads a claim.
    pub fn of(claim: &PersistentVolumeClaim) -> Self {
        let spec = claim.spec.clone().unwrap_or_default();
        let bound = claim.annotations().contains_key(BIND_COMPLETED);
        let requests = spec.resources.and_then(|resources| resources.requests).unwrap_or_default();
        Self {
            volume: spec.volume_name.filter(|name| bound && !name.is_empty()),
            deleting: claim.meta().deletion_timestamp.is_some(),
            class: spec.storage_class_name.unwrap_or_default(),
            selected_node: claim.annotations().get(SELECTED_NODE).cloned(),
            version: claim.resource_version(),
            modes: spec.access_modes.into_iter().flatten().collect(),
            mode: spec.volume_mode.unwrap_or_else(|| "Filesystem".to_owned()),
            size: requests.get("storage").and_then(|text| text.0.parse().ok()).unwrap_or_default(),
            // A claim without a selector takes any volume.
            selector: Selector::of(Some(&spec.selector.unwrap_or_default())),
        }
    }
}

/// A volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The nodes that reach it; `None` for all.
    pub nodes: Option<NodeMatcher>,
    /// The claim that it is for.
    pub claim: Option<Key>,
    class: String,
    available: bool,
    labels: Labels,
    modes: BTreeSet<String>,
    mode: String,
    size: Quantity,
}

impl Volume {
    /// Reads a volume.
    pub fn of(volume: &PersistentVolume) -> Self {
        let spec = volume.spec.clone().unwrap_or_default();
        let required = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
        let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
        let capacity = spec.capacity.unwrap_or_default();
        let claim = spec
            .claim_ref
            .map(|claim| Key::new(claim.namespace.as_deref().unwrap_or(""), claim.name.as_deref().unwrap_or("")));
        Self {
            nodes: required.map(NodeMatcher::of),
            claim,
            class: spec.storage_class_name.unwrap_or_default(),
            available: phase == Some("Available") && volume.metadata.deletion_timestamp.is_none(),
            labels: volume.labels().clone(),
            modes: spec.access_modes.into_iter().flatten().collect(),
            mode: spec.volume_mode.unwrap_or_else(|| "Filesystem".to_owned()),
            size: capacity.get("storage").and_then(|text| text.0.parse().ok()).unwrap_or_default(),
        }
    }

    /// Whether a claim that has no volume yet might get this one.
    pub fn suits(&self, key: &Key, claim: &Claim) -> bool {
        self.available
            && self.claim.as_ref().is_none_or(|reserved| reserved == key)
            && self.class == claim.class
            && self.mode == claim.mode
            && self.size >= claim.size
            && claim.modes.is_subset(&self.modes)
            && claim.selector.matches(&self.labels)
    }

    /// Whether a node reaches it.
    pub fn is_reached_from(&self, name: &str, labels: &Labels) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.matches(name, labels))
    }
}

/// A class of volumes.
#[derive(Clone, Debug)]
pub struct StorageClass {
    /// Whether volumes wait until a pod has a node.
    pub waits_for_consumer: bool,
    /// Whether volumes can be made on demand.
    pub provisions: bool,
}

impl StorageClass {
    /// Reads a class.
    pub fn of(class: &ClassObject) -> Self {
        Self {
            waits_for_consumer: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
            provisions: class.provisioner != NO_PROVISIONER,
        }
    }
}
