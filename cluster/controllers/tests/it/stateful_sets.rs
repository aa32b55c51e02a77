//! Stateful sets: names, order, volumes.

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet},
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::kit::{Cluster, NEVER_READY, container, is_ready};

fn stateful_set(replicas: i32, extra: Value) -> Value {
    let mut set = json!({
        "metadata": {"name": "db"},
        "spec": {"replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [container("v1")]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]},
    });
    for (key, value) in extra.as_object().unwrap() {
        set["spec"][key] = value.clone();
    }
    set
}

async fn settled(cluster: &Cluster, names: &[&str], image: &str) {
    let holds = async || {
        let pods = cluster.list::<Pod>().await;
        let image_of = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.containers[0].image.clone());
        let status = cluster.get::<StatefulSet>("db").await["status"].clone();
        cluster.names::<Pod>().await == names
            && pods.iter().all(|pod| is_ready(pod) && image_of(pod).as_deref() == Some(image))
            && status["readyReplicas"].as_u64().unwrap_or(0) == names.len() as u64
            && status["currentRevision"] == status["updateRevision"]
    };
    cluster.eventually(&format!("{names:?} of {image}"), holds).await;
}

#[tokio::test]
async fn pods_come_in_order_with_volumes_and_keep_them() {
    let cluster = Cluster::new().await;
    cluster.create::<StatefulSet>(stateful_set(3, json!({}))).await;
    let mut most = 0;
    let holds = async || {
        let pods = cluster.list::<Pod>().await;
        // The last may be on its way; all before it are ready.
        assert!(pods.iter().rev().skip(1).all(is_ready), "out of order");
        most = most.max(pods.len());
        pods.len() == 3 && pods.iter().all(is_ready)
    };
    cluster.eventually("three in order", holds).await;
    settled(&cluster, &["db-0", "db-1", "db-2"], "v1").await;
    assert_eq!(cluster.names::<PersistentVolumeClaim>().await, ["data-db-0", "data-db-1", "data-db-2"]);
    let pod = cluster.get::<Pod>("db-1").await;
    assert_eq!(pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "1");
    assert_eq!(pod["spec"]["hostname"], "db-1");
    let (claim, uid) = (cluster.get::<PersistentVolumeClaim>("data-db-1").await, pod["metadata"]["uid"].clone());

    cluster.delete::<Pod>("db-1", DeleteParams::default()).await;
    cluster
        .eventually("another db-1", async || {
            let pod = cluster.get::<Pod>("db-1").await;
            !pod.is_null() && pod["metadata"]["uid"] != uid
        })
        .await;
    settled(&cluster, &["db-0", "db-1", "db-2"], "v1").await;
    let same = cluster.get::<PersistentVolumeClaim>("data-db-1").await;
    assert_eq!(same["spec"]["volumeName"], claim["spec"]["volumeName"]);

    cluster.patch::<StatefulSet>("db", json!({"spec": {"replicas": 1}})).await;
    settled(&cluster, &["db-0"], "v1").await;
    assert_eq!(cluster.names::<PersistentVolumeClaim>().await.len(), 3, "claims stay");
}

#[tokio::test]
async fn an_update_goes_from_the_highest_and_stops_at_a_pod_that_does_not_come_up() {
    let cluster = Cluster::new().await;
    cluster.create::<StatefulSet>(stateful_set(2, json!({}))).await;
    settled(&cluster, &["db-0", "db-1"], "v1").await;
    let template = |image: &str, annotations: Value| json!({"spec": {"template": {"metadata": {"annotations": annotations}, "spec": {"containers": [container(image)]}}}});
    cluster.patch::<StatefulSet>("db", template("v2", json!({}))).await;
    settled(&cluster, &["db-0", "db-1"], "v2").await;
    assert_eq!(cluster.list::<ControllerRevision>().await.len(), 2);

    cluster.patch::<StatefulSet>("db", template("v3", json!({NEVER_READY: "x"}))).await;
    cluster
        .eventually("db-1 is new", async || cluster.get::<Pod>("db-1").await["spec"]["containers"][0]["image"] == "v3")
        .await;
    let untouched = async || cluster.get::<Pod>("db-0").await["spec"]["containers"][0]["image"] == "v2";
    cluster.steadily("db-0 is left alone", untouched).await;
}

#[tokio::test]
async fn a_parallel_set_waits_for_nobody() {
    let cluster = Cluster::new().await;
    let mut set = stateful_set(3, json!({"podManagementPolicy": "Parallel"}));
    set["spec"]["template"]["metadata"]["annotations"] = json!({NEVER_READY: "x"});
    cluster.create::<StatefulSet>(set).await;
    cluster.eventually("three pods", async || cluster.pods().await.len() == 3).await;
}

#[tokio::test]
async fn claims_go_with_their_set_if_the_policy_says_so() {
    let cluster = Cluster::new().await;
    let policy = json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}});
    cluster.create::<StatefulSet>(stateful_set(2, policy)).await;
    settled(&cluster, &["db-0", "db-1"], "v1").await;
    cluster.patch::<StatefulSet>("db", json!({"spec": {"replicas": 1}})).await;
    let one_left = async || cluster.names::<PersistentVolumeClaim>().await == ["data-db-0"];
    cluster.eventually("the claim of the surplus pod goes", one_left).await;
    cluster.delete::<StatefulSet>("db", DeleteParams::default()).await;
    let none_left =
        async || cluster.names::<PersistentVolumeClaim>().await.is_empty() && cluster.pods().await.is_empty();
    cluster.eventually("all claims go", none_left).await;
}
