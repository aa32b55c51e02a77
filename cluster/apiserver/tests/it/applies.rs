//! Server-side apply, and who owns which fields.

use crate::kit::{Answer, CONFIG_MAPS, Cluster, DEPLOYMENTS, deployment};
use http::Method;
use serde_json::{Value, json};

const APPLY: &str = "application/apply-patch+yaml";

async fn apply(cluster: &Cluster, path: &str, manager: &str, config: &Value) -> Answer {
    let path = format!("{path}{}fieldManager={manager}", if path.contains('?') { '&' } else { '?' });
    cluster.write(Method::PATCH, &path, APPLY, config.to_string()).await
}

fn config(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

fn web(replicas: i64) -> Value {
    let mut web = deployment("web");
    web["apiVersion"] = json!("apps/v1");
    web["kind"] = json!("Deployment");
    web["spec"]["replicas"] = json!(replicas);
    web
}

/// The managers of an object, with the subresource they write through.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| {
            format!("{} {} {}", text(&entry["manager"]), text(&entry["operation"]), text(&entry["subresource"]))
        })
        .collect()
}

#[tokio::test]
async fn an_apply_makes_and_merges() {
    let cluster = Cluster::new().await;
    let path = format!("{CONFIG_MAPS}/a");
    let made = apply(&cluster, &path, "me", &config(&json!({"x": "1", "y": "1"}))).await;
    assert_eq!(made.status, 201);
    let merged = apply(&cluster, &path, "you", &config(&json!({"z": "1"}))).await;
    assert_eq!(merged.status, 200);
    let merged = merged.ok();
    assert_eq!(merged["data"], json!({"x": "1", "y": "1", "z": "1"}));
    let less = apply(&cluster, &path, "me", &config(&json!({"x": "1"}))).await.ok();
    assert_eq!(less["data"], json!({"x": "1", "z": "1"}));
    // The same again writes nothing.
    let same = apply(&cluster, &path, "me", &config(&json!({"x": "1"}))).await.ok();
    assert_eq!(same, less);
}

#[tokio::test]
async fn a_conflict_lists_its_causes() {
    let cluster = Cluster::new().await;
    let path = format!("{CONFIG_MAPS}/a");
    apply(&cluster, &path, "me", &config(&json!({"x": "1"}))).await.ok();
    let refused = apply(&cluster, &path, "you", &config(&json!({"x": "2"}))).await;
    assert_eq!(refused.failure(), (409, "Conflict", "Apply failed with 1 conflict: conflict with \"me\": .data.x"));
    assert_eq!(
        refused.body["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"me\"", "field": ".data.x"}])
    );
    let forced = apply(&cluster, &format!("{path}?force=true"), "you", &config(&json!({"x": "2"}))).await.ok();
    assert_eq!(forced["data"]["x"], "2");
    assert_eq!(managers(&forced), ["you Apply "]);
}

