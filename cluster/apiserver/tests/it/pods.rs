//! What pods and claims get on their way in.

use crate::kit::{Cluster, PODS, pod};
use serde_json::json;

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

#[tokio::test]
async fn a_pod_gets_account_token_tolerations_and_class() {
    let cluster = Cluster::new().await;
    let made = cluster.post(PODS, pod("p")).await.ok();
    let spec = &made["spec"];
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("default"), &json!("default")));
    let volume = &spec["volumes"][0];
    assert_eq!(
        volume["projected"]["sources"][0]["serviceAccountToken"],
        json!({"expirationSeconds": 3607, "path": "token"})
    );
    let mount = &spec["containers"][0]["volumeMounts"][0];
    assert_eq!((&mount["name"], &mount["readOnly"]), (&volume["name"], &json!(true)));
    assert_eq!(mount["mountPath"], "/var/run/secrets/kubernetes.io/serviceaccount");
    assert_eq!(spec["tolerations"].as_array().map(Vec::len), Some(2));
    assert_eq!((&made["status"]["phase"], &made["status"]["qosClass"]), (&json!("Pending"), &json!("BestEffort")));
    assert!(spec.get("initContainers").is_none(), "nothing is added that was not there");
}

#[tokio::test]
async fn a_pod_may_do_without_a_token() {
    let cluster = Cluster::new().await;
    let mut body = pod("p");
    body["spec"]["automountServiceAccountToken"] = json!(false);
    let made = cluster.post(PODS, body).await.ok();
    assert!(made["spec"].get("volumes").is_none());
}

#[tokio::test]
async fn a_pod_needs_its_account() {
    let cluster = Cluster::new().await;
    let mut body = pod("p");
    body["spec"]["serviceAccountName"] = json!("none");
    let answer = cluster.post(PODS, body).await;
    assert_eq!(
        answer.failure(),
        (
            403,
            "Forbidden",
            "pods \"p\" is forbidden: error looking up service account default/none: serviceaccount \"none\" not found"
        )
    );
}

#[tokio::test]
async fn a_pods_status_cannot_be_sent_along() {
    let cluster = Cluster::new().await;
    let mut body = pod("p");
    body["status"] = json!({"phase": "Running"});
    assert_eq!(cluster.post(PODS, body).await.ok()["status"]["phase"], "Pending");
}

#[tokio::test]
async fn claims_get_the_default_class() {
    let cluster = Cluster::new().await;
    let claim = |name: &str| json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let none = cluster.post(CLAIMS, claim("a")).await.ok();
    assert!(none["spec"].get("storageClassName").is_none());
    let class = json!({
        "metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kpkg.io/local",
    });
    cluster.post("/apis/storage.k8s.io/v1/storageclasses", class).await.ok();
    let made = cluster.post(CLAIMS, claim("b")).await.ok();
    assert_eq!((&made["spec"]["storageClassName"], &made["status"]["phase"]), (&json!("local"), &json!("Pending")));
    assert_eq!(made["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let mut chosen = claim("c");
    chosen["spec"]["storageClassName"] = json!("");
    assert_eq!(cluster.post(CLAIMS, chosen).await.ok()["spec"]["storageClassName"], "");
}
