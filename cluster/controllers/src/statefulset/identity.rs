//! The names and labels that make a pod the n-th of its set; pure.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume},
};
use kube::ResourceExt;

use crate::objects::{owner, template};

/// The label that holds the name of the pod's revision.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";
const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The number of a pod within its set.
pub(super) fn ordinal(set: &StatefulSet, name: &str) -> Option<i32> {
    let digits = name.strip_prefix(&set.name_any())?.strip_prefix('-')?;
    // `web-01` and `web--1` are names of others.
    let ordinal: i32 = digits.parse().ok()?;
    (ordinal >= 0 && ordinal.to_string() == digits).then_some(ordinal)
}

/// Whether a pod's name is one that this set gives.
pub(super) fn is_member(set: &StatefulSet, pod: &Pod) -> bool {
    ordinal(set, &pod.name_any()).is_some()
}

/// The name of the n-th pod.
pub(super) fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.name_any())
}

/// The ordinals that the set wants.
pub(super) fn wanted(set: &StatefulSet) -> std::ops::Range<i32> {
    let start = set.spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
    start..start.saturating_add(set.spec.replicas.unwrap_or(1))
}

/// The labels that identify the n-th pod.
pub(super) fn labels(set: &StatefulSet, ordinal: i32) -> BTreeMap<String, String> {
    [(NAME_LABEL.to_owned(), pod_name(set, ordinal)), (INDEX_LABEL.to_owned(), ordinal.to_string())].into()
}

/// The n-th pod, made of one revision's template.
pub(super) fn pod(set: &StatefulSet, template: &PodTemplateSpec, revision: &str, ordinal: i32) -> Pod {
    let name = pod_name(set, ordinal);
    let namespace = set.namespace().unwrap_or_default();
    let mut pod = template::pod(template, &namespace, owner::controller_ref(set));
    pod.metadata.name = Some(name.clone());
    let own = pod.metadata.labels.get_or_insert_default();
    own.extend(labels(set, ordinal));
    own.insert(REVISION_LABEL.to_owned(), revision.to_owned());
    pod.metadata.generate_name = Some(format!("{}-", set.name_any()));
    if let Some(spec) = &mut pod.spec {
        spec.hostname = Some(name);
        spec.subdomain = set.spec.service_name.clone().filter(|service| !service.is_empty());
        let claimed = claim_templates(set).map(|claim| volume(set, claim, ordinal));
        let claimed: Vec<Volume> = claimed.collect();
        let volumes = spec.volumes.get_or_insert_default();
        volumes.retain(|volume| claimed.iter().all(|claimed| claimed.name != volume.name));
        volumes.extend(claimed);
    }
    pod
}

/// The set's claim templates.
pub(super) fn claim_templates(set: &StatefulSet) -> impl Iterator<Item = &PersistentVolumeClaim> {
    set.spec.volume_claim_templates.iter().flatten()
}

/// The name of the n-th pod's claim by one template.
pub(super) fn claim_name(set: &StatefulSet, claim: &PersistentVolumeClaim, ordinal: i32) -> String {
    format!("{}-{}-{ordinal}", claim.name_any(), set.name_any())
}

fn volume(set: &StatefulSet, claim: &PersistentVolumeClaim, ordinal: i32) -> Volume {
    Volume {
        name: claim.name_any(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim_name(set, claim, ordinal),
            read_only: None,
        }),
        ..Volume::default()
    }
}

/// The revision that a pod was made of.
pub(super) fn revision(pod: &Pod) -> &str {
    pod.labels().get(REVISION_LABEL).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set() -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "db", "namespace": "ns", "uid": "u"},
            "spec": {"replicas": 3, "serviceName": "db-all", "ordinals": {"start": 1},
                "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [],
                    "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]},
        }))
        .unwrap()
    }

    #[test]
    fn ordinals_are_read_off_names() {
        let cases =
            [("db-0", Some(0)), ("db-12", Some(12)), ("db-01", None), ("db", None), ("dbx-1", None), ("db--1", None)];
        for (name, want) in cases {
            assert_eq!(ordinal(&set(), name), want, "{name}");
        }
        assert_eq!(wanted(&set()), 1..4);
    }

    #[test]
    fn a_pod_has_name_labels_and_volumes_of_its_own() {
        let pod = pod(&set(), &set().spec.template, "db-abc", 2);
        assert_eq!(pod.name_any(), "db-2");
        assert_eq!(pod.labels()[NAME_LABEL], "db-2");
        assert_eq!(pod.labels()[INDEX_LABEL], "2");
        assert_eq!(revision(&pod), "db-abc");
        let spec = pod.spec.unwrap();
        assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("db-2"), Some("db-all")));
        let volumes = spec.volumes.unwrap();
        let names: Vec<_> = volumes.iter().map(|volume| volume.name.as_str()).collect();
        assert_eq!(names, ["tmp", "data"], "the claim takes the place of the volume of its name");
        assert_eq!(volumes[1].persistent_volume_claim.as_ref().unwrap().claim_name, "data-db-2");
    }
}
