//! Patches.

use crate::kit::{CONFIG_MAPS, Cluster, DEPLOYMENTS, deployment};
use http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn all_three_patches_work() {
    let cluster = Cluster::new().await;
    cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let path = format!("{DEPLOYMENTS}/web");
    let patch = async |media_type: &str, body: Value| {
        cluster.write(Method::PATCH, &path, media_type, body.to_string()).await.ok()
    };
    let json_patch = json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]);
    let patched = patch("application/json-patch+json", json_patch).await;
    assert_eq!((&patched["spec"]["replicas"], &patched["metadata"]["generation"]), (&json!(3), &json!(2)));
    let patched = patch("application/merge-patch+json", json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!((&patched["metadata"]["labels"]["a"], &patched["metadata"]["generation"]), (&json!("b"), &json!(2)));
    let sidecar = json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "x"}]}}}});
    let patched = patch("application/strategic-merge-patch+json", sidecar).await;
    let names: Vec<_> = patched["spec"]["template"]["spec"]["containers"]
        .as_array()
        .expect("containers")
        .iter()
        .map(|container| container["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, ["side", "main"]);
}

#[tokio::test]
async fn bad_patches_are_refused() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let path = format!("{CONFIG_MAPS}/a");
    let cases = [
        ("application/json-patch+json", r#"[{"op": "remove", "path": "/data/none"}]"#, 422),
        ("application/json-patch+json", r#"{"data": {}}"#, 400),
        ("application/merge-patch+json", "[1]", 400),
        ("application/merge-patch+json", "{", 400),
        ("application/merge-patch+json", r#"{"metadata": {"name": "b"}}"#, 400),
        ("application/merge-patch+json", r#"{"metadata": {"resourceVersion": "1"}}"#, 409),
        ("application/merge-patch+json", r#"{"data": {"a": 1}}"#, 400),
        ("application/apply-patch+yaml", "{}", 422),
        ("application/json", "{}", 415),
    ];
    for (media_type, body, code) in cases {
        let answer = cluster.write(Method::PATCH, &path, media_type, body).await;
        assert_eq!(answer.failure().0, code, "{media_type} {body}: {}", answer.text);
    }
    let none = cluster.merge(&format!("{CONFIG_MAPS}/none"), json!({})).await;
    assert_eq!(none.failure().0, 404);
}

#[tokio::test]
async fn patches_that_race_are_all_applied() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let path = format!("{CONFIG_MAPS}/a");
    let patches = (0..10).map(|number| {
        let key = format!("k{number}");
        let (cluster, path) = (&cluster, &path);
        async move { cluster.merge(path, json!({"data": {key: "1"}})).await.ok() }
    });
    futures::future::join_all(patches).await;
    assert_eq!(cluster.get(&path).await.ok()["data"].as_object().map(serde_json::Map::len), Some(10));
}

#[tokio::test]
async fn the_status_has_a_path_of_its_own() {
    let cluster = Cluster::new().await;
    cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let path = format!("{DEPLOYMENTS}/web");
    let both = json!({"spec": {"replicas": 7}, "status": {"replicas": 5}});
    let patched = cluster.merge(&format!("{path}/status"), both.clone()).await.ok();
    assert_eq!((&patched["spec"]["replicas"], &patched["status"]["replicas"]), (&json!(1), &json!(5)));
    assert_eq!(patched["metadata"]["generation"], 1);
    let patched = cluster.merge(&path, json!({"spec": {"replicas": 7}, "status": {"replicas": 9}})).await.ok();
    assert_eq!((&patched["spec"]["replicas"], &patched["status"]["replicas"]), (&json!(7), &json!(5)));
    assert_eq!(cluster.get(&format!("{path}/status")).await.ok()["status"]["replicas"], 5);
}
