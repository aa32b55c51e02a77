//! Deployments and their replica sets.

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use crate::kit::{Cluster, NEVER_READY, container, is_ready};

fn deployment(replicas: i32, image: &str) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container(image)]}}},
    })
}

async fn settled(cluster: &Cluster, replicas: usize, image: &str) {
    let holds = async || {
        let pods = cluster.pods().await;
        let right = |pod: &Pod| {
            let image_of = pod.spec.as_ref().and_then(|spec| spec.containers[0].image.clone());
            is_ready(pod) && image_of.as_deref() == Some(image)
        };
        let status = cluster.get::<Deployment>("web").await;
        let generation = &status["metadata"]["generation"];
        pods.len() == replicas
            && pods.iter().all(right)
            && status["status"]["observedGeneration"] == *generation
            && status["status"]["availableReplicas"].as_u64().unwrap_or(0) == replicas as u64
            && status["status"]["updatedReplicas"].as_u64().unwrap_or(0) == replicas as u64
            && status["status"]["replicas"].as_u64().unwrap_or(0) == replicas as u64
    };
    cluster.eventually(&format!("{replicas} pods of {image}"), holds).await;
}

fn reason(deployment: &Value, kind: &str) -> String {
    let conditions = deployment["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == kind);
    found.map(|condition| condition["reason"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_deployment_is_made_scaled_updated_and_rolled_back() {
    let cluster = Cluster::new().await;
    cluster.create::<Deployment>(deployment(3, "v1")).await;
    settled(&cluster, 3, "v1").await;
    let sets = cluster.list::<ReplicaSet>().await;
    let hash = sets[0].labels()["pod-template-hash"].clone();
    assert_eq!(sets[0].name_any(), format!("web-{hash}"));
    let pod = &cluster.pods().await[0];
    assert!(pod.name_any().starts_with(&format!("web-{hash}-")), "{}", pod.name_any());
    assert_eq!(pod.labels()["pod-template-hash"], hash);
    let settled_reason =
        async || reason(&cluster.get::<Deployment>("web").await, "Progressing") == "NewReplicaSetAvailable";
    cluster.eventually("complete", settled_reason).await;
    let scaled = format!("Scaled up replica set web-{hash} from 0 to 3");
    cluster.eventually("event", async || cluster.has_event("ScalingReplicaSet", &scaled).await).await;
    cluster.eventually("event", async || cluster.has_event("SuccessfulCreate", "Created pod: web-").await).await;

    cluster.patch::<Deployment>("web", json!({"spec": {"replicas": 5}})).await;
    settled(&cluster, 5, "v1").await;
    cluster.patch::<Deployment>("web", json!({"spec": {"replicas": 2}})).await;
    settled(&cluster, 2, "v1").await;

    let image = |image: &str| json!({"spec": {"template": {"spec": {"containers": [container(image)]}}}});
    cluster.patch::<Deployment>("web", image("v2")).await;
    settled(&cluster, 2, "v2").await;
    cluster.patch::<Deployment>("web", image("v1")).await;
    settled(&cluster, 2, "v1").await;
    assert_eq!(cluster.list::<ReplicaSet>().await.len(), 2, "the old set was used again");
    let web = cluster.get::<Deployment>("web").await;
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");

    let restart =
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}});
    let before = cluster.names::<Pod>().await;
    cluster.patch::<Deployment>("web", restart).await;
    let replaced = async || cluster.pods().await.iter().all(|pod| !before.contains(&pod.name_any()));
    cluster.eventually("all pods replaced", replaced).await;
    settled(&cluster, 2, "v1").await;
}

#[tokio::test]
async fn lost_pods_are_replaced_and_never_one_too_many() {
    let cluster = Cluster::new().await;
    cluster.create::<Deployment>(deployment(40, "v1")).await;
    settled(&cluster, 40, "v1").await;
    for pod in cluster.pods().await.iter().take(15) {
        cluster.delete::<Pod>(&pod.name_any(), DeleteParams::default()).await;
    }
    let holds = async || {
        let pods = cluster.pods().await;
        assert!(pods.len() <= 40, "{} pods", pods.len());
        pods.len() == 40 && pods.iter().all(is_ready)
    };
    cluster.eventually("40 pods again", holds).await;
    cluster.steadily("40 pods", async || cluster.pods().await.len() == 40).await;
}

#[tokio::test]
async fn an_update_that_does_not_come_up_takes_nobody_down() {
    let cluster = Cluster::new().await;
    let mut web = deployment(4, "v1");
    web["spec"]["progressDeadlineSeconds"] = json!(2);
    cluster.create::<Deployment>(web).await;
    settled(&cluster, 4, "v1").await;
    let broken = json!({"spec": {"template": {"metadata": {"annotations": {NEVER_READY: "x"}}}}});
    cluster.patch::<Deployment>("web", broken).await;
    let overdue = async || {
        let ready = cluster.pods().await.iter().filter(|pod| is_ready(pod)).count();
        assert!(ready >= 3, "{ready} ready");
        reason(&cluster.get::<Deployment>("web").await, "Progressing") == "ProgressDeadlineExceeded"
    };
    cluster.eventually("the deadline passes", overdue).await;
    let back = json!({"spec": {"template": {"metadata": {"annotations": {NEVER_READY: null}}}}});
    cluster.patch::<Deployment>("web", back).await;
    settled(&cluster, 4, "v1").await;
}

#[tokio::test]
async fn recreate_never_runs_old_and_new_together() {
    let cluster = Cluster::new().await;
    let mut web = deployment(3, "v1");
    web["spec"]["strategy"] = json!({"type": "Recreate"});
    cluster.create::<Deployment>(web).await;
    settled(&cluster, 3, "v1").await;
    let image = json!({"spec": {"template": {"spec": {"containers": [container("v2")]}}}});
    cluster.patch::<Deployment>("web", image).await;
    let holds = async || {
        let pods = cluster.list::<Pod>().await;
        let images: std::collections::BTreeSet<_> =
            pods.iter().filter_map(|pod| pod.spec.as_ref()?.containers[0].image.clone()).collect();
        assert!(images.len() <= 1, "{images:?}");
        images.contains("v2") && pods.len() == 3
    };
    cluster.eventually("all new", holds).await;
    settled(&cluster, 3, "v2").await;
}

#[tokio::test]
async fn pods_are_adopted_and_released_by_label() {
    let cluster = Cluster::new().await;
    let lone =
        json!({"metadata": {"name": "lone", "labels": {"app": "web"}}, "spec": {"containers": [container("v1")]}});
    cluster.create::<Pod>(lone).await;
    let set = json!({
        "metadata": {"name": "set"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container("v1")]}}},
    });
    cluster.create::<ReplicaSet>(set).await;
    let adopted = async || {
        let owned = cluster.get::<Pod>("lone").await["metadata"]["ownerReferences"][0]["name"] == "set";
        owned && cluster.pods().await.len() == 2
    };
    cluster.eventually("adopted, and one more made", adopted).await;
    cluster.patch::<Pod>("lone", json!({"metadata": {"labels": {"app": "other"}}})).await;
    let released = async || {
        let owners = &cluster.get::<Pod>("lone").await["metadata"]["ownerReferences"];
        owners.as_array().is_none_or(Vec::is_empty) && cluster.pods().await.len() == 3
    };
    cluster.eventually("released, and replaced", released).await;
}

#[tokio::test]
async fn a_template_that_is_refused_is_told_in_the_status() {
    let cluster = Cluster::new().await;
    let mut web = deployment(2, "v1");
    web["spec"]["template"]["spec"]["serviceAccountName"] = json!("missing");
    cluster.create::<Deployment>(web).await;
    let told = async || {
        let sets = cluster.list::<ReplicaSet>().await;
        let failed = sets.iter().any(|set| {
            let conditions = set.status.as_ref().and_then(|status| status.conditions.as_ref());
            conditions.into_iter().flatten().any(|condition| condition.reason.as_deref() == Some("FailedCreate"))
        });
        failed && reason(&cluster.get::<Deployment>("web").await, "ReplicaFailure") == "FailedCreate"
    };
    cluster.eventually("the failure is told", told).await;
    cluster.eventually("event", async || cluster.has_event("FailedCreate", "missing").await).await;
}
