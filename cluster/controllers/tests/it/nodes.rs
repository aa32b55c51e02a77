//! Nodes that fall silent or vanish.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};

use crate::kit::{Cluster, Options, container, is_ready};

async fn node(cluster: &Cluster, name: &str) -> Value {
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    serde_json::to_value(nodes.get_opt(name).await.unwrap()).unwrap()
}

fn taints(node: &Value) -> Vec<String> {
    let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let text = |taint: Value| format!("{}:{}", taint["key"].as_str().unwrap(), taint["effect"].as_str().unwrap());
    taints.into_iter().map(text).collect()
}

#[tokio::test]
async fn a_silent_node_is_marked_and_its_pods_move() {
    let options = Options { nodes: &["steady"], node_grace: Duration::from_secs(1) };
    let cluster = Cluster::with(options).await;
    let kubelet = cluster.join("shaky").await;
    let pod = |name: &str, seconds: i64| {
        let toleration = json!({"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": seconds});
        json!({"metadata": {"name": name}, "spec": {"nodeName": "shaky", "tolerations": [toleration],
            "containers": [container("v1")]}})
    };
    cluster.create::<Pod>(pod("hasty", 0)).await;
    cluster.create::<Pod>(pod("patient", 3600)).await;
    cluster.eventually("both run", async || cluster.pods().await.iter().filter(|pod| is_ready(pod)).count() == 2).await;
    kubelet.cancel();
    let marked = async || {
        let node = node(&cluster, "shaky").await;
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let unknown = conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "Unknown");
        unknown && taints(&node).contains(&"node.kubernetes.io/unreachable:NoExecute".to_owned())
    };
    cluster.eventually("marked", marked).await;
    let evicted = async || {
        let pods = cluster.pods().await;
        pods.len() == 1 && !is_ready(&pods[0])
    };
    cluster.eventually("the hasty pod is deleted, the patient one not ready", evicted).await;
    assert!(taints(&node(&cluster, "steady").await).is_empty());

    let nodes: Api<Node> = Api::all(cluster.client.clone());
    nodes.delete("shaky", &DeleteParams::default()).await.unwrap();
    let cleaned = async || cluster.list::<Pod>().await.is_empty();
    cluster.eventually("pods of a vanished node are removed", cleaned).await;
}
