//! Who may do what, and how they ask.

use crate::kit::{CONFIG_MAPS, Cluster};
use http::Request;
use kpkg_apiserver::Identity;
use serde_json::json;

#[tokio::test]
async fn strangers_learn_that_the_server_lives() {
    let cluster = Cluster::new().await.by(None);
    for path in ["/version", "/healthz", "/livez", "/readyz", "/livez/ping"] {
        cluster.get(path).await.status.is_success().then_some(()).expect(path);
    }
    for (path, message) in [
        ("/apis", r#"forbidden: User "system:anonymous" cannot get path "/apis""#),
        (
            CONFIG_MAPS,
            r#"configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default""#,
        ),
        (
            "/api/v1/nodes",
            r#"nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope"#,
        ),
        // What does not exist is not told either.
        ("/nothing", r#"forbidden: User "system:anonymous" cannot get path "/nothing""#),
    ] {
        assert_eq!(cluster.get(path).await.failure(), (403, "Forbidden", message));
    }
}

#[tokio::test]
async fn a_bad_token_is_not_anonymous() {
    let cluster = Cluster::new().await.by(None);
    for value in ["Bearer nonsense", "Basic YTpi", "Bearer"] {
        let request = Request::get("/version").header("authorization", value).body(axum::body::Body::empty());
        let answer = cluster.ask(request.expect("a request")).await;
        assert_eq!(answer.failure(), (401, "Unauthorized", "Unauthorized"), "{value}");
    }
}

#[tokio::test]
async fn anybody_known_may_ask_about_themselves() {
    let cluster = Cluster::new().await.by(Some(Identity::new("bob", ["devs"])));
    let who = cluster.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})).await.ok();
    assert_eq!(who["status"]["userInfo"], json!({"username": "bob", "groups": ["devs", "system:authenticated"]}));
    let can = async |attributes: serde_json::Value| {
        let body = json!({"spec": attributes});
        cluster.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body).await.ok()["status"]["allowed"]
            .clone()
    };
    assert_eq!(can(json!({"resourceAttributes": {"verb": "list", "resource": "pods"}})).await, false);
    assert_eq!(can(json!({"nonResourceAttributes": {"verb": "get", "path": "/apis"}})).await, true);
    let rules = json!({"spec": {"namespace": "default"}});
    let rules = cluster.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", rules).await.ok();
    assert_eq!(rules["status"]["incomplete"], false);
    let others = json!({"spec": {"user": "root", "resourceAttributes": {"verb": "list", "resource": "pods"}}});
    assert_eq!(cluster.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", others).await.failure().0, 403);
}

#[tokio::test]
async fn administrators_may_ask_about_others() {
    let cluster = Cluster::new().await;
    let body = json!({"spec": {"user": "root", "groups": ["system:masters"], "resourceAttributes": {"verb": "list", "resource": "pods"}}});
    let answer = cluster.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", body).await.ok();
    assert_eq!(answer["status"]["allowed"], true);
}

#[tokio::test]
async fn administrators_may_act_as_others() {
    let cluster = Cluster::new().await;
    let who = async |cluster: &Cluster, headers: &[(&str, &str)]| {
        let mut request = Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        cluster.ask(request.body("{}".into()).expect("a request")).await
    };
    let bob = who(&cluster, &[("impersonate-user", "bob"), ("impersonate-group", "devs")]).await.ok();
    assert_eq!(bob["status"]["userInfo"], json!({"username": "bob", "groups": ["devs", "system:authenticated"]}));
    let account = who(&cluster, &[("impersonate-user", "system:serviceaccount:a:b")]).await.ok();
    assert_eq!(
        account["status"]["userInfo"]["groups"],
        json!(["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"])
    );
    assert_eq!(who(&cluster, &[("impersonate-group", "devs")]).await.failure().0, 500);
    assert_eq!(who(&cluster, &[("impersonate-user", "a"), ("impersonate-uid", "1")]).await.failure().0, 400);
    let eve = cluster.by(Some(Identity::new("eve", ["devs"])));
    assert_eq!(
        who(&eve, &[("impersonate-user", "bob")]).await.failure().2,
        "users \"bob\" is forbidden: User \"eve\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope"
    );
}
