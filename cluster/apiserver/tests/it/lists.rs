//! Lists: selectors, pages, versions.

use crate::kit::{CONFIG_MAPS, Cluster};
use kpkg_store::Store;
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("items").iter().filter_map(|item| item["metadata"]["name"].as_str()).collect()
}

#[tokio::test]
async fn selectors_choose() {
    let cluster = Cluster::new().await;
    for (name, app) in [("a", "x"), ("b", "y"), ("c", "x")] {
        cluster.config_map(name, json!({"app": app})).await;
    }
    let cases = [
        ("", vec!["a", "b", "c"]),
        ("labelSelector=app%3Dx", vec!["a", "c"]),
        ("labelSelector=app%20in%20(x,y),app!=y", vec!["a", "c"]),
        ("labelSelector=!app", vec![]),
        ("fieldSelector=metadata.name%3Db", vec!["b"]),
        ("fieldSelector=metadata.name!%3Db", vec!["a", "c"]),
        ("fieldSelector=metadata.name%3Db&labelSelector=app%3Dx", vec![]),
    ];
    for (query, want) in cases {
        let list = cluster.get(&format!("{CONFIG_MAPS}?{query}")).await.ok();
        assert_eq!((names(&list), &list["kind"]), (want, &json!("ConfigMapList")), "{query}");
    }
    for query in ["fieldSelector=spec.nothing%3Dx", "labelSelector=%3D%3D", "limit=x"] {
        assert_eq!(cluster.get(&format!("{CONFIG_MAPS}?{query}")).await.failure().0, 400, "{query}");
    }
}

#[tokio::test]
async fn pages_show_one_state_even_if_it_changes() {
    let cluster = Cluster::new().await;
    for name in ["a", "b", "c", "d"] {
        cluster.config_map(name, json!({"half": (name < "c").to_string()})).await;
    }
    let first = cluster.get(&format!("{CONFIG_MAPS}?limit=2")).await.ok();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    cluster.config_map("bb", json!({})).await;
    cluster.delete(&format!("{CONFIG_MAPS}/d"), Value::Null).await.ok();
    let token = first["metadata"]["continue"].as_str().expect("a token");
    let second = cluster.get(&format!("{CONFIG_MAPS}?limit=2&continue={token}")).await.ok();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert!(second["metadata"]["continue"].is_null());
    let selected = cluster.get(&format!("{CONFIG_MAPS}?limit=1&labelSelector=half%3Dfalse")).await.ok();
    assert_eq!(names(&selected), ["c"]);
}

#[tokio::test]
async fn an_expired_page_goes_on_at_the_present() {
    let cluster = Cluster::new().await;
    for name in ["a", "b", "c"] {
        cluster.config_map(name, json!({})).await;
    }
    let first = cluster.get(&format!("{CONFIG_MAPS}?limit=1")).await.ok();
    let token = first["metadata"]["continue"].as_str().expect("a token");
    cluster.config_map("d", json!({})).await;
    let current = cluster.store.current_revision().await.expect("a revision");
    cluster.store.compact(current).await.expect("compacted");
    let expired = cluster.get(&format!("{CONFIG_MAPS}?limit=1&continue={token}")).await;
    assert_eq!((expired.failure().0, expired.failure().1), (410, "Expired"));
    let fresh = expired.body["metadata"]["continue"].as_str().expect("a token to go on with");
    let listed = cluster.get(&format!("{CONFIG_MAPS}?limit=5&continue={fresh}")).await.ok();
    assert_eq!(names(&listed), ["b", "c", "d"]);
    let old = cluster.get(&format!("{CONFIG_MAPS}?resourceVersion=2&resourceVersionMatch=Exact")).await;
    assert_eq!(old.failure().2, "The resourceVersion for the provided list is too old.");
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}?limit=1&continue=nonsense")).await.failure().0, 400);
    let both = cluster.get(&format!("{CONFIG_MAPS}?continue={token}&resourceVersion=5")).await;
    assert_eq!(both.failure().2, "specifying resource version is not allowed when using continue");
}

#[tokio::test]
async fn versions_are_honoured() {
    let cluster = Cluster::new().await;
    let first = cluster.config_map("a", json!({})).await;
    cluster.config_map("b", json!({})).await;
    let exact = cluster.get(&format!("{CONFIG_MAPS}?resourceVersion={first}&resourceVersionMatch=Exact")).await.ok();
    assert_eq!((names(&exact), &exact["metadata"]["resourceVersion"]), (vec!["a"], &json!(first)));
    let newer = cluster.get(&format!("{CONFIG_MAPS}?resourceVersion={first}")).await.ok();
    assert_eq!(names(&newer), ["a", "b"]);
    let future = cluster.get(&format!("{CONFIG_MAPS}?resourceVersion=999999")).await;
    assert_eq!((future.failure().0, future.failure().1), (504, "Timeout"));
    assert!(future.failure().2.contains("Too large resource version: 999999"));
    assert_eq!(future.headers["retry-after"], "1");
}

#[tokio::test]
async fn lists_span_namespaces() {
    let cluster = Cluster::new().await;
    cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "other"}})).await.ok();
    cluster.config_map("a", json!({})).await;
    cluster.post("/api/v1/namespaces/other/configmaps", json!({"metadata": {"name": "b"}})).await.ok();
    assert_eq!(names(&cluster.get("/api/v1/configmaps").await.ok()), ["a", "b"]);
    assert_eq!(names(&cluster.get("/api/v1/namespaces/other/configmaps").await.ok()), ["b"]);
}
