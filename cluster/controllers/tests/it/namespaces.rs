//! How namespaces begin and end.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Namespace, Pod, Secret, ServiceAccount},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::kit::{Cluster, STAYS, container};

async fn namespace(cluster: &Cluster, name: &str) -> Api<Namespace> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let accounts: Api<ServiceAccount> = cluster.api(name);
    let maps: Api<ConfigMap> = cluster.api(name);
    let ready = async || {
        let account = accounts.get_opt("default").await.unwrap();
        let bundle = maps.get_opt("kube-root-ca.crt").await.unwrap();
        account.is_some() && bundle.is_some_and(|bundle| bundle.data.unwrap()["ca.crt"] == "pem")
    };
    cluster.eventually("account and certificate", ready).await;
    namespaces
}

#[tokio::test]
async fn a_namespace_gets_what_pods_take_for_granted_back() {
    let cluster = Cluster::new().await;
    namespace(&cluster, "team").await;
    let maps: Api<ConfigMap> = cluster.api("team");
    maps.delete("kube-root-ca.crt", &DeleteParams::default()).await.unwrap();
    let back = async || maps.get_opt("kube-root-ca.crt").await.unwrap().is_some();
    cluster.eventually("the bundle is back", back).await;
    let patch = Patch::Merge(json!({"data": {"ca.crt": "forged"}}));
    maps.patch("kube-root-ca.crt", &PatchParams::default(), &patch).await.unwrap();
    let mended = async || maps.get("kube-root-ca.crt").await.unwrap().data.unwrap()["ca.crt"] == "pem";
    cluster.eventually("the bundle is mended", mended).await;
}

#[tokio::test]
async fn a_namespace_ends_with_all_that_is_in_it() {
    let cluster = Cluster::new().await;
    let namespaces = namespace(&cluster, "team").await;
    let deployments: Api<Deployment> = cluster.api("team");
    let pods: Api<Pod> = cluster.api("team");
    let secrets: Api<Secret> = cluster.api("team");
    let web = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}, "annotations": {STAYS: "x"}},
            "spec": {"containers": [container("v1")]}}}});
    deployments.create(&PostParams::default(), &serde_json::from_value(web).unwrap()).await.unwrap();
    let secret = serde_json::from_value(json!({"metadata": {"name": "key"}})).unwrap();
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let count = async || pods.list(&ListParams::default()).await.unwrap().items.len();
    cluster.eventually("two pods", async || count().await == 2).await;

    namespaces.delete("team", &DeleteParams::default()).await.unwrap();
    let told = async || {
        let status = namespaces.get("team").await.unwrap().status.unwrap();
        let conditions = status.conditions.unwrap_or_default();
        let remaining = conditions.iter().find(|condition| condition.type_ == "NamespaceContentRemaining");
        status.phase.as_deref() == Some("Terminating")
            && remaining.is_some_and(|it| it.status == "True" && it.message.as_ref().unwrap().contains("pods."))
    };
    cluster.eventually("what remains is told", told).await;
    assert!(secrets.get_opt("key").await.unwrap().is_some(), "pods go first");
    for pod in pods.list(&ListParams::default()).await.unwrap() {
        pods.delete(pod.metadata.name.as_deref().unwrap(), &DeleteParams::default().grace_period(0)).await.unwrap();
    }
    let gone = async || namespaces.get_opt("team").await.unwrap().is_none();
    cluster.eventually("the namespace is gone", gone).await;
    assert!(secrets.list(&ListParams::default()).await.unwrap().items.is_empty());
}
