//! Which volume a claim gets, and which folder goes. Pure.

use std::{path::Path, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{
            HostPathVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume,
            PersistentVolumeClaim, PersistentVolumeSpec, VolumeNodeAffinity,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Resource, ResourceExt};

use super::NAME;
use crate::{objects::owner, volume::facts};

const HOSTNAME: &str = "kubernetes.io/hostname";

/// All that the decision rests on.
pub(super) struct Observed<'a> {
    /// The claim.
    pub(super) claim: Arc<PersistentVolumeClaim>,
    /// The volume made for it before.
    pub(super) volume: Option<Arc<PersistentVolume>>,
    /// Its class.
    pub(super) class: Option<Arc<StorageClass>>,
    /// All nodes.
    pub(super) nodes: Vec<Arc<Node>>,
    /// The folder of all volumes.
    pub(super) root: &'a Path,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Make the folder of this name and publish the volume.
    Make(String, Box<PersistentVolume>),
    /// Tell why no volume can be made.
    Refuse(String),
    /// Have the scheduler choose again: its node is gone.
    Unselect(String),
    /// Nothing.
    Rest,
}

/// The name of the volume for a claim: the same at every attempt.
pub(super) fn volume_name(claim: &PersistentVolumeClaim) -> String {
    format!("pvc-{}", claim.uid().unwrap_or_default())
}

/// Decides.
pub(super) fn decide(observed: &Observed<'_>) -> Step {
    let Observed { claim, class, .. } = observed;
    let asked = claim.annotations().get(facts::PROVISIONER).is_some_and(|by| by == NAME);
    let settled = facts::is_bound(claim) || facts::volume_name(claim).is_some() || observed.volume.is_some();
    if !asked || settled || owner::is_deleting(&claim.metadata) {
        return Step::Rest;
    }
    let Some(class) = class.as_ref().filter(|class| class.provisioner == NAME) else { return Step::Rest };
    let spec = claim.spec.clone().unwrap_or_default();
    if facts::claim_mode(&spec) != "Filesystem" {
        return Step::Refuse("local-path volumes are file systems; volumeMode Block is not supported".to_owned());
    }
    let selected = claim.annotations().get(facts::SELECTED_NODE);
    if facts::waits_for_consumer(Some(class)) && selected.is_none() {
        return Step::Rest;
    }
    match choose_node(selected, &observed.nodes) {
        Ok(node) => make(observed, class, node),
        Err(step) => step,
    }
}

fn choose_node<'a>(selected: Option<&String>, nodes: &'a [Arc<Node>]) -> Result<&'a Node, Step> {
    if let Some(name) = selected {
        let found = nodes.iter().find(|node| node.name_any() == *name);
        return found.map(|node| &**node).ok_or_else(|| Step::Unselect(name.clone()));
    }
    // Bound at once: any node will do, and the same one at every attempt.
    let first = nodes.iter().min_by_key(|node| node.name_any());
    first.map(|node| &**node).ok_or_else(|| Step::Refuse("no node to make the volume on".to_owned()))
}

