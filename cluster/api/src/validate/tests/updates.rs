//! What may change.

use super::{check_update, claim, deployment, pod, service, stateful_set, volume};
use serde_json::{Value, json};

const FIXED_POD: &str = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

#[test]
fn metadata() {
    let mut old =
        json!({"metadata": {"name": "a", "namespace": "default", "uid": "u", "finalizers": ["example.com/a"]}});
    let cases: &[(Value, &[&str])] = &[
        (json!({"metadata": {"labels": {"a": "b"}}}), &[]),
        (json!({"metadata": {"uid": "v"}}), &[r#"metadata.uid: Invalid value: "v": field is immutable"#]),
        (json!({"metadata": {"name": "b"}}), &[r#"metadata.name: Invalid value: "b": field is immutable"#]),
    ];
    check_update("", "ConfigMap", &old, cases);
    old["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let cases: &[(Value, &[&str])] = &[
        (json!({"metadata": {"finalizers": null}}), &[]),
        (
            json!({"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}),
            &[
                r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/b"}"#,
            ],
        ),
    ];
    check_update("", "ConfigMap", &old, cases);
}

#[test]
fn pods() {
    let container = |fields: Value| {
        let mut container = json!({"name": "c", "image": "nginx:1.27"});
        crate::patch::merge(&mut container, &fields);
        json!({"spec": {"containers": [container]}})
    };
    let mut old = pod();
    old["spec"]["tolerations"] = json!([{"key": "a", "operator": "Exists"}]);
    let cases: &[(Value, &[&str])] = &[
        (container(json!({"image": "nginx:1.28", "imagePullPolicy": "IfNotPresent"})), &[]),
        (container(json!({"args": ["x"]})), &[FIXED_POD]),
        (json!({"spec": {"nodeName": "n"}}), &[FIXED_POD]),
        (json!({"spec": {"activeDeadlineSeconds": 5}}), &[]),
        (
            json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]}}),
            &[],
        ),
        (
            json!({"spec": {"tolerations": []}}),
            &["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
        ),
        (
            json!({"spec": {"containers": [{"name": "c", "image": "nginx:1.27"}, {"name": "d", "image": "x"}]}}),
            &["spec.containers: Forbidden: pod updates may not add or remove containers"],
        ),
        (
            json!({"spec": {"schedulingGates": [{"name": "g"}]}}),
            &["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
        ),
    ];
    check_update("", "Pod", &old, cases);
}

#[test]
fn workloads() {
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"replicas": 3}}), &[]),
        (
            json!({"spec": {"selector": {"matchLabels": {"tier": "x"}}, "template": {"metadata": {"labels": {"tier": "x"}}}}}),
            &[r#"spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"x"}}: field is immutable"#],
        ),
    ];
    check_update("apps", "Deployment", &deployment(), cases);
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"replicas": 3, "minReadySeconds": 5}}), &[]),
        (
            json!({"spec": {"serviceName": "other"}}),
            &[
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
            ],
        ),
    ];
    check_update("apps", "StatefulSet", &stateful_set(), cases);
}

#[test]
fn services() {
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"ports": [{"port": 81}]}}), &[]),
        (
            json!({"spec": {"clusterIP": "10.96.0.11", "clusterIPs": ["10.96.0.11"]}}),
            &[r#"spec.clusterIPs[0]: Invalid value: ["10.96.0.11"]: may not change once set"#],
        ),
        (
            json!({"spec": {"clusterIP": null, "clusterIPs": null}}),
            &["spec.clusterIPs[0]: Invalid value: []: primary clusterIP can not be unset"],
        ),
    ];
    check_update("", "Service", &service(), cases);
}

#[test]
fn storage() {
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"volumeName": "pv"}}), &[]),
        (
            json!({"spec": {"accessModes": ["ReadWriteMany"]}}),
            &[
                "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
            ],
        ),
        (
            json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
            &[
                "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
            ],
        ),
    ];
    check_update("", "PersistentVolumeClaim", &claim(), cases);
    let mut bound = claim();
    bound["status"] = json!({"phase": "Bound", "capacity": {"storage": "1Gi"}});
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}), &[]),
        (
            json!({"spec": {"resources": {"requests": {"storage": "500Mi"}}}}),
            &["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
        ),
    ];
    check_update("", "PersistentVolumeClaim", &bound, cases);
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"claimRef": {"name": "c", "namespace": "n"}}}), &[]),
        (
            json!({"spec": {"hostPath": {"path": "/other"}}}),
            &["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"],
        ),
    ];
    check_update("", "PersistentVolume", &volume(), cases);
}

#[test]
fn immutable_data() {
    let old = json!({"metadata": {"name": "a", "namespace": "default"}, "immutable": true, "data": {"a": "eA=="}});
    let cases: &[(Value, &[&str])] = &[
        (json!({"metadata": {"labels": {"a": "b"}}}), &[]),
        (json!({"immutable": null}), &["immutable: Forbidden: field is immutable when `immutable` is set"]),
        (json!({"data": {"b": "eA=="}}), &["data: Forbidden: field is immutable when `immutable` is set"]),
    ];
    check_update("", "ConfigMap", &old, cases);
    check_update("", "Secret", &old, cases);
    let cases: &[(Value, &[&str])] =
        &[(json!({"type": "other"}), &[r#"type: Invalid value: "other": field is immutable"#])];
    check_update("", "Secret", &old, cases);
}
