//! Deletion: at once, by finalizers, by grace, of namespaces, of collections.

use crate::kit::{CONFIG_MAPS, Cluster, DEPLOYMENTS, PODS, deployment, pod};
use http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn most_kinds_go_at_once() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let answer = cluster.delete(&format!("{CONFIG_MAPS}/a"), Value::Null).await.ok();
    assert_eq!((&answer["kind"], &answer["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!((&answer["details"]["name"], &answer["details"]["kind"]), (&json!("a"), &json!("configmaps")));
    assert_eq!(cluster.delete(&format!("{CONFIG_MAPS}/a"), Value::Null).await.failure().0, 404);
}

#[tokio::test]
async fn finalizers_hold_an_object_back() {
    let cluster = Cluster::new().await;
    let path = format!("{CONFIG_MAPS}/a");
    let body = json!({"metadata": {"name": "a", "finalizers": ["example.com/hold"]}});
    cluster.post(CONFIG_MAPS, body).await.ok();
    let marked = cluster.delete(&path, Value::Null).await.ok();
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(cluster.delete(&path, Value::Null).await.ok(), marked);
    let released = cluster.merge(&path, json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text);
    assert_eq!(cluster.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn propagation_is_left_to_the_garbage_collector() {
    let cluster = Cluster::new().await;
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
        let path = format!("{DEPLOYMENTS}/web");
        let marked = cluster.delete(&path, json!({"propagationPolicy": policy})).await.ok();
        assert_eq!(marked["metadata"]["finalizers"], json!([finalizer]));
        assert_eq!(marked["metadata"]["generation"], 2, "a deletion is a change of what is wanted");
        cluster.merge(&path, json!({"metadata": {"finalizers": []}})).await.ok();
        assert_eq!(cluster.get(&path).await.status, StatusCode::NOT_FOUND, "{policy}");
    }
    cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let answer = cluster.delete(&format!("{DEPLOYMENTS}/web?propagationPolicy=Background"), Value::Null).await.ok();
    assert_eq!(answer["status"], "Success");
    let wrong = cluster.delete(&format!("{DEPLOYMENTS}/web"), json!({"propagationPolicy": "Sideways"})).await;
    assert_eq!(wrong.failure().0, 422);
}

#[tokio::test]
async fn preconditions_must_hold() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let path = format!("{CONFIG_MAPS}/a");
    for precondition in [json!({"uid": "other"}), json!({"resourceVersion": "1"})] {
        let answer = cluster.delete(&path, json!({"preconditions": precondition})).await;
        assert_eq!((answer.failure().0, answer.failure().1), (409, "Conflict"));
    }
    let object = cluster.get(&path).await.ok();
    let metadata = &object["metadata"];
    let good = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
    cluster.delete(&path, json!({"preconditions": good})).await.ok();
}

#[tokio::test]
async fn a_pod_that_runs_is_left_to_its_kubelet() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("unscheduled")).await.ok();
    let gone = cluster.delete(&format!("{PODS}/unscheduled"), Value::Null).await.ok();
    assert_eq!(gone["kind"], "Pod", "a deleted pod is shown");
    assert_eq!(cluster.get(&format!("{PODS}/unscheduled")).await.status, StatusCode::NOT_FOUND);

    let path = format!("{PODS}/running");
    let mut running = pod("running");
    running["spec"]["nodeName"] = json!("n");
    cluster.post(PODS, running).await.ok();
    let marked = cluster.delete(&path, Value::Null).await.ok();
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    // Asking again changes nothing; asking for less does.
    assert_eq!(cluster.delete(&path, Value::Null).await.ok(), marked);
    let sooner = cluster.delete(&path, json!({"gracePeriodSeconds": 5})).await.ok();
    assert_eq!(sooner["metadata"]["deletionGracePeriodSeconds"], 5);
    assert!(sooner["metadata"]["deletionTimestamp"].as_str() < marked["metadata"]["deletionTimestamp"].as_str());
    let uid = marked["metadata"]["uid"].clone();
    cluster.delete(&path, json!({"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})).await.ok();
    assert_eq!(cluster.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_pod_that_has_ended_goes_at_once() {
    let cluster = Cluster::new().await;
    let mut body = pod("done");
    body["spec"]["nodeName"] = json!("n");
    cluster.post(PODS, body).await.ok();
    cluster.merge(&format!("{PODS}/done/status"), json!({"status": {"phase": "Succeeded"}})).await.ok();
    cluster.delete(&format!("{PODS}/done"), Value::Null).await.ok();
    assert_eq!(cluster.get(&format!("{PODS}/done")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_namespace_goes_when_its_content_is_gone() {
    let cluster = Cluster::new().await;
    let path = "/api/v1/namespaces/doomed";
    let made = cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "doomed"}})).await.ok();
    assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(made["metadata"]["labels"]["kubernetes.io/metadata.name"], "doomed");
    let marked = cluster.delete(path, Value::Null).await.ok();
    assert_eq!(marked["status"]["phase"], "Terminating");
    let refused = cluster.post(&format!("{path}/configmaps"), json!({"metadata": {"name": "a"}})).await;
    assert_eq!(
        refused.failure(),
        (
            403,
            "Forbidden",
            "configmaps \"a\" is forbidden: unable to create new content in namespace doomed because it is being terminated"
        )
    );
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    // An ordinary update does not touch the finalizers.
    let mut body = cluster.get(path).await.ok();
    body["spec"]["finalizers"] = json!([]);
    cluster.put(path, body.clone()).await.ok();
    assert_eq!(cluster.get(path).await.ok()["spec"]["finalizers"], json!(["kubernetes"]));
    cluster.put(&format!("{path}/finalize"), body).await.ok();
    assert_eq!(cluster.get(path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn some_namespaces_stay() {
    let cluster = Cluster::new().await;
    let answer = cluster.delete("/api/v1/namespaces/kube-system", Value::Null).await;
    assert_eq!(answer.failure().2, "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let cluster = Cluster::new().await;
    for (name, app) in [("a", "x"), ("b", "y"), ("c", "x")] {
        cluster.config_map(name, json!({"app": app})).await;
    }
    let deleted = cluster.delete(&format!("{CONFIG_MAPS}?labelSelector=app%3Dx"), Value::Null).await.ok();
    assert_eq!(deleted["items"].as_array().map(Vec::len), Some(2));
    let left = cluster.get(CONFIG_MAPS).await.ok();
    assert_eq!(left["items"][0]["metadata"]["name"], "b");
    assert_eq!(cluster.delete("/api/v1/namespaces", Value::Null).await.failure().0, 405);
}
