//! What a claim needs to have a volume. Pure.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use kpkg_events::Severity;
use kube::ResourceExt;

use crate::{
    objects::owner,
    volume::{
        facts,
        matching::{self, Choice},
    },
};

/// All that the decision rests on.
#[derive(Debug)]
pub(super) struct Observed {
    /// The claim.
    pub(super) claim: Arc<PersistentVolumeClaim>,
    /// The volume that it names.
    pub(super) named: Option<Arc<PersistentVolume>>,
    /// All volumes, if it may choose.
    pub(super) volumes: Vec<Arc<PersistentVolume>>,
    /// Its class.
    pub(super) class: Option<Arc<StorageClass>>,
    /// The node that the scheduler has chosen.
    pub(super) node: Option<Arc<Node>>,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Make the claim and the volume each other's, as far as they are not.
    Bind(Arc<PersistentVolume>),
    /// Ask this provisioner for a volume.
    Provision(String),
    /// Tell why there is no volume yet.
    Wait(Severity, &'static str, String),
    /// Tell that the volume is gone for good.
    Lose(&'static str, &'static str),
    /// Nothing.
    Rest,
}

/// Decides.
pub(super) fn decide(observed: &Observed) -> Step {
    let Observed { claim, named, .. } = observed;
    match (facts::is_bound(claim), facts::volume_name(claim), named) {
        (true, None, _) => {
            lost("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")
        }
        (true, Some(_), None) => {
            lost("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
        }
        (true, Some(_), Some(volume)) => settle(claim, volume),
        (false, _, _) if owner::is_deleting(&claim.metadata) => Step::Rest,
        (false, None, _) => choose(observed),
        (false, Some(_), None) => Step::Rest,
        (false, Some(name), Some(volume)) => take(claim, name, volume),
    }
}

fn lost(reason: &'static str, message: &'static str) -> Step {
    Step::Lose(reason, message)
}

/// A claim whose volume is settled, seen against that volume.
fn settle(claim: &PersistentVolumeClaim, volume: &Arc<PersistentVolume>) -> Step {
    if facts::claim_key(volume).is_none() || facts::is_for(volume, claim) {
        return Step::Bind(volume.clone());
    }
    lost("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
}

/// A claim whose user names the volume.
fn take(claim: &PersistentVolumeClaim, name: &str, volume: &Arc<PersistentVolume>) -> Step {
    if facts::is_for(volume, claim) {
        return Step::Bind(volume.clone());
    }
    if facts::claim_key(volume).is_some() {
        let message = format!("volume \"{name}\" already bound to a different claim.");
        return Step::Wait(Severity::Warning, "FailedBinding", message);
    }
    match matching::mismatch(claim, volume) {
        None => Step::Bind(volume.clone()),
        Some(why) => {
            let message = format!("Cannot bind to requested volume \"{name}\": {why}");
            Step::Wait(Severity::Warning, "VolumeMismatch", message)
        }
    }
}

fn choose(observed: &Observed) -> Step {
    let Observed { claim, volumes, class, node, .. } = observed;
    let selected = claim.annotations().contains_key(facts::SELECTED_NODE);
    let waiting = facts::waits_for_consumer(class.as_ref()) && !selected;
    let choice = match node {
        _ if waiting => Choice::Reserved,
        Some(node) => Choice::OnNode(node),
        None => Choice::Any,
    };
    if let Some(volume) = matching::best(claim, volumes, choice) {
        return Step::Bind(volume);
    }
    if waiting {
        let message = "waiting for first consumer to be created before binding".to_owned();
        return Step::Wait(Severity::Normal, "WaitForFirstConsumer", message);
    }
    let name = facts::claim_class(claim);
    match class {
        _ if name.is_empty() => {
            let message = "no persistent volumes available for this claim and no storage class is set".to_owned();
            Step::Wait(Severity::Normal, "FailedBinding", message)
        }
        None => {
            let message = format!("storageclass.storage.k8s.io \"{name}\" not found");
            Step::Wait(Severity::Warning, "ProvisioningFailed", message)
        }
        Some(class) if class.provisioner == facts::NO_PROVISIONER => {
            let message = "no volume plugin matched name: kubernetes.io/no-provisioner".to_owned();
            Step::Wait(Severity::Warning, "ProvisioningFailed", message)
        }
        Some(class) => Step::Provision(class.provisioner.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(extra: Value) -> Arc<PersistentVolumeClaim> {
        let mut value = json!({
            "metadata": {"name": "c", "namespace": "ns", "uid": "u", "annotations": {}},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "local"},
        });
        for (pointer, field) in extra.as_object().unwrap() {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            value.pointer_mut(parent).unwrap()[key] = field.clone();
        }
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn volume(claim_ref: Value) -> Arc<PersistentVolume> {
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": "v"},
                "spec": {"capacity": {"storage": "1Gi"}, "storageClassName": "local", "claimRef": claim_ref},
                "status": {"phase": "Available"},
            }))
            .unwrap(),
        )
    }

    fn class(mode: &str, provisioner: &str) -> Arc<StorageClass> {
        let value = json!({"metadata": {"name": "local"}, "provisioner": provisioner, "volumeBindingMode": mode});
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn step(
        claim: Arc<PersistentVolumeClaim>,
        named: Option<Arc<PersistentVolume>>,
        volumes: Vec<Arc<PersistentVolume>>,
        class: Option<Arc<StorageClass>>,
    ) -> String {
        match decide(&Observed { claim, named, volumes, class, node: None }) {
            Step::Bind(volume) => format!("bind {}", volume.name_any()),
            Step::Provision(by) => format!("provision {by}"),
            Step::Wait(_, reason, message) => format!("{reason}: {message}"),
            Step::Lose(reason, _) => reason.to_owned(),
            Step::Rest => "rest".to_owned(),
        }
    }

    #[test]
    fn every_state_of_a_claim_has_its_step() {
        let bound = |name: Value| {
            claim(json!({"/metadata/annotations": {facts::BIND_COMPLETED: "yes"}, "/spec/volumeName": name}))
        };
        let naming = || claim(json!({"/spec/volumeName": "v"}));
        let ours = || volume(json!({"namespace": "ns", "name": "c", "uid": "u"}));
        let others = || volume(json!({"namespace": "ns", "name": "d", "uid": "x"}));
        let free = || volume(Value::Null);
        let wait = || Some(class("WaitForFirstConsumer", "p"));
        let at_once = || Some(class("Immediate", "p"));
        let selected = || claim(json!({"/metadata/annotations": {facts::SELECTED_NODE: "n"}}));
        let plain = || claim(json!({}));
        let cases = [
            ("bound", step(bound(json!("v")), Some(ours()), vec![], None), "bind v"),
            ("bound, volume unbound by hand", step(bound(json!("v")), Some(free()), vec![], None), "bind v"),
            ("bound twice", step(bound(json!("v")), Some(others()), vec![], None), "ClaimMisbound"),
            ("volume gone", step(bound(json!("v")), None, vec![], None), "ClaimLost"),
            ("reference gone", step(bound(Value::Null), None, vec![], None), "ClaimLost"),
            ("named, free", step(naming(), Some(free()), vec![], None), "bind v"),
            ("named, not there", step(naming(), None, vec![], None), "rest"),
            (
                "named, taken",
                step(naming(), Some(others()), vec![], None),
                "FailedBinding: volume \"v\" already bound to a different claim.",
            ),
            ("free volume", step(plain(), None, vec![free()], at_once()), "bind v"),
            ("provisioned", step(plain(), None, vec![], at_once()), "provision p"),
            (
                "no consumer yet",
                step(plain(), None, vec![free()], wait()),
                "WaitForFirstConsumer: waiting for first consumer to be created before binding",
            ),
            ("reserved", step(plain(), None, vec![ours()], wait()), "bind v"),
            ("consumer scheduled", step(selected(), None, vec![], wait()), "provision p"),
            (
                "no class",
                step(claim(json!({"/spec/storageClassName": ""})), None, vec![], None),
                "FailedBinding: no persistent volumes available for this claim and no storage class is set",
            ),
            (
                "unknown class",
                step(plain(), None, vec![], None),
                "ProvisioningFailed: storageclass.storage.k8s.io \"local\" not found",
            ),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }
}
