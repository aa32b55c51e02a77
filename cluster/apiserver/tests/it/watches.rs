//! Watches: what is told, to whom, and how it ends.

use crate::kit::{CONFIG_MAPS, Cluster};
use serde_json::{Value, json};
use std::time::Duration;

fn brief(verb: &str, name: &str) -> (String, String) {
    (verb.to_owned(), name.to_owned())
}

#[tokio::test]
async fn changes_are_told_from_a_version_on() {
    let cluster = Cluster::new().await;
    let first = cluster.config_map("a", json!({})).await;
    cluster.config_map("b", json!({})).await;
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={first}")).await;
    assert_eq!(events.brief().await, brief("ADDED", "b"));
    cluster.merge(&format!("{CONFIG_MAPS}/a"), json!({"data": {"a": "1"}})).await.ok();
    let event = events.next().await.expect("an event");
    assert_eq!((&event["type"], &event["object"]["data"]["a"]), (&json!("MODIFIED"), &json!("1")));
    cluster.delete(&format!("{CONFIG_MAPS}/a"), Value::Null).await.ok();
    let gone = events.next().await.expect("an event");
    assert_eq!((&gone["type"], &gone["object"]["data"]["a"]), (&json!("DELETED"), &json!("1")));
    let version =
        |event: &Value| event["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse::<i64>().unwrap();
    assert!(version(&gone) > version(&event), "a deletion has a version of its own");
}

#[tokio::test]
async fn a_watch_without_version_begins_with_what_is_there() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    for query in ["watch=true", "watch=true&resourceVersion=0"] {
        let mut events = cluster.watch(&format!("{CONFIG_MAPS}?{query}&fieldSelector=metadata.name%3Da")).await;
        assert_eq!(events.brief().await, brief("ADDED", "a"), "{query}");
    }
}

#[tokio::test]
async fn a_streamed_list_says_where_it_ends() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?{query}")).await;
    assert_eq!(events.brief().await, brief("ADDED", "a"));
    let end = events.next().await.expect("a bookmark");
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["kind"], "ConfigMap");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert!(end["object"]["metadata"]["resourceVersion"].is_string());
    cluster.config_map("b", json!({})).await;
    assert_eq!(events.brief().await, brief("ADDED", "b"));
    let wrong = cluster.get(&format!("{CONFIG_MAPS}?watch=1&sendInitialEvents=true")).await;
    assert_eq!(wrong.failure().0, 422);
}

#[tokio::test]
async fn selectors_make_objects_come_and_go() {
    let cluster = Cluster::new().await;
    let first = cluster.config_map("a", json!({"app": "x"})).await;
    let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={first}&labelSelector=app%3Dy");
    let mut events = cluster.watch(&path).await;
    let patch = async |app: &str| {
        cluster.merge(&format!("{CONFIG_MAPS}/a"), json!({"metadata": {"labels": {"app": app}}})).await.ok();
    };
    patch("y").await;
    assert_eq!(events.brief().await, brief("ADDED", "a"));
    patch("x").await;
    let event = events.next().await.expect("an event");
    assert_eq!((&event["type"], &event["object"]["metadata"]["labels"]["app"]), (&json!("DELETED"), &json!("y")));
    patch("z").await;
    patch("y").await;
    assert_eq!(events.brief().await, brief("ADDED", "a"));
}

#[tokio::test]
async fn a_watch_of_a_namespace_sees_only_that() {
    let cluster = Cluster::new().await;
    cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "default2"}})).await.ok();
    let first = cluster.config_map("a", json!({})).await;
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={first}")).await;
    cluster.post("/api/v1/namespaces/default2/configmaps", json!({"metadata": {"name": "b"}})).await.ok();
    cluster.config_map("c", json!({})).await;
    assert_eq!(events.brief().await, brief("ADDED", "c"));
}

#[tokio::test]
async fn a_forgotten_version_is_told_in_the_stream() {
    let cluster = Cluster::new().await;
    // The first use of the kind starts its history; nothing before is remembered.
    cluster.config_map("a", json!({})).await;
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion=1")).await;
    let event = events.next().await.expect("an event");
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(event["object"]["reason"], "Expired");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_slow_watch_is_cut_off_not_buffered() {
    let cluster = Cluster::new().await;
    let first = cluster.config_map("a", json!({})).await;
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={first}")).await;
    // More changes than the server keeps, while nobody reads.
    for number in 0..9000 {
        cluster.merge(&format!("{CONFIG_MAPS}/a"), json!({"data": {"n": number.to_string()}})).await.ok();
        tokio::task::yield_now().await;
    }
    let event = events.next().await.expect("an event");
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
}

#[tokio::test]
async fn a_watch_ends_when_it_said_so() {
    let cluster = Cluster::new().await;
    let first = cluster.config_map("a", json!({})).await;
    let query = format!("watch=1&resourceVersion={first}&timeoutSeconds=1&allowWatchBookmarks=true");
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?{query}")).await;
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn bookmarks_tell_how_far_the_watch_is() {
    let cluster = Cluster::new().await;
    let first = cluster.config_map("a", json!({})).await;
    let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={first}&allowWatchBookmarks=true&labelSelector=x%3Dy");
    let mut events = cluster.watch(&path).await;
    let second = cluster.config_map("b", json!({})).await;
    let bookmark = events.next_within(Duration::from_secs(61)).await.expect("a bookmark");
    assert_eq!(
        (&bookmark["type"], &bookmark["object"]["metadata"]["resourceVersion"]),
        (&json!("BOOKMARK"), &json!(second))
    );
}
