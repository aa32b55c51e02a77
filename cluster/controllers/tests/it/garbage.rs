//! What becomes of objects whose owners go.

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ConfigMap, Pod, Secret},
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use crate::kit::{Cluster, STAYS, container};

fn deployment(annotations: Value) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}, "annotations": annotations},
            "spec": {"containers": [container("v1")]}}},
    })
}

#[tokio::test]
async fn the_background_cascade_takes_everything_along() {
    let cluster = Cluster::new().await;
    cluster.create::<Deployment>(deployment(json!({}))).await;
    cluster.eventually("two pods", async || cluster.pods().await.len() == 2).await;
    cluster.delete::<Deployment>("web", DeleteParams::background()).await;
    let gone = async || cluster.list::<ReplicaSet>().await.is_empty() && cluster.list::<Pod>().await.is_empty();
    cluster.eventually("all gone", gone).await;
}

#[tokio::test]
async fn the_foreground_cascade_ends_with_the_owner() {
    let cluster = Cluster::new().await;
    cluster.create::<Deployment>(deployment(json!({STAYS: "x"}))).await;
    cluster.eventually("two pods", async || cluster.pods().await.len() == 2).await;
    cluster.delete::<Deployment>("web", DeleteParams::foreground()).await;
    cluster.eventually("pods are on their way out", async || cluster.pods().await.is_empty()).await;
    let waiting =
        async || !cluster.get::<Deployment>("web").await.is_null() && cluster.list::<ReplicaSet>().await.len() == 1;
    cluster.steadily("owners wait", waiting).await;
    for pod in cluster.names::<Pod>().await {
        cluster.delete::<Pod>(&pod, DeleteParams::default().grace_period(0)).await;
    }
    let gone =
        async || cluster.get::<Deployment>("web").await.is_null() && cluster.list::<ReplicaSet>().await.is_empty();
    cluster.eventually("all gone", gone).await;
}

#[tokio::test]
async fn orphans_are_left_without_an_owner() {
    let cluster = Cluster::new().await;
    cluster.create::<Deployment>(deployment(json!({}))).await;
    cluster.eventually("two pods", async || cluster.pods().await.len() == 2).await;
    cluster.delete::<Deployment>("web", DeleteParams::orphan()).await;
    let freed = async || {
        let sets = cluster.list::<ReplicaSet>().await;
        cluster.get::<Deployment>("web").await.is_null() && sets.len() == 1 && sets[0].owner_references().is_empty()
    };
    cluster.eventually("the set is free", freed).await;
    cluster.steadily("its pods stay", async || cluster.pods().await.len() == 2).await;
}

#[tokio::test]
async fn owners_of_any_kind_count_and_one_that_never_was_does_not() {
    let cluster = Cluster::new().await;
    let owner: Secret = cluster.create(json!({"metadata": {"name": "owner"}})).await;
    let reference = |name: &str, uid: &str| json!({"apiVersion": "v1", "kind": "Secret", "name": name, "uid": uid});
    let uid = owner.uid().unwrap();
    let map = |name: &str, owners: Value| json!({"metadata": {"name": name, "ownerReferences": owners}});
    cluster.create::<ConfigMap>(map("owned", json!([reference("owner", &uid)]))).await;
    cluster.create::<ConfigMap>(map("half", json!([reference("owner", &uid), reference("lost", "nobody")]))).await;
    cluster.create::<ConfigMap>(map("stray", json!([reference("owner", "another-uid")]))).await;
    let tidied = async || {
        let half = cluster.get::<ConfigMap>("half").await["metadata"]["ownerReferences"].clone();
        cluster.get::<ConfigMap>("stray").await.is_null() && half.as_array().is_some_and(|owners| owners.len() == 1)
    };
    cluster.eventually("strays go, lost owners are struck off", tidied).await;
    assert!(!cluster.get::<ConfigMap>("owned").await.is_null());
    cluster.delete::<Secret>("owner", DeleteParams::default()).await;
    let gone =
        async || cluster.get::<ConfigMap>("owned").await.is_null() && cluster.get::<ConfigMap>("half").await.is_null();
    cluster.eventually("the owned go with their owner", gone).await;
}
