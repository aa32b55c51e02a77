//! Discovery, OpenAPI, health and version.

use crate::kit::Cluster;
use serde_json::json;

#[tokio::test]
async fn resources_are_listed_by_group() {
    let cluster = Cluster::new().await;
    assert_eq!(cluster.get("/api").await.ok()["versions"], json!(["v1"]));
    let groups = cluster.get("/apis").await.ok();
    assert_eq!(groups["groups"][0]["name"], "apps");
    let apps = cluster.get("/apis/apps").await.ok();
    assert_eq!((&apps["kind"], &apps["preferredVersion"]["groupVersion"]), (&json!("APIGroup"), &json!("apps/v1")));
    let core = cluster.get("/api/v1").await.ok();
    let names: Vec<_> =
        core["resources"].as_array().expect("resources").iter().filter_map(|row| row["name"].as_str()).collect();
    for name in ["pods", "pods/log", "pods/exec", "services", "serviceaccounts/token", "namespaces/finalize"] {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!(cluster.get("/apis/nothing").await.status.as_u16(), 404);
    assert_eq!(cluster.get("/apis/apps/v2").await.status.as_u16(), 404);
}

#[tokio::test]
async fn one_document_says_all_to_those_who_ask() {
    let cluster = Cluster::new().await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    let answer = cluster.get_as("/apis", accept).await;
    assert_eq!(answer.headers["content-type"], "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    let list = answer.ok();
    let apps = &list["items"][0];
    assert_eq!((&apps["metadata"]["name"], &apps["versions"][0]["version"]), (&json!("apps"), &json!("v1")));
    let deployments = apps["versions"][0]["resources"]
        .as_array()
        .expect("resources")
        .iter()
        .find(|row| row["resource"] == "deployments")
        .expect("deployments");
    assert_eq!(deployments["subresources"][1]["responseKind"]["kind"], "Scale");
    assert_eq!(cluster.get_as("/api", accept).await.ok()["items"][0]["versions"][0]["version"], "v1");
}

#[tokio::test]
async fn openapi_is_indexed() {
    let cluster = Cluster::new().await;
    let index = cluster.get("/openapi/v3").await.ok();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().expect("a path");
    let document = cluster.get(url).await.ok();
    let deployment = &document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"];
    assert_eq!(deployment["x-kubernetes-group-version-kind"][0]["kind"], "Deployment");
}

#[tokio::test]
async fn the_server_tells_how_it_is() {
    let cluster = Cluster::new().await;
    assert_eq!(cluster.get("/healthz").await.text, "ok");
    let verbose = cluster.get("/readyz?verbose").await.text;
    assert_eq!(verbose, "[+]ping ok\n[+]etcd ok\nreadyz check passed\n");
    assert_eq!(cluster.get("/livez/nothing").await.status.as_u16(), 404);
    let version = cluster.get("/version").await.ok();
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("37")));
    assert!(version["gitVersion"].as_str().is_some_and(|text| text.starts_with("v1.37.0+kpkg")));
}

#[tokio::test]
async fn the_key_of_tokens_is_public() {
    let cluster = Cluster::new().await;
    let issuer = cluster.get("/.well-known/openid-configuration").await.ok();
    assert!(issuer["jwks_uri"].as_str().is_some_and(|uri| uri.ends_with("/openid/v1/jwks")));
    let key = &cluster.get("/openid/v1/jwks").await.ok()["keys"][0];
    assert_eq!((&key["alg"], &key["crv"]), (&json!("ES256"), &json!("P-256")));
    assert!(key.get("d").is_none(), "the private part stays here");
}
