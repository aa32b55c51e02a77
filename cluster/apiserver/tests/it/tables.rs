//! Tables, as kubectl asks for them.

use crate::kit::{CONFIG_MAPS, Cluster, DEPLOYMENTS, PODS, deployment, pod};
use serde_json::{Value, json};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

fn columns(table: &Value) -> Vec<&str> {
    table["columnDefinitions"]
        .as_array()
        .expect("columns")
        .iter()
        .filter_map(|column| column["name"].as_str())
        .collect()
}

#[tokio::test]
async fn lists_and_objects_become_rows() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let table = cluster.get_as(PODS, TABLE).await.ok();
    assert_eq!((&table["kind"], &table["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    assert!(table["metadata"]["resourceVersion"].is_string());
    assert_eq!(columns(&table)[..5], ["Name", "Ready", "Status", "Restarts", "Age"]);
    let row = &table["rows"][0];
    assert_eq!(
        row["cells"].as_array().map(|cells| &cells[..4]),
        Some(&[json!("p"), json!("0/1"), json!("Pending"), json!("0")][..])
    );
    assert_eq!(
        (&row["object"]["kind"], &row["object"]["metadata"]["name"]),
        (&json!("PartialObjectMetadata"), &json!("p"))
    );
    cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let one = cluster.get_as(&format!("{DEPLOYMENTS}/web?includeObject=Object"), TABLE).await.ok();
    assert_eq!(one["rows"][0]["object"]["spec"]["replicas"], 1);
    let none = cluster.get_as(&format!("{DEPLOYMENTS}/web?includeObject=None"), TABLE).await.ok();
    assert!(none["rows"][0].get("object").is_none());
}

#[tokio::test]
async fn events_do_not_begin_with_their_name() {
    let cluster = Cluster::new().await;
    let event = json!({
        "metadata": {"name": "e.1"}, "reason": "Started", "message": "hi", "type": "Normal",
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
    });
    cluster.post("/api/v1/namespaces/default/events", event).await.ok();
    for path in ["/api/v1/events", "/apis/events.k8s.io/v1/events"] {
        let table = cluster.get_as(path, TABLE).await.ok();
        assert_eq!(columns(&table)[..4], ["Last Seen", "Type", "Reason", "Object"], "{path}");
        assert_eq!(table["rows"][0]["cells"][3], "pod/p", "{path}");
        assert_eq!(table["rows"][0]["cells"][6], "hi", "{path}");
    }
}

#[tokio::test]
async fn the_default_class_is_marked() {
    let cluster = Cluster::new().await;
    let class = json!({
        "metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kpkg.io/local",
    });
    cluster.post("/apis/storage.k8s.io/v1/storageclasses", class).await.ok();
    let table = cluster.get_as("/apis/storage.k8s.io/v1/storageclasses", TABLE).await.ok();
    assert_eq!(table["rows"][0]["cells"][0], "local (default)");
}

#[tokio::test]
async fn a_watched_table_shows_its_columns_once() {
    let cluster = Cluster::new().await;
    let first = cluster.config_map("a", json!({})).await;
    let mut events = cluster.watch_as(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={first}"), TABLE).await;
    cluster.config_map("b", json!({})).await;
    cluster.config_map("c", json!({})).await;
    let event = events.next().await.expect("an event");
    assert_eq!(columns(&event["object"]), ["Name", "Data", "Age"]);
    assert_eq!(event["object"]["rows"][0]["cells"][0], "b");
    let event = events.next().await.expect("an event");
    assert!(event["object"]["columnDefinitions"].is_null());
    assert_eq!(event["object"]["rows"][0]["cells"][0], "c");
}

#[tokio::test]
async fn lists_of_metadata_hold_nothing_else() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list = cluster.get_as(CONFIG_MAPS, accept).await.ok();
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&json!("PartialObjectMetadataList"), &json!("PartialObjectMetadata"))
    );
    assert!(list["items"][0].get("data").is_none());
}