fn make(observed: &Observed<'_>, class: &StorageClass, node: &Node) -> Step {
    let claim = &observed.claim;
    let spec = claim.spec.clone().unwrap_or_default();
    let name = volume_name(claim);
    let folder = format!("{name}_{}_{}", claim.namespace().unwrap_or_default(), claim.name_any());
    let requests = spec.resources.and_then(|resources| resources.requests).unwrap_or_default();
    let capacity = requests.into_iter().filter(|(resource, _)| resource == "storage").collect();
    let mut claim_ref = claim.object_ref(&());
    claim_ref.resource_version = claim.resource_version();
    let volume = PersistentVolume {
        metadata: ObjectMeta {
            name: Some(name),
            annotations: Some([(facts::PROVISIONED_BY.to_owned(), NAME.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            capacity: Some(capacity),
            access_modes: spec.access_modes,
            claim_ref: Some(claim_ref),
            storage_class_name: Some(class.name_any()),
            persistent_volume_reclaim_policy: class.reclaim_policy.clone().or_else(|| Some("Delete".to_owned())),
            mount_options: class.mount_options.clone(),
            volume_mode: Some("Filesystem".to_owned()),
            host_path: Some(HostPathVolumeSource {
                path: observed.root.join(&folder).to_string_lossy().into_owned(),
                // A node that joins later makes the folder itself.
                type_: Some("DirectoryOrCreate".to_owned()),
            }),
            node_affinity: Some(on_node(node)),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    };
    Step::Make(folder, Box::new(volume))
}

fn on_node(node: &Node) -> VolumeNodeAffinity {
    let hostname = node.labels().get(HOSTNAME).cloned().unwrap_or_else(|| node.name_any());
    let requirement =
        NodeSelectorRequirement { key: HOSTNAME.to_owned(), operator: "In".to_owned(), values: Some(vec![hostname]) };
    let term = NodeSelectorTerm { match_expressions: Some(vec![requirement]), match_fields: None };
    VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }
}

/// The name of the folder to remove with a volume that is done with; only ever one directly under
/// the root.
pub(super) fn to_remove<'a>(volume: &'a PersistentVolume, root: &Path) -> Option<&'a str> {
    let spec = volume.spec.as_ref()?;
    let ours = volume.annotations().get(facts::PROVISIONED_BY).is_some_and(|by| by == NAME);
    let done = facts::volume_phase(volume) == "Released"
        && spec.persistent_volume_reclaim_policy.as_deref() == Some("Delete")
        && !owner::is_deleting(&volume.metadata);
    let path = Path::new(spec.host_path.as_ref().filter(|_| ours && done)?.path.as_str());
    let folder = path.file_name()?.to_str()?;
    // A volume that points elsewhere was tampered with.
    (path.parent() == Some(root) && folder.starts_with(&volume.name_any())).then_some(folder)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn observed<'a>(claim: Value, nodes: &[&str], mode: &str) -> Observed<'a> {
        let class = json!({"metadata": {"name": "local-path"}, "provisioner": NAME, "volumeBindingMode": mode,
            "reclaimPolicy": "Retain"});
        let mut base = json!({
            "metadata": {"name": "data", "namespace": "ns", "uid": "u", "annotations": {facts::PROVISIONER: NAME}},
            "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "local-path",
                "resources": {"requests": {"storage": "1Gi"}}},
        });
        for (pointer, field) in claim.as_object().unwrap() {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            base.pointer_mut(parent).unwrap()[key] = field.clone();
        }
        let node = |name: &&str| {
            let labels = json!({HOSTNAME: format!("host-of-{name}")});
            Arc::new(serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap())
        };
        Observed {
            claim: Arc::new(serde_json::from_value(base).unwrap()),
            volume: None,
            class: Some(Arc::new(serde_json::from_value(class).unwrap())),
            nodes: nodes.iter().map(node).collect(),
            root: Path::new("/volumes"),
        }
    }

    #[test]
    fn a_claim_gets_a_folder_on_its_node() {
        let selected = json!({"/metadata/annotations": {facts::PROVISIONER: NAME, facts::SELECTED_NODE: "b"}});
        let Step::Make(folder, volume) = decide(&observed(selected, &["a", "b"], "WaitForFirstConsumer")) else {
            panic!()
        };
        assert_eq!(folder, "pvc-u_ns_data");
        let value = serde_json::to_value(&volume).unwrap();
        assert_eq!(value["spec"]["hostPath"]["path"], "/volumes/pvc-u_ns_data");
        assert_eq!(value["spec"]["accessModes"], json!(["ReadWriteMany"]));
        assert_eq!(value["spec"]["persistentVolumeReclaimPolicy"], "Retain");
        assert_eq!(value["spec"]["claimRef"]["uid"], "u");
        let terms = &value["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
        assert_eq!(terms[0]["matchExpressions"][0]["values"], json!(["host-of-b"]));
    }

    #[test]
    fn others_wait_or_are_refused() {
        let gone = json!({"/metadata/annotations": {facts::PROVISIONER: NAME, facts::SELECTED_NODE: "c"}});
        let wait = "WaitForFirstConsumer";
        assert_eq!(decide(&observed(json!({}), &["a"], wait)), Step::Rest);
        assert_eq!(decide(&observed(gone, &["a"], wait)), Step::Unselect("c".into()));
        assert!(matches!(decide(&observed(json!({}), &["a"], "Immediate")), Step::Make(..)));
        assert!(matches!(decide(&observed(json!({}), &[], "Immediate")), Step::Refuse(_)));
        let block = json!({"/spec/volumeMode": "Block"});
        assert!(matches!(decide(&observed(block, &["a"], "Immediate")), Step::Refuse(_)));
        let foreign = json!({"/metadata/annotations": {facts::PROVISIONER: "other"}});
        assert_eq!(decide(&observed(foreign, &["a"], "Immediate")), Step::Rest);
    }

    #[test]
    fn only_folders_of_released_volumes_go() {
        let volume = |path: &str, phase: &str, policy: &str| -> PersistentVolume {
            serde_json::from_value(json!({
                "metadata": {"name": "pvc-u", "annotations": {facts::PROVISIONED_BY: NAME}},
                "spec": {"hostPath": {"path": path}, "persistentVolumeReclaimPolicy": policy},
                "status": {"phase": phase}}))
            .unwrap()
        };
        let root = Path::new("/volumes");
        let cases = [
            ("/volumes/pvc-u_ns_data", "Released", "Delete", Some("pvc-u_ns_data")),
            ("/volumes/pvc-u_ns_data", "Bound", "Delete", None),
            ("/volumes/pvc-u_ns_data", "Released", "Retain", None),
            ("/etc/pvc-u_ns_data", "Released", "Delete", None),
            ("/volumes/../etc/pvc-u", "Released", "Delete", None),
            ("/volumes/other", "Released", "Delete", None),
            ("/volumes", "Released", "Delete", None),
        ];
        for (path, phase, policy, want) in cases {
            assert_eq!(to_remove(&volume(path, phase, policy), root), want, "{path} {phase} {policy}");
        }
    }
}
