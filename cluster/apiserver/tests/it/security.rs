//! Kubernetes' past mistakes, by their numbers.

use crate::kit::{CONFIG_MAPS, Cluster, PODS, pod};
use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

// CVE-2019-11253: a small document that becomes a huge one.
#[tokio::test]
async fn a_yaml_bomb_is_refused() {
    let cluster = Cluster::new().await;
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, before) in ('b'..='j').zip('a'..) {
        let list = vec![format!("*{before}"); 9].join(",");
        bomb += &format!("{name}: &{name} [{list}]\n");
    }
    let answer = cluster.write(Method::POST, CONFIG_MAPS, "application/yaml", bomb).await;
    assert_eq!(answer.failure().0, 400);
}

// GHSA-74fp-r6jw-h4mp: unbounded recursion, in any encoding.
#[tokio::test]
async fn deep_nesting_is_refused() {
    let cluster = Cluster::new().await;
    for (media_type, body) in [
        ("application/json", r#"{"a":"#.repeat(200_000)),
        ("application/json", "[".repeat(1_000_000)),
        ("application/yaml", "[".repeat(100_000)),
        ("application/yaml", "- ".repeat(100_000)),
    ] {
        assert_eq!(cluster.write(Method::POST, CONFIG_MAPS, media_type, body).await.failure().0, 400, "{media_type}");
    }
    cluster.config_map("a", json!({})).await;
    let patch = r#"{"data":"#.repeat(200_000);
    let answer = cluster.write(Method::PATCH, &format!("{CONFIG_MAPS}/a"), "application/merge-patch+json", patch).await;
    assert_eq!(answer.failure().0, 400);
}

// CVE-2020-8551, CVE-2019-1002100: bodies and patches without bound.
#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let cluster = Cluster::new().await;
    let body = format!(r#"{{"metadata": {{"name": "a"}}, "data": {{"a": "{}"}}}}"#, "x".repeat(4 << 20));
    let answer = cluster.write(Method::POST, CONFIG_MAPS, "application/json", body).await;
    assert_eq!(answer.failure(), (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"));
    cluster.config_map("a", json!({})).await;
    let operations = vec![json!({"op": "add", "path": "/data", "value": {}}); 10_001];
    let patch = serde_json::Value::from(operations).to_string();
    let answer = cluster.write(Method::PATCH, &format!("{CONFIG_MAPS}/a"), "application/json-patch+json", patch).await;
    assert!(matches!(answer.failure().0, 400 | 413), "{}", answer.text);
}

// CVE-2022-3162, CVE-2015-5305: a name that is a path.
#[tokio::test]
async fn names_are_not_paths() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    for path in [
        "/api/v1/namespaces/default/configmaps/..",
        "/api/v1/namespaces/default/configmaps/..%2Fpods",
        "/api/v1/namespaces/%2E%2E/configmaps",
        "/api/v1/namespaces/kube-system/configmaps/..%2F..%2Fdefault%2Fa",
    ] {
        assert_eq!(cluster.get(path).await.status.as_u16(), 400, "{path}");
    }
    for name in ["..", ".", "a/b", "a%2fb"] {
        let answer = cluster.post(CONFIG_MAPS, json!({"metadata": {"name": name}})).await;
        assert_eq!(answer.failure().0, 422, "{name}");
    }
    for kind in kpkg_api::schema::kinds().iter().filter(|kind| kind.kind != "Binding") {
        let group =
            if kind.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}/{}", kind.group, kind.version) };
        let namespace = if kind.namespaced { "/namespaces/default" } else { "" };
        for metadata in [json!({}), json!({"name": ".."}), json!({"name": "a/b"})] {
            let answer =
                cluster.post(&format!("{group}{namespace}/{}", kind.plural), json!({"metadata": metadata})).await;
            assert!(matches!(answer.failure().0, 400 | 403 | 422), "{} {metadata}: {}", kind.kind, answer.text);
        }
    }
    // A continue token leads nowhere outside the collection either.
    let token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiLi4vIn0";
    let listed = cluster.get(&format!("{CONFIG_MAPS}?continue={token}")).await.ok();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
}

// CVE-2021-25735: an update is judged by what is stored, not by what the client says was there.
#[tokio::test]
async fn an_update_cannot_rewrite_history() {
    let cluster = Cluster::new().await;
    let made = cluster.post(PODS, pod("p")).await.ok();
    let path = format!("{PODS}/p");
    let mut changed = made.clone();
    changed["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    changed["metadata"]["deletionTimestamp"] = json!("2001-01-01T00:00:00Z");
    changed["metadata"]["generation"] = json!(77);
    changed["status"]["phase"] = json!("Running");
    let answer = cluster.put(&path, changed).await;
    if answer.status.is_success() {
        for field in ["creationTimestamp", "generation", "uid"] {
            assert_eq!(answer.body["metadata"][field], made["metadata"][field], "{field}");
        }
        assert!(answer.body["metadata"].get("deletionTimestamp").is_none());
        assert_eq!(answer.body["status"]["phase"], "Pending");
    }
    let mut moved = made;
    moved["spec"]["serviceAccountName"] = json!("other");
    assert_eq!(cluster.put(&path, moved).await.failure().0, 422);
}

// Nobody becomes somebody by saying so.
#[tokio::test]
async fn strangers_cannot_act_as_others() {
    let cluster = Cluster::new().await.by(None);
    let request = Request::get("/api/v1/pods")
        .header("impersonate-user", "admin")
        .header("impersonate-group", "system:masters")
        .header("x-remote-user", "admin")
        .header("x-remote-group", "system:masters");
    let answer = cluster.ask(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.failure().0, 403);
}

// CVE-2020-8555 and its kin: what the client names is never fetched; there is no path through a service or a node.
#[tokio::test]
async fn there_is_no_proxy_to_elsewhere() {
    let cluster = Cluster::new().await;
    for path in [
        "/api/v1/namespaces/default/services/kubernetes/proxy",
        "/api/v1/namespaces/default/services/https:kubernetes:443/proxy/metrics",
        "/api/v1/nodes/n/proxy/exec",
        "/api/v1/proxy/nodes/n",
    ] {
        assert_eq!(cluster.get(path).await.status.as_u16(), 404, "{path}");
    }
}

// CVE-2021-25737: endpoints that lead back into the machine.
#[tokio::test]
async fn endpoints_do_not_lead_into_the_machine() {
    let cluster = Cluster::new().await;
    for address in ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"] {
        let slice = json!({
            "metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [{"addresses": [address]}],
        });
        let answer = cluster.post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slice).await;
        assert_eq!(answer.failure().0, 422, "{address}");
    }
}

// CVE-2020-8551 and its kin: too much at once is refused, not queued without end; watches do not count.
#[tokio::test]
async fn too_many_requests_are_refused() {
    let mut config = kpkg_apiserver::Config::new(kpkg_apiserver::Config::new_signing_key());
    config.max_in_flight = 1;
    let cluster = Cluster::with(config, std::sync::Arc::new(kpkg_apiserver::NoNodes)).await;
    let _watch = cluster.watch(&format!("{CONFIG_MAPS}?watch=1")).await;
    let endless = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let endless = Request::post(CONFIG_MAPS).body(Body::from_stream(endless)).expect("a request");
    let held = cluster.send(endless);
    tokio::pin!(held);
    assert!(futures::poll!(&mut held).is_pending());
    let refused = cluster.get(CONFIG_MAPS).await;
    assert_eq!(refused.failure(), (429, "TooManyRequests", "Too many requests, please try again later."));
    assert_eq!(refused.headers["retry-after"], "1");
}
