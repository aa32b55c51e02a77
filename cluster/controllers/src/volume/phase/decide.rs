//! The phase of a volume. Pure.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::ResourceExt;

use crate::volume::facts;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Give it this phase.
    Phase(&'static str),
    /// Take it back from the claim that the binder chose for it.
    Unbind,
    /// Nothing.
    Rest,
}

/// Decides; `claim` is the one that the volume is for, of the uid that it says.
pub(super) fn decide(volume: &PersistentVolume, claim: Option<&PersistentVolumeClaim>) -> Step {
    // Without a uid it is free, or reserved by its user for a claim that has not taken it yet.
    if facts::claim_uid(volume).is_none() {
        return Step::Phase("Available");
    }
    let Some(claim) = claim else {
        return if facts::volume_phase(volume) == "Failed" { Step::Rest } else { Step::Phase("Released") };
    };
    let has = |annotation: &str| volume.annotations().contains_key(annotation);
    match facts::volume_name(claim) {
        Some(name) if name == volume.name_any() => Step::Phase("Bound"),
        // The claim has another volume: this one was made or chosen in vain.
        Some(_) if has(facts::PROVISIONED_BY) => Step::Phase("Released"),
        Some(_) if has(facts::BOUND_BY_CONTROLLER) => Step::Unbind,
        // The claim is being bound, or has been given another by its user.
        _ => Step::Rest,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_phase_follows_the_claim() {
        let volume = |claim_ref: Value, annotation: &str| -> PersistentVolume {
            serde_json::from_value(json!({
                "metadata": {"name": "v", "annotations": {annotation: "yes"}}, "spec": {"claimRef": claim_ref}}))
            .unwrap()
        };
        let claim = |name: Value| -> PersistentVolumeClaim {
            serde_json::from_value(json!({"metadata": {"name": "c"}, "spec": {"volumeName": name}})).unwrap()
        };
        let bound = || json!({"namespace": "ns", "name": "c", "uid": "u"});
        let reserved = json!({"namespace": "ns", "name": "c"});
        let cases = vec![
            ("free", volume(Value::Null, "x"), None, Step::Phase("Available")),
            ("reserved", volume(reserved, "x"), Some(claim(Value::Null)), Step::Phase("Available")),
            ("claim gone", volume(bound(), "x"), None, Step::Phase("Released")),
            ("being bound", volume(bound(), "x"), Some(claim(Value::Null)), Step::Rest),
            ("bound", volume(bound(), "x"), Some(claim(json!("v"))), Step::Phase("Bound")),
            ("chosen in vain", volume(bound(), facts::BOUND_BY_CONTROLLER), Some(claim(json!("w"))), Step::Unbind),
            ("made in vain", volume(bound(), facts::PROVISIONED_BY), Some(claim(json!("w"))), Step::Phase("Released")),
        ];
        for (name, volume, claim, want) in cases {
            assert_eq!(decide(&volume, claim.as_ref()), want, "{name}");
        }
    }
}
