//! What claims, volumes and classes say about each other; pure.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeSpec},
    storage::v1::StorageClass,
};
use kube::ResourceExt;

use crate::runtime::Key;

/// On a claim: its volume is settled.
pub(super) const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On a claim or volume: the binder chose the other side, not the user.
pub(super) const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On a volume: who made it.
pub(super) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// On a claim: the node that the scheduler has chosen.
pub(super) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On a claim: who shall make its volume.
pub(super) const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const BETA_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// A class without a provisioner: its volumes are made by people.
pub(super) const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// Both spellings of the annotation that names the provisioner.
pub(super) const PROVISIONER_ANNOTATIONS: [&str; 2] = [PROVISIONER, BETA_PROVISIONER];

/// The class of a claim; empty means none.
pub(super) fn claim_class(claim: &PersistentVolumeClaim) -> &str {
    let named = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    claim.annotations().get(BETA_CLASS).map(String::as_str).or(named).unwrap_or("")
}

/// The class of a volume; empty means none.
pub(super) fn volume_class(volume: &PersistentVolume) -> &str {
    let named = volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    volume.annotations().get(BETA_CLASS).map(String::as_str).or(named).unwrap_or("")
}

/// The name of the volume that a claim has or asks for.
pub(super) fn volume_name(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.spec.as_ref()?.volume_name.as_deref().filter(|name| !name.is_empty())
}

/// The claim that a volume is for.
pub(super) fn claim_key(volume: &PersistentVolume) -> Option<Key> {
    let claim = volume.spec.as_ref()?.claim_ref.as_ref()?;
    Some(Key::new(claim.namespace.as_deref()?, claim.name.as_deref()?))
}

/// The uid of the claim that a volume is bound to; a user who reserves a volume leaves it out.
pub(super) fn claim_uid(volume: &PersistentVolume) -> Option<&str> {
    volume.spec.as_ref()?.claim_ref.as_ref()?.uid.as_deref().filter(|uid| !uid.is_empty())
}

/// Whether a volume is for this very claim.
pub(super) fn is_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    claim_key(volume) == Some(Key::of(claim)) && claim_uid(volume).is_none_or(|uid| claim.uid().as_deref() == Some(uid))
}

/// Whether a claim's volume is settled.
pub(super) fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.annotations().contains_key(BIND_COMPLETED)
}

/// The phase of a volume.
pub(super) fn volume_phase(volume: &PersistentVolume) -> &str {
    volume.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("")
}

/// The phase of a claim.
pub(super) fn claim_phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("")
}

/// Whether the volumes of a class wait for a pod.
pub(super) fn waits_for_consumer(class: Option<&Arc<StorageClass>>) -> bool {
    class.is_some_and(|class| class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"))
}

/// The mode of a volume, `Filesystem` unless it says otherwise.
pub(super) fn volume_mode(spec: &PersistentVolumeSpec) -> &str {
    spec.volume_mode.as_deref().unwrap_or("Filesystem")
}

/// The mode that a claim asks for.
pub(super) fn claim_mode(spec: &PersistentVolumeClaimSpec) -> &str {
    spec.volume_mode.as_deref().unwrap_or("Filesystem")
}
