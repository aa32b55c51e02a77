//! The scheduler against the API.

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use crate::kit::{Cluster, Options, container};

fn pod(name: &str, cpu: &str) -> Value {
    let mut container = container("v1");
    container["resources"] = json!({"requests": {"cpu": cpu}});
    json!({"metadata": {"name": name}, "spec": {"containers": [container]}})
}

fn node_of(pod: &Pod) -> Option<String> {
    pod.spec.as_ref()?.node_name.clone()
}

#[tokio::test]
async fn a_pod_that_does_not_fit_says_why_and_fits_once_there_is_room() {
    let cluster = Cluster::new().await;
    cluster.create::<Pod>(pod("large", "3")).await;
    cluster
        .eventually("scheduled", async || {
            cluster.has_event("Scheduled", "Successfully assigned default/large to node-1").await
        })
        .await;
    cluster.create::<Pod>(pod("late", "2")).await;
    let why = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims \
               found for incoming pod.";
    cluster.eventually("event", async || cluster.has_event("FailedScheduling", why).await).await;
    let told = async || {
        let conditions =
            cluster.get::<Pod>("late").await["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions
            .iter()
            .any(|it| it["type"] == "PodScheduled" && it["reason"] == "Unschedulable" && it["message"] == why)
    };
    cluster.eventually("condition", told).await;
    cluster.delete::<Pod>("large", DeleteParams::default()).await;
    cluster
        .eventually("there is room", async || cluster.get::<Pod>("late").await["spec"]["nodeName"] == "node-1")
        .await;
}

#[tokio::test]
async fn pods_are_spread_over_nodes() {
    let cluster = Cluster::with(Options { nodes: &["a", "b", "c"], ..Options::default() }).await;
    for index in 0..9 {
        cluster.create::<Pod>(pod(&format!("p{index}"), "100m")).await;
    }
    let bound = async || cluster.pods().await.iter().all(|pod| node_of(pod).is_some());
    cluster.eventually("all bound", bound).await;
    let pods = cluster.pods().await;
    for node in ["a", "b", "c"] {
        let here = pods.iter().filter(|pod| node_of(pod).as_deref() == Some(node)).count();
        assert!((2..=4).contains(&here), "{here} on {node}");
    }
}

#[tokio::test]
async fn a_pod_waits_for_a_node_that_is_to_its_taste() {
    let cluster = Cluster::new().await;
    let mut picky = pod("picky", "100m");
    picky["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "node-2"});
    cluster.create::<Pod>(picky).await;
    let why = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    cluster.eventually("event", async || cluster.has_event("FailedScheduling", why).await).await;
    cluster.join("node-2").await;
    let there = async || cluster.list::<Pod>().await.iter().all(|pod| node_of(pod).as_deref() == Some("node-2"));
    cluster.eventually("it goes there", there).await;
    assert_eq!(cluster.list::<Pod>().await[0].name_any(), "picky");
}
