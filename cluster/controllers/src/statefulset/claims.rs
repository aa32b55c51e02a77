//! The claims of a set's pods and who owns them; pure.
//!
//! By default claims outlive everything. With `persistentVolumeClaimRetentionPolicy` a claim is
//! owned by the set (to go when the set goes), or by its pod once that pod is one too many (to go
//! when the pod goes).

use std::sync::Arc;

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Resource, ResourceExt};

use super::identity;

/// The claim that the n-th pod needs by one template, not yet made.
pub(super) fn new(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> PersistentVolumeClaim {
    let mut claim = template.clone();
    claim.metadata.name = Some(identity::claim_name(set, template, ordinal));
    claim.metadata.namespace = set.namespace();
    let selected = set.spec.selector.match_labels.clone().unwrap_or_default();
    claim.metadata.labels.get_or_insert_default().extend(selected);
    claim.metadata.owner_references = Some(owners(set, &[], None)).filter(|owners| !owners.is_empty());
    claim.status = None;
    claim
}

/// An existing claim of the n-th pod with the owners it should have, if those are others than it has.
pub(super) fn owners_to_fix(
    set: &StatefulSet,
    claim: &Arc<PersistentVolumeClaim>,
    pod: Option<&Pod>,
    surplus: bool,
) -> Option<Vec<OwnerReference>> {
    let present = claim.owner_references();
    let others: Vec<_> = present.iter().filter(|owner| !is_ours(set, owner)).cloned().collect();
    let wanted = owners(set, &others, pod.filter(|_| surplus));
    let same =
        wanted.len() == present.len() && wanted.iter().all(|owner| present.iter().any(|known| known.uid == owner.uid));
    (!same).then_some(wanted)
}

fn is_ours(set: &StatefulSet, owner: &OwnerReference) -> bool {
    match owner.kind.as_str() {
        "StatefulSet" => owner.name == set.name_any(),
        "Pod" => identity::ordinal(set, &owner.name).is_some(),
        _ => false,
    }
}

fn owners(set: &StatefulSet, others: &[OwnerReference], surplus_pod: Option<&Pod>) -> Vec<OwnerReference> {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    let deletes = |field: Option<&String>| field.is_some_and(|policy| policy == "Delete");
    let when_deleted = deletes(policy.and_then(|policy| policy.when_deleted.as_ref()));
    let when_scaled = deletes(policy.and_then(|policy| policy.when_scaled.as_ref()));
    let mut owners = others.to_vec();
    match surplus_pod.filter(|_| when_scaled) {
        Some(pod) => owners.push(reference(pod)),
        None if when_deleted => owners.push(reference(set)),
        None => {}
    }
    owners
}

fn reference<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(deleted: &str, scaled: &str) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "db", "namespace": "ns", "uid": "set"},
            "spec": {"selector": {"matchLabels": {"app": "db"}}, "template": {},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]},
        }))
        .unwrap()
    }

    #[test]
    fn owners_follow_the_policy() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "db-3", "uid": "pod"}})).unwrap();
        let cases = [
            ("Retain", "Retain", false, &[][..]),
            ("Retain", "Retain", true, &[]),
            ("Delete", "Retain", true, &["set"]),
            ("Retain", "Delete", false, &[]),
            ("Retain", "Delete", true, &["pod"]),
            ("Delete", "Delete", false, &["set"]),
            ("Delete", "Delete", true, &["pod"]),
        ];
        for (deleted, scaled, surplus, want) in cases {
            let set = set(deleted, scaled);
            let stranger = json!([{"kind": "X", "name": "x", "apiVersion": "v1", "uid": "x"},
                {"kind": "Pod", "name": "db-3", "apiVersion": "v1", "uid": "old-pod"}]);
            let mut claim = new(&set, identity::claim_templates(&set).next().unwrap(), 3);
            assert_eq!(claim.name_any(), "data-db-3");
            claim.metadata.owner_references = serde_json::from_value(stranger).unwrap();
            let fixed = owners_to_fix(&set, &Arc::new(claim.clone()), Some(&pod), surplus).unwrap();
            let uids: Vec<_> = fixed.iter().map(|owner| owner.uid.as_str()).collect();
            let want: Vec<_> = std::iter::once("x").chain(want.iter().copied()).collect();
            assert_eq!(uids, want, "{deleted} {scaled} {surplus}");
            claim.metadata.owner_references = Some(fixed);
            assert_eq!(owners_to_fix(&set, &Arc::new(claim), Some(&pod), surplus), None);
        }
    }
}
