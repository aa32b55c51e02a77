//! Claims, volumes and the local-path provisioner.

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

use crate::kit::{Cluster, STAYS, container, folders, is_ready};

fn claim(name: &str, class: Option<&str>, size: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteMany"], "storageClassName": class, "resources": {"requests": {"storage": size}}}})
}

fn pod(name: &str, claim: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [container("v1")],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]}})
}

async fn phase(cluster: &Cluster, name: &str) -> Value {
    cluster.get::<PersistentVolumeClaim>(name).await["status"]["phase"].clone()
}

async fn volumes(cluster: &Cluster) -> Vec<PersistentVolume> {
    let volumes: Api<PersistentVolume> = Api::all(cluster.client.clone());
    volumes.list(&kube::api::ListParams::default()).await.unwrap().items
}

#[tokio::test]
async fn a_claim_waits_for_its_pod_gets_a_folder_and_loses_it() {
    let cluster = Cluster::new().await;
    let classes: Api<StorageClass> = Api::all(cluster.client.clone());
    cluster.eventually("the class", async || classes.get_opt("local-path").await.unwrap().is_some()).await;
    cluster.create::<PersistentVolumeClaim>(claim("data", None, "1Gi")).await;
    let waiting = async || cluster.has_event("WaitForFirstConsumer", "waiting for first consumer").await;
    cluster.eventually("it waits", waiting).await;
    assert_eq!(phase(&cluster, "data").await, "Pending");

    for name in ["first", "second"] {
        cluster.create::<Pod>(pod(name, "data")).await;
    }
    let run = async || cluster.pods().await.iter().filter(|pod| is_ready(pod)).count() == 2;
    cluster.eventually("both pods share the volume", run).await;
    assert_eq!(phase(&cluster, "data").await, "Bound");
    let volume = &volumes(&cluster).await[0];
    let spec = serde_json::to_value(&volume.spec).unwrap();
    assert_eq!(spec["capacity"]["storage"], "1Gi");
    let path = spec["hostPath"]["path"].as_str().unwrap();
    assert!(std::path::Path::new(path).is_dir(), "{path}");
    let bound = async || volumes(&cluster).await[0].status.as_ref().unwrap().phase.as_deref() == Some("Bound");
    cluster.eventually("the volume says so", bound).await;
    cluster
        .eventually("event", async || {
            cluster.has_event("ProvisioningSucceeded", "Successfully provisioned volume pvc-").await
        })
        .await;

    cluster.delete::<PersistentVolumeClaim>("data", DeleteParams::default()).await;
    let held = async || !cluster.get::<PersistentVolumeClaim>("data").await.is_null();
    cluster.steadily("the claim is held by its pods", held).await;
    for name in ["first", "second"] {
        cluster.delete::<Pod>(name, DeleteParams::default()).await;
    }
    let gone =
        async || cluster.get::<PersistentVolumeClaim>("data").await.is_null() && volumes(&cluster).await.is_empty();
    cluster.eventually("claim and volume go", gone).await;
    assert_eq!(folders(&cluster.volumes()), 0);
}

#[tokio::test]
async fn a_retained_volume_outlives_its_claim() {
    let cluster = Cluster::new().await;
    let classes: Api<StorageClass> = Api::all(cluster.client.clone());
    let class = json!({"metadata": {"name": "keep"}, "provisioner": "kpkg.dev/local-path", "reclaimPolicy": "Retain",
        "volumeBindingMode": "Immediate"});
    classes.create(&PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    cluster.create::<PersistentVolumeClaim>(claim("data", Some("keep"), "1Gi")).await;
    cluster.eventually("bound at once", async || phase(&cluster, "data").await == "Bound").await;
    cluster.delete::<PersistentVolumeClaim>("data", DeleteParams::default()).await;
    let released = async || {
        let volumes = volumes(&cluster).await;
        volumes.len() == 1 && volumes[0].status.as_ref().unwrap().phase.as_deref() == Some("Released")
    };
    cluster.eventually("released", released).await;
    assert_eq!(folders(&cluster.volumes()), 1);
}

#[tokio::test]
async fn volumes_made_by_hand_are_bound_by_fit() {
    let cluster = Cluster::new().await;
    let api: Api<PersistentVolume> = Api::all(cluster.client.clone());
    for (name, size) in [("small", "1Gi"), ("medium", "5Gi"), ("large", "50Gi")] {
        let volume = json!({"metadata": {"name": name}, "spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteMany"], "hostPath": {"path": "/srv/x"},
            "storageClassName": "", "persistentVolumeReclaimPolicy": "Retain"}});
        api.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
    }
    for (name, size) in [("a", "2Gi"), ("b", "500Mi"), ("c", "100Gi")] {
        cluster.create::<PersistentVolumeClaim>(claim(name, Some(""), size)).await;
    }
    let bound = async || phase(&cluster, "a").await == "Bound" && phase(&cluster, "b").await == "Bound";
    cluster.eventually("a and b are bound", bound).await;
    let volume = async |name: &str| cluster.get::<PersistentVolumeClaim>(name).await["spec"]["volumeName"].clone();
    assert_eq!((volume("a").await, volume("b").await), (json!("medium"), json!("small")));
    assert_eq!(phase(&cluster, "c").await, "Pending");
    let why = "no persistent volumes available for this claim and no storage class is set";
    cluster.eventually("it is told why", async || cluster.has_event("FailedBinding", why).await).await;
    let protected = async || api.get("medium").await.unwrap().finalizers() == ["kubernetes.io/pv-protection"];
    cluster.eventually("protected", protected).await;
    api.delete("medium", &DeleteParams::default()).await.unwrap();
    cluster.steadily("a bound volume stays", async || api.get_opt("medium").await.unwrap().is_some()).await;
}

#[tokio::test]
async fn a_finished_pod_lets_go_of_its_claim() {
    let cluster = Cluster::new().await;
    cluster.create::<PersistentVolumeClaim>(claim("data", None, "1Gi")).await;
    let mut stays = pod("user", "data");
    stays["metadata"]["annotations"] = json!({STAYS: "x"});
    cluster.create::<Pod>(stays).await;
    cluster.eventually("bound", async || phase(&cluster, "data").await == "Bound").await;
    cluster.delete::<PersistentVolumeClaim>("data", DeleteParams::default()).await;
    let pods: Api<Pod> = cluster.api("default");
    let done = kube::api::Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
    pods.patch_status("user", &kube::api::PatchParams::default(), &done).await.unwrap();
    let gone = async || cluster.get::<PersistentVolumeClaim>("data").await.is_null();
    cluster.eventually("the claim goes", gone).await;
}