#[tokio::test]
async fn what_is_no_apply_is_refused() {
    let cluster = Cluster::new().await;
    let path = format!("{CONFIG_MAPS}/a");
    let with = |key: &str, value: Value| {
        let mut config = config(&json!({}));
        config[key] = value;
        config
    };
    let cases = [
        (
            with("dat", json!({})),
            500,
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .dat: field not declared in schema",
        ),
        (with("kind", json!("")), 400, "error getting group version kind: Object 'kind' is missing in apply patch"),
        (
            with("apiVersion", json!("v2")),
            400,
            "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
        ),
        (with("metadata", json!({"name": "a", "managedFields": []})), 400, "metadata.managedFields must be nil"),
        (
            with("metadata", json!({"name": "b"})),
            400,
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        (
            with("metadata", json!({"uid": "x"})),
            409,
            "Operation cannot be fulfilled on configmaps \"a\": uid mismatch: the provided object specified uid x, and no existing object was found",
        ),
    ];
    for (config, code, why) in cases {
        let answer = apply(&cluster, &path, "me", &config).await;
        assert_eq!((answer.failure().0, answer.failure().2), (code, why));
    }
    let nobody = cluster.write(Method::PATCH, &path, APPLY, "{}").await;
    assert_eq!(
        nobody.failure().2,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
    );
    cluster.config_map("a", json!({})).await;
    let forced = cluster.merge(&format!("{path}?force=true"), json!({})).await;
    assert_eq!(
        forced.failure().2,
        "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch"
    );
}

#[tokio::test]
async fn every_way_to_write_is_booked() {
    let cluster = Cluster::new().await;
    cluster.post(&format!("{DEPLOYMENTS}?fieldManager=maker"), web(1)).await.ok();
    let path = format!("{DEPLOYMENTS}/web");
    cluster.merge(&format!("{path}/status?fieldManager=reporter"), json!({"status": {"replicas": 1}})).await.ok();
    cluster.merge(&format!("{path}/scale?fieldManager=scaler"), json!({"spec": {"replicas": 3}})).await.ok();
    let labelled = json!({"metadata": {"labels": {"a": "b"}}, "status": {"replicas": 9}});
    let object = cluster.merge(&format!("{path}?fieldManager=labeller"), labelled).await.ok();
    let mut found = managers(&object);
    found.sort();
    assert_eq!(found, ["labeller Update ", "maker Update ", "reporter Update status", "scaler Update scale"]);
    let scaler = object["metadata"]["managedFields"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|entry| entry["manager"] == "scaler");
    assert_eq!(scaler.expect("there")["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    // Nothing changes, so nobody's fields do.
    let same = cluster.merge(&format!("{path}?fieldManager=idler"), json!({"spec": {"replicas": 3}})).await.ok();
    assert_eq!(same["metadata"], object["metadata"]);
}

#[tokio::test]
async fn subresources_are_applied() {
    let cluster = Cluster::new().await;
    let path = format!("{DEPLOYMENTS}/web");
    apply(&cluster, &path, "me", &web(1)).await.ok();
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 4}});
    let refused = apply(&cluster, &format!("{path}/scale"), "scaler", &scale).await;
    assert_eq!(refused.failure().2, "Apply failed with 1 conflict: conflict with \"me\": .spec.replicas");
    apply(&cluster, &format!("{path}/scale?force=true"), "scaler", &scale).await.ok();
    let status = json!({"apiVersion": "apps/v1", "kind": "Deployment", "status": {"replicas": 4}});
    let object = apply(&cluster, &format!("{path}/status"), "reporter", &status).await.ok();
    assert_eq!((&object["spec"]["replicas"], &object["status"]["replicas"]), (&json!(4), &json!(4)));
    let mut found = managers(&object);
    found.sort();
    assert_eq!(found, ["me Apply ", "reporter Apply status", "scaler Apply scale"]);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let cluster = Cluster::new().await;
    let path = format!("{CONFIG_MAPS}/a");
    let shown = apply(&cluster, &format!("{path}?dryRun=All"), "me", &config(&json!({"x": "1"}))).await;
    assert_eq!((shown.status.as_u16(), &shown.body["data"]["x"]), (201, &json!("1")));
    assert_eq!(cluster.get(&path).await.failure().0, 404);
    apply(&cluster, &path, "me", &config(&json!({"x": "1"}))).await.ok();
    let before = cluster.get(&path).await.ok();
    let shown = apply(&cluster, &format!("{path}?dryRun=All"), "me", &config(&json!({"x": "2"}))).await.ok();
    assert_eq!(shown["data"]["x"], "2");
    cluster.merge(&format!("{path}?dryRun=All"), json!({"data": {"x": "3"}})).await.ok();
    cluster.write(Method::DELETE, &format!("{path}?dryRun=All"), "application/json", "").await.ok();
    cluster.write(Method::DELETE, &format!("{CONFIG_MAPS}?dryRun=All"), "application/json", "").await.ok();
    assert_eq!(cluster.get(&path).await.ok(), before);
}

// CVE-2019-11253: documents that grow while they are read, or nest without end.
#[tokio::test]
async fn yaml_bombs_are_refused() {
    let cluster = Cluster::new().await;
    let path = format!("{CONFIG_MAPS}/a?fieldManager=me");
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, inner) in ('b'..='m').zip('a'..='l') {
        bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{inner}"); 9].join(","));
    }
    for body in [bomb, "[".repeat(1_000_000), "{\"a\":".repeat(500_000)] {
        let answer = cluster.write(Method::PATCH, &path, APPLY, body).await;
        assert_eq!(answer.failure().0, 400);
    }
    // A pattern that would compile to something huge is no pattern.
    let schema =
        json!({"type": "object", "properties": {"x": {"type": "string", "pattern": "((a{1000}){1000}){1000}"}}});
    let definition = json!({"metadata": {"name": "tabs.example.com"}, "spec": {"group": "example.com", "scope": "Cluster",
        "names": {"plural": "tabs", "kind": "Tab"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
    let refused = cluster.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).await;
    assert!(refused.failure().2.contains("must be a valid regular expression"), "{}", refused.text);
}
