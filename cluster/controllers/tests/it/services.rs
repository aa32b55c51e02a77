//! Endpoint slices.

use k8s_openapi::api::{
    core::v1::{Endpoints, Pod, Service},
    discovery::v1::{Endpoint, EndpointSlice},
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use crate::kit::{Cluster, NEVER_READY, STAYS, container};

fn pod(name: &str, annotations: Value) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "web"}, "annotations": annotations},
        "spec": {"containers": [container("v1")]}})
}

fn service(extra: Value) -> Value {
    let mut service = json!({"metadata": {"name": "web"}, "spec": {
        "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}});
    for (key, value) in extra.as_object().unwrap() {
        service["spec"][key] = value.clone();
    }
    service
}

/// Names of the pods behind the service with ready, serving, terminating.
async fn endpoints(cluster: &Cluster) -> Vec<(String, bool, bool, bool)> {
    let slices = cluster.list::<EndpointSlice>().await;
    let ours =
        slices.iter().filter(|slice| slice.labels().get("kubernetes.io/service-name").is_some_and(|it| it == "web"));
    let row = |endpoint: &Endpoint| {
        let name = endpoint.target_ref.as_ref().and_then(|target| target.name.clone()).unwrap_or_default();
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        let flag = |value: Option<bool>| value.unwrap_or(false);
        (name, flag(conditions.ready), flag(conditions.serving), flag(conditions.terminating))
    };
    let mut rows: Vec<_> = ours.flat_map(|slice| slice.endpoints.iter().flatten()).map(row).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn slices_follow_the_pods() {
    let cluster = Cluster::new().await;
    cluster.create::<Service>(service(json!({}))).await;
    cluster.create::<Pod>(pod("a", json!({}))).await;
    cluster.create::<Pod>(pod("b", json!({NEVER_READY: "x"}))).await;
    cluster.create::<Pod>(pod("c", json!({STAYS: "x"}))).await;
    let all = [
        ("a".to_owned(), true, true, false),
        ("b".to_owned(), false, false, false),
        ("c".to_owned(), true, true, false),
    ];
    cluster.eventually("three endpoints", async || endpoints(&cluster).await == all).await;
    let slices = cluster.list::<EndpointSlice>().await;
    let ours = slices.iter().find(|slice| slice.name_any().starts_with("web-")).unwrap();
    assert_eq!(ours.ports.as_ref().unwrap()[0].port, Some(8080));
    assert_eq!(ours.metadata.owner_references.as_ref().unwrap()[0].kind, "Service");

    cluster.delete::<Pod>("c", DeleteParams::default()).await;
    let leaving = ("c".to_owned(), false, true, true);
    cluster.eventually("c is leaving", async || endpoints(&cluster).await[2] == leaving).await;
    cluster.patch::<Pod>("a", json!({"metadata": {"labels": {"app": "other"}}})).await;
    cluster.eventually("a is none of it", async || endpoints(&cluster).await.len() == 2).await;
    let old = async || {
        let subset = cluster.get::<Endpoints>("web").await["subsets"][0].clone();
        subset["addresses"].is_null() && subset["notReadyAddresses"][0]["targetRef"]["name"] == "b"
    };
    cluster.eventually("the older object tells the same", old).await;
    cluster.patch::<Service>("web", json!({"spec": {"publishNotReadyAddresses": true}})).await;
    cluster.eventually("b counts as ready", async || endpoints(&cluster).await[0].1).await;
    cluster.delete::<Service>("web", DeleteParams::default()).await;
    cluster.eventually("no slices", async || endpoints(&cluster).await.is_empty()).await;
    cluster.eventually("no object", async || cluster.get::<Endpoints>("web").await.is_null()).await;
}

#[tokio::test]
async fn many_pods_take_several_slices() {
    let cluster = Cluster::with(crate::kit::Options { nodes: &["n1", "n2"], ..Default::default() }).await;
    cluster.create::<Service>(service(json!({"clusterIP": "None"}))).await;
    for index in 0..150 {
        cluster.create::<Pod>(pod(&format!("p{index}"), json!({}))).await;
    }
    let ready = async || endpoints(&cluster).await.iter().filter(|row| row.1).count() == 150;
    cluster.eventually("150 ready endpoints", ready).await;
    let slices = cluster.list::<EndpointSlice>().await;
    let sizes: Vec<_> = slices
        .iter()
        .filter(|slice| slice.name_any().starts_with("web-"))
        .map(|slice| slice.endpoints.as_ref().map_or(0, Vec::len))
        .collect();
    assert!(sizes.len() >= 2 && sizes.iter().all(|size| *size <= 100), "{sizes:?}");
}
