//! Each case is a valid object, a merge patch that breaks it, and what Kubernetes says then.

mod kinds;
mod pods;
mod updates;

use crate::{defaults, patch, schema, validate};
use serde_json::{Value, json};

/// An object as the server has it when it validates: conforming and defaulted.
fn prepared(group: &str, kind: &str, mut object: Value) -> Value {
    let kind = schema::kind(group, "v1", kind).expect("served");
    let findings = schema::conform(kind.type_(), &mut object).expect("conforms");
    assert_eq!(findings.unknown, [""; 0], "a test object has an unknown field");
    defaults::apply(kind, &mut object);
    object
}

fn texts(errors: Vec<validate::FieldError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// What is wrong with a valid object after a patch.
fn created(group: &str, kind: &str, valid: &Value, change: &Value) -> Vec<String> {
    let mut object = valid.clone();
    patch::merge(&mut object, change);
    let row = schema::kind(group, "v1", kind).expect("served");
    texts(validate::create(row, &prepared(group, kind, object)))
}

/// What is wrong with a change of a valid object.
fn updated(group: &str, kind: &str, valid: &Value, change: &Value) -> Vec<String> {
    let row = schema::kind(group, "v1", kind).expect("served");
    let old = prepared(group, kind, valid.clone());
    let mut new = old.clone();
    patch::merge(&mut new, change);
    texts(validate::update(row, &old, &prepared(group, kind, new)))
}

fn check(group: &str, kind: &str, valid: &Value, cases: &[(Value, &[&str])]) {
    assert_eq!(created(group, kind, valid, &json!({})), [""; 0], "the valid {kind}");
    for (change, want) in cases {
        assert_eq!(created(group, kind, valid, change), *want, "{change}");
    }
}

fn check_update(group: &str, kind: &str, valid: &Value, cases: &[(Value, &[&str])]) {
    for (change, want) in cases {
        assert_eq!(updated(group, kind, valid, change), *want, "{change}");
    }
}

fn pod() -> Value {
    json!({"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}})
}

fn deployment() -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod()["spec"]},
    }})
}

fn stateful_set() -> Value {
    json!({"metadata": {"name": "db", "namespace": "default"}, "spec": {
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
            {"name": "c", "image": "mariadb:11", "volumeMounts": [{"name": "data", "mountPath": "/var/lib/mysql"}]}
        ]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim()["spec"]}],
    }})
}

fn service() -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {
        "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}],
        "clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
    }})
}

fn claim() -> Value {
    json!({"metadata": {"name": "data", "namespace": "default"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }})
}

fn volume() -> Value {
    json!({"metadata": {"name": "pv"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/srv/data"},
    }})
}

#[test]
fn metadata() {
    let valid = json!({"metadata": {"name": "a", "namespace": "default"}});
    let long = "a".repeat(64);
    let label = format!("metadata.labels: Invalid value: \"{long}\": must be no more than 63 bytes");
    let big = json!({"metadata": {"annotations": {"a": "x".repeat(256 * 1024)}}});
    let cases: &[(Value, &[&str])] = &[
        (json!({"metadata": {"name": null}}), &["metadata.name: Required value: name or generateName is required"]),
        (json!({"metadata": {"namespace": null}}), &["metadata.namespace: Required value"]),
        (
            json!({"metadata": {"name": "Web"}}),
            &[
                r#"metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
            ],
        ),
        (json!({"metadata": {"generateName": "web-"}}), &[]),
        (json!({"metadata": {"labels": {"a": long}}}), &[&label]),
        (json!({"metadata": {"annotations": {"Example.COM/Mixed": ""}}}), &[]),
        (big, &["metadata.annotations: Too long: may not be more than 262144 bytes"]),
        (
            json!({"metadata": {"ownerReferences": [{"apiVersion": "", "kind": "K", "name": "n", "uid": ""}]}}),
            &[
                "metadata.ownerReferences[0].apiVersion: Required value: must not be empty",
                "metadata.ownerReferences[0].uid: Required value: must not be empty",
            ],
        ),
        (
            json!({"metadata": {"finalizers": ["x"]}}),
            &[
                r#"metadata.finalizers: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified"#,
            ],
        ),
        (json!({"metadata": {"finalizers": ["foregroundDeletion", "example.com/x"]}}), &[]),
    ];
    check("", "ConfigMap", &valid, cases);
    let cluster = json!({"metadata": {"name": "a", "namespace": "x"}});
    assert_eq!(
        created("", "Namespace", &cluster, &json!({})),
        ["metadata.namespace: Forbidden: not allowed on this type"]
    );
}
