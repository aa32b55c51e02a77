//! Which volume suits a claim; pure.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{
    api::core::v1::{
        Node, NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim,
        PersistentVolumeClaimSpec, PersistentVolumeSpec, VolumeNodeAffinity,
    },
    apimachinery::pkg::api::resource::Quantity as Text,
};
use kpkg_api::quantity::Quantity;
use kube::{
    ResourceExt,
    core::{Expression, Selector, SelectorExt},
};

use super::facts;
use crate::objects::owner;

/// What a claim may choose from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice<'a> {
    /// Any volume.
    Any,
    /// Any volume that this node reaches.
    OnNode(&'a Node),
    /// Only one that was made or reserved for it.
    Reserved,
}

/// The smallest volume that satisfies the claim; one reserved for it comes first.
pub(super) fn best(
    claim: &PersistentVolumeClaim,
    volumes: &[Arc<PersistentVolume>],
    choice: Choice<'_>,
) -> Option<Arc<PersistentVolume>> {
    let usable = |volume: &&Arc<PersistentVolume>| {
        !owner::is_deleting(&volume.metadata) && mismatch(claim, volume).is_none() && reaches(volume, choice)
    };
    let reserved = volumes.iter().filter(usable).find(|volume| facts::is_for(volume, claim));
    if reserved.is_some() || matches!(choice, Choice::Reserved) {
        return reserved.cloned();
    }
    let selects = selector(claim)?;
    let free = volumes.iter().filter(usable).filter(|volume| {
        facts::claim_key(volume).is_none() && facts::volume_phase(volume) == "Available" && selects(volume)
    });
    free.min_by_key(|volume| (capacity(volume), volume.name_any())).cloned()
}

/// Why a volume does not satisfy a claim.
pub(super) fn mismatch(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Option<&'static str> {
    let (wanted, offered) = (claim.spec.as_ref()?, volume.spec.as_ref()?);
    if requested(wanted) > capacity(volume) {
        return Some("requested PV is too small");
    }
    if facts::claim_class(claim) != facts::volume_class(volume) {
        return Some("storageClassName does not match");
    }
    if facts::claim_mode(wanted) != facts::volume_mode(offered) {
        return Some("incompatible volumeMode");
    }
    if !modes_suffice(wanted, offered) {
        return Some("incompatible accessMode");
    }
    None
}

fn modes_suffice(wanted: &PersistentVolumeClaimSpec, offered: &PersistentVolumeSpec) -> bool {
    let offered: BTreeSet<_> = offered.access_modes.iter().flatten().collect();
    wanted.access_modes.iter().flatten().all(|mode| offered.contains(mode))
}

fn requested(claim: &PersistentVolumeClaimSpec) -> Quantity {
    let requests = claim.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    number(requests.and_then(|requests| requests.get("storage")))
}

fn capacity(volume: &PersistentVolume) -> Quantity {
    let capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref());
    number(capacity.and_then(|capacity| capacity.get("storage")))
}

fn number(text: Option<&Text>) -> Quantity {
    text.and_then(|text| text.0.parse().ok()).unwrap_or(Quantity::ZERO)
}

/// The claim's selector of volumes; `None` if it cannot be read, which selects nothing.
fn selector(claim: &PersistentVolumeClaim) -> Option<impl Fn(&PersistentVolume) -> bool + use<>> {
    let given = claim.spec.as_ref()?.selector.clone().unwrap_or_default();
    let selector = Selector::try_from(given).ok()?;
    Some(move |volume: &PersistentVolume| selector.matches(volume.labels()))
}

fn reaches(volume: &PersistentVolume, choice: Choice<'_>) -> bool {
    let Choice::OnNode(node) = choice else { return true };
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref());
    affinity.is_none_or(|affinity| admits(affinity, node))
}

fn admits(affinity: &VolumeNodeAffinity, node: &Node) -> bool {
    let Some(required) = &affinity.required else { return true };
    required.node_selector_terms.iter().any(|term| term_admits(term, node))
}

