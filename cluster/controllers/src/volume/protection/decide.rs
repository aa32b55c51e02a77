//! Whether an object is held. Pure.

use k8s_openapi::{
    api::core::v1::{Pod, Volume},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;

use crate::{
    objects::{owner, pod},
    runtime::Key,
};

/// Holds a claim.
pub(super) const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
/// Holds a volume.
pub(super) const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// The claims that a pod uses.
pub(super) fn claims_of(pod: &Pod) -> impl Iterator<Item = Key> + '_ {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("");
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let name = |volume: &Volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
        (Some(claim), _) => Some(claim.claim_name.clone()),
        (None, Some(_)) => Some(format!("{}-{}", pod.name_any(), volume.name)),
        (None, None) => None,
    };
    volumes.filter_map(name).map(move |name| Key::new(namespace, &name))
}

/// Whether a pod holds its claims: one that has no node yet will not get to start, and one that is
/// finished has let go.
pub(super) fn holds(subject: &Pod) -> bool {
    pod::node(subject).is_some() && !pod::is_finished(subject)
}

/// The finalizers that an object should have, if those are others than it has: ours is added while
/// the object lives, and removed once it is on its way out and nobody uses it.
pub(super) fn finalizers(meta: &ObjectMeta, ours: &str, used: bool) -> Option<Vec<String>> {
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    let has = finalizers.iter().any(|known| known == ours);
    match (owner::is_deleting(meta), has) {
        (false, false) => finalizers.push(ours.to_owned()),
        (true, true) if !used => finalizers.retain(|known| known != ours),
        _ => return None,
    }
    Some(finalizers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finalizers_come_and_go() {
        let meta = |finalizers: &[&str], deleting: bool| -> ObjectMeta {
            let deletion = deleting.then_some("2026-01-01T00:00:00Z");
            serde_json::from_value(json!({"finalizers": finalizers, "deletionTimestamp": deletion})).unwrap()
        };
        let cases = [
            (meta(&["x"], false), false, Some(vec!["x", "ours"])),
            (meta(&["x", "ours"], false), false, None),
            (meta(&["x", "ours"], true), true, None),
            (meta(&["x", "ours"], true), false, Some(vec!["x"])),
            (meta(&["x"], true), false, None),
        ];
        for (meta, used, want) in cases {
            let want = want.map(|want| want.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(finalizers(&meta, "ours", used), want, "{meta:?}");
        }
    }

    #[test]
    fn pods_hold_their_claims_from_binding_to_end() {
        let pod = |node: &str, phase: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "p", "namespace": "ns"},
                "spec": {"containers": [], "nodeName": node, "volumes": [
                    {"name": "a", "persistentVolumeClaim": {"claimName": "c"}},
                    {"name": "b", "ephemeral": {}}, {"name": "d", "emptyDir": {}}]},
                "status": {"phase": phase}}))
            .unwrap()
        };
        let claims: Vec<_> = claims_of(&pod("n", "Running")).map(|key| key.to_string()).collect();
        assert_eq!(claims, ["ns/c", "ns/p-b"]);
        assert!(holds(&pod("n", "Running")));
        assert!(!holds(&pod("", "Pending")));
        assert!(!holds(&pod("n", "Succeeded")));
    }
}
