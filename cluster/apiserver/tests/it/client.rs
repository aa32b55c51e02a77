//! Through `kube::Client`, as the controllers use it.

use crate::kit::Cluster;
use axum::body::Body;
use futures::{StreamExt, TryStreamExt};
use http::Request;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use kpkg_apiserver::Identity;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use std::time::Duration;
use tower::ServiceExt;

fn client(cluster: &Cluster) -> Client {
    let service = cluster.router.clone().map_request(|request: Request<kube::client::Body>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Identity::master("test"));
        request
    });
    Client::new(service, "default")
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"a": "b"}})).expect("a ConfigMap")
}

#[tokio::test]
async fn objects_live_and_die() {
    let cluster = Cluster::new().await;
    let client = client(&cluster);
    assert_eq!(client.apiserver_version().await.expect("a version").minor, "37");
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let made = maps.create(&PostParams::default(), &config_map("a")).await.expect("made");
    assert!(made.uid().is_some());
    let error = maps.create(&PostParams::default(), &config_map("a")).await.expect_err("there already");
    assert!(matches!(error, kube::Error::Api(status) if status.reason == "AlreadyExists"));
    let patch = Patch::Merge(json!({"data": {"c": "d"}}));
    maps.patch("a", &PatchParams::default(), &patch).await.expect("patched");
    let listed = maps.list(&ListParams::default()).await.expect("listed");
    assert_eq!(listed.items[0].data.as_ref().map(std::collections::BTreeMap::len), Some(2));
    assert!(maps.delete("a", &DeleteParams::default()).await.expect("deleted").is_right());
    assert!(maps.get_opt("a").await.expect("asked").is_none());
    let nodes: Api<Node> = Api::all(client.clone());
    let node = json!({"metadata": {"name": "n"}, "status": {"nodeInfo": null, "conditions": [{"type": "Ready", "status": "True"}]}});
    let node: Node = serde_json::from_value(node).expect("a Node");
    let made = nodes.create(&PostParams::default(), &node).await.expect("made");
    assert!(made.status.and_then(|status| status.conditions).is_some(), "a kubelet registers with its status");
    let pods: Api<Pod> = Api::all(client);
    assert!(pods.list_metadata(&ListParams::default()).await.expect("listed").items.is_empty());
}

#[tokio::test]
async fn watchers_see_everything_with_both_ways_to_begin() {
    let cluster = Cluster::new().await;
    let client = client(&cluster);
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    maps.create(&PostParams::default(), &config_map("first")).await.expect("made");
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let mut seen = watcher(maps.clone(), config).applied_objects().boxed();
        let next = async |seen: &mut futures::stream::BoxStream<'_, _>| {
            let next: Result<Option<ConfigMap>, watcher::Error> =
                tokio::time::timeout(Duration::from_secs(20), seen.try_next()).await.expect("in time");
            next.expect("no failure").expect("not the end").name_any()
        };
        assert_eq!(next(&mut seen).await, "first");
        maps.create(&PostParams::default(), &config_map("second")).await.expect("made");
        assert_eq!(next(&mut seen).await, "second");
        maps.delete("second", &DeleteParams::default()).await.expect("deleted");
    }
}

#[tokio::test]
async fn a_controller_can_finish_a_namespace() {
    let cluster = Cluster::new().await;
    let namespaces: Api<Namespace> = Api::all(client(&cluster));
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": "doomed"}})).expect("a Namespace");
    namespaces.create(&PostParams::default(), &namespace).await.expect("made");
    let mut doomed = namespaces
        .delete("doomed", &DeleteParams::default())
        .await
        .expect("deleted")
        .left()
        .expect("it is marked, not gone");
    assert!(doomed.meta().deletion_timestamp.is_some());
    if let Some(spec) = &mut doomed.spec {
        spec.finalizers = None;
    }
    let body = serde_json::to_value(&doomed).expect("JSON");
    namespaces.replace_subresource("finalize", "doomed", &PostParams::default(), &body).await.expect("finished");
    assert!(namespaces.get_opt("doomed").await.expect("asked").is_none());
}