fn term_admits(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    // Fields say nothing about volumes, and a term that says nothing admits nothing.
    !expressions.is_empty()
        && expressions.iter().all(|requirement| expression(requirement).is_some_and(|it| it.matches(node.labels())))
}

/// Orders (`Gt`, `Lt`) are not used for volumes.
fn expression(requirement: &NodeSelectorRequirement) -> Option<Expression> {
    let key = requirement.key.clone();
    let values = requirement.values.iter().flatten().cloned().collect();
    match requirement.operator.as_str() {
        "In" => Some(Expression::In(key, values)),
        "NotIn" => Some(Expression::NotIn(key, values)),
        "Exists" => Some(Expression::Exists(key)),
        "DoesNotExist" => Some(Expression::DoesNotExist(key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn volume(name: &str, size: &str, extra: Value) -> Arc<PersistentVolume> {
        let mut spec = json!({"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "storageClassName": "fast"});
        for (key, value) in extra.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let metadata = json!({"name": name, "labels": {"name": name}});
        Arc::new(
            serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": {"phase": "Available"}}))
                .unwrap(),
        )
    }

    fn claim(size: &str, extra: Value) -> PersistentVolumeClaim {
        let mut spec = json!({"resources": {"requests": {"storage": size}}, "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast"});
        for (key, value) in extra.as_object().unwrap() {
            spec[key] = value.clone();
        }
        serde_json::from_value(json!({"metadata": {"name": "c", "namespace": "ns", "uid": "u"}, "spec": spec})).unwrap()
    }

    fn on(host: &str) -> Value {
        json!({"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": [host]}]}]}}})
    }

    #[test]
    fn the_smallest_that_suits_is_chosen() {
        let reserved = |uid: Value| json!({"claimRef": {"namespace": "ns", "name": "c", "uid": uid}});
        let plain = || json!({});
        let volumes = [
            volume("large", "10Gi", plain()),
            volume("medium", "5Gi", plain()),
            volume("small", "1Gi", plain()),
            volume("other-class", "5Gi", json!({"storageClassName": "slow"})),
            volume("block", "5Gi", json!({"volumeMode": "Block"})),
            volume("read-only", "5Gi", json!({"accessModes": ["ReadOnlyMany"]})),
            volume("taken", "5Gi", json!({"claimRef": {"namespace": "ns", "name": "d", "uid": "x"}})),
        ];
        let name = |claim: &PersistentVolumeClaim, volumes: &[Arc<PersistentVolume>]| {
            best(claim, volumes, Choice::Any).map(|volume| volume.name_any())
        };
        assert_eq!(name(&claim("2Gi", plain()), &volumes), Some("medium".into()));
        assert_eq!(name(&claim("20Gi", plain()), &volumes), None);
        let selecting = claim("2Gi", json!({"selector": {"matchLabels": {"name": "large"}}}));
        assert_eq!(name(&selecting, &volumes), Some("large".into()));
        for uid in [json!("u"), Value::Null] {
            let mut all = volumes.to_vec();
            all.push(volume("mine", "50Gi", reserved(uid)));
            assert_eq!(name(&claim("2Gi", plain()), &all), Some("mine".into()));
        }
        let mut all = volumes.to_vec();
        all.push(volume("namesake's", "5Gi", reserved(json!("dead"))));
        assert_eq!(name(&claim("2Gi", plain()), &all), Some("medium".into()));
        assert!(best(&claim("2Gi", plain()), &volumes, Choice::Reserved).is_none());
    }

    #[test]
    fn a_volume_must_be_reachable_from_the_node() {
        let volumes = [volume("a", "1Gi", on("one")), volume("b", "2Gi", on("two"))];
        let node = |host: &str| -> Node {
            serde_json::from_value(json!({"metadata": {"name": host, "labels": {"kubernetes.io/hostname": host}}}))
                .unwrap()
        };
        let chosen = |host| best(&claim("1Gi", json!({})), &volumes, Choice::OnNode(&node(host)));
        assert_eq!(chosen("two").unwrap().name_any(), "b");
        assert!(chosen("three").is_none());
    }
}
