//! Scale, binding, eviction, tokens.

use crate::kit::{Cluster, DEPLOYMENTS, PODS, deployment, pod};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn workloads_are_scaled() {
    let cluster = Cluster::new().await;
    cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let path = format!("{DEPLOYMENTS}/web/scale");
    let scale = cluster.get(&path).await.ok();
    assert_eq!((&scale["kind"], &scale["apiVersion"]), (&json!("Scale"), &json!("autoscaling/v1")));
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(1), &json!("app=web")));
    let patched = cluster.merge(&path, json!({"spec": {"replicas": 4}})).await.ok();
    assert_eq!(patched["spec"]["replicas"], 4);
    let mut stale = scale;
    stale["spec"]["replicas"] = json!(9);
    assert_eq!(cluster.put(&path, stale.clone()).await.failure().0, 409);
    stale["metadata"]["resourceVersion"] = patched["metadata"]["resourceVersion"].clone();
    cluster.put(&path, stale).await.ok();
    let object = cluster.get(&format!("{DEPLOYMENTS}/web")).await.ok();
    assert_eq!((&object["spec"]["replicas"], &object["metadata"]["generation"]), (&json!(9), &json!(3)));
    assert_eq!(cluster.merge(&path, json!({"spec": {"replicas": -1}})).await.failure().0, 422);
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let binding = |node: &str| json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": node}});
    let path = format!("{PODS}/p/binding");
    let answer = cluster.post(&path, binding("n1")).await;
    assert_eq!((answer.status, &answer.body["status"]), (StatusCode::CREATED, &json!("Success")));
    let bound = cluster.get(&format!("{PODS}/p")).await.ok();
    assert_eq!(bound["spec"]["nodeName"], "n1");
    assert_eq!(bound["status"]["conditions"][0]["type"], "PodScheduled");
    let again = cluster.post(&path, binding("n2")).await;
    assert_eq!(
        again.failure(),
        (
            409,
            "Conflict",
            "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\""
        )
    );
    cluster.post(PODS, pod("q")).await.ok();
    let other = json!({"metadata": {"name": "q"}, "target": {"name": "n1"}});
    cluster.post("/api/v1/namespaces/default/bindings", other).await.ok();
    assert_eq!(cluster.get(&format!("{PODS}/q")).await.ok()["spec"]["nodeName"], "n1");
}

#[tokio::test]
async fn an_eviction_deletes() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    let answer = cluster.post(&format!("{PODS}/p/eviction"), body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(cluster.get(&format!("{PODS}/p")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tokens_say_who_their_bearer_is() {
    let cluster = Cluster::new().await;
    let made = cluster.post(PODS, pod("p")).await.ok();
    let reference = json!({"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": made["metadata"]["uid"]});
    let request = json!({"spec": {"expirationSeconds": 3600, "boundObjectRef": reference}});
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let answer = cluster.post(path, request.clone()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let token = answer.body["status"]["token"].as_str().expect("a token").to_owned();
    assert!(answer.body["status"]["expirationTimestamp"].is_string());

    let bearer = async |path: &str, method: Method, body: Value| {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        cluster.by(None).ask(request.body(body.to_string().into()).expect("a request")).await
    };
    let who = bearer("/apis/authentication.k8s.io/v1/selfsubjectreviews", Method::POST, json!({})).await.ok();
    assert_eq!(who["status"]["userInfo"]["username"], "system:serviceaccount:default:default");
    let refused = bearer(PODS, Method::GET, Value::Null).await;
    assert_eq!(
        refused.failure().2,
        "pods is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    );
    let review = json!({"spec": {"token": token}});
    let reviewed = cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", review.clone()).await.ok();
    assert_eq!(reviewed["status"]["authenticated"], true);

    // CVE-2019-11243: with the pod, the token is void.
    cluster.delete(&format!("{PODS}/p"), Value::Null).await.ok();
    let after = bearer("/apis", Method::GET, Value::Null).await;
    assert_eq!(after.failure(), (401, "Unauthorized", "Unauthorized"));
    let reviewed = cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", review).await.ok();
    assert!(reviewed["status"].get("authenticated").is_none());

    assert_eq!(cluster.post(path, request).await.failure().0, 404);
    let short = cluster.post(path, json!({"spec": {"expirationSeconds": 5}})).await;
    assert!(short.failure().2.ends_with("may not specify a duration less than 10 minutes"));
}
