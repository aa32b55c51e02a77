//! A server in memory, and short ways to ask it.

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use kpkg_apiserver::{ApiServer, Config, Identity, NoNodes, NodeDialer};
use kpkg_store::Memory;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tower::ServiceExt;

/// A server and who asks it.
pub(crate) struct Cluster {
    pub(crate) server: Arc<ApiServer>,
    pub(crate) store: Arc<Memory>,
    pub(crate) router: Router,
    identity: Option<Identity>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null if the text is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The answer's body, which must be a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.body
    }

    /// The code, reason and message of what must be a failure.
    #[track_caller]
    pub(crate) fn failure(&self) -> (u16, &str, &str) {
        let text = |key: &str| self.body[key].as_str().unwrap_or_default();
        assert!(!self.status.is_success(), "{} {}", self.status, self.text);
        assert_eq!(self.body["kind"], "Status", "{}", self.text);
        assert_eq!(self.body["code"], self.status.as_u16(), "{}", self.text);
        (self.status.as_u16(), text("reason"), text("message"))
    }
}

impl Cluster {
    /// A new cluster with a service account `default` in namespace `default`.
    pub(crate) async fn new() -> Self {
        Self::with_nodes(Arc::new(NoNodes)).await
    }

    pub(crate) async fn with_nodes(nodes: Arc<dyn NodeDialer>) -> Self {
        Self::with(Config::new(Config::new_signing_key()), nodes).await
    }

    pub(crate) async fn with(config: Config, nodes: Arc<dyn NodeDialer>) -> Self {
        let store = Arc::new(Memory::default());
        let server = ApiServer::new(store.clone(), config, nodes);
        server.bootstrap().await.expect("a new store takes what every cluster has");
        let cluster = Self { router: server.router(), server, store, identity: Some(Identity::master("admin")) };
        cluster.post("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})).await.ok();
        cluster
    }

    /// The same cluster, asked by somebody else.
    pub(crate) fn by(&self, identity: Option<Identity>) -> Self {
        Self { server: self.server.clone(), store: self.store.clone(), router: self.router.clone(), identity }
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> http::Response<Body> {
        if let Some(identity) = &self.identity {
            request.extensions_mut().insert(identity.clone());
        }
        self.router.clone().oneshot(request).await.expect("a router does not fail")
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.send(request).await.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, text, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.ask(Request::get(path).header("accept", accept).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn write(&self, method: Method, path: &str, media_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", media_type);
        self.ask(request.body(body.into()).expect("a request")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.write(Method::POST, path, "application/json", body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.write(Method::PUT, path, "application/json", body.to_string()).await
    }

    pub(crate) async fn merge(&self, path: &str, body: Value) -> Answer {
        self.write(Method::PATCH, path, "application/merge-patch+json", body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str, options: Value) -> Answer {
        self.write(Method::DELETE, path, "application/json", options.to_string()).await
    }

    /// Makes a ConfigMap; answers its resourceVersion.
    pub(crate) async fn config_map(&self, name: &str, labels: Value) -> String {
        let body = json!({"metadata": {"name": name, "labels": labels}});
        let made = self.post("/api/v1/namespaces/default/configmaps", body).await.ok();
        made["metadata"]["resourceVersion"].as_str().expect("a version").to_owned()
    }

    /// Begins a watch.
    pub(crate) async fn watch(&self, path: &str) -> Events {
        self.watch_as(path, "application/json").await
    }

    pub(crate) async fn watch_as(&self, path: &str, accept: &str) -> Events {
        let request = Request::get(path).header("accept", accept).body(Body::empty()).expect("a request");
        let response = self.send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        Events { body: response.into_body(), rest: Vec::new() }
    }
}

/// The events of a watch.
pub(crate) struct Events {
    body: Body,
    rest: Vec<u8>,
}

impl Events {
    /// The next event; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        self.next_within(Duration::from_secs(20)).await
    }

    /// The same, waiting at most so long.
    pub(crate) async fn next_within(&mut self, limit: Duration) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a line of JSON"));
            }
            let frame = tokio::time::timeout(limit, self.body.frame()).await.expect("an event in time");
            self.rest.extend_from_slice(&frame?.expect("a frame").into_data().expect("data"));
        }
    }

    /// The next event's type and the object's name.
    pub(crate) async fn brief(&mut self) -> (String, String) {
        let event = self.next().await.expect("an event");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }
}

/// A pod that passes validation.
pub(crate) fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}})
}

/// A Deployment that passes validation.
pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            },
        },
    })
}

pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(crate) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
