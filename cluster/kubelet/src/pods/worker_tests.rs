//! Pods' lives against a real API server, with containers in memory.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use k8s_openapi::api::core::v1::{Event, Pod, ServiceAccount};
use kpkg_apiserver::{ApiServer, Config, Identity, NoNodes};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Kubelet, KubeletConfig,
    doors::fake::{FakeCri, FakeNet},
};

struct Node {
    client: Client,
    cri: Arc<FakeCri>,
    home: tempfile::TempDir,
    _running: DropGuard,
}

impl Node {
    async fn start() -> Self {
        let server = ApiServer::new(
            Arc::new(kpkg_store::Memory::default()),
            Config::new(Config::new_signing_key()),
            Arc::new(NoNodes),
        );
        server.bootstrap().await.unwrap();
        let router = server.router();
        let service = tower::service_fn(move |mut request: http::Request<kube::client::Body>| {
            request.extensions_mut().insert(Identity::master("test"));
            tower::ServiceExt::oneshot(router.clone(), request.map(Body::new))
        });
        let client = Client::new(service, "default");
        let account = serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
        Api::<ServiceAccount>::namespaced(client.clone(), "default")
            .create(&PostParams::default(), &account)
            .await
            .unwrap();
        let (cri, home) = (Arc::new(FakeCri::new()), tempfile::tempdir().unwrap());
        let token = CancellationToken::new();
        let node = Self { client, cri, home, _running: token.clone().drop_guard() };
        tokio::spawn(node.kubelet().run(token));
        node
    }

    fn kubelet(&self) -> Arc<Kubelet> {
        let config =
            KubeletConfig::new("node", self.home.path(), "127.0.0.1".parse().unwrap(), "127.0.0.53".parse().unwrap());
        Kubelet::with_doors(self.client.clone(), config, self.cri.clone(), Arc::new(FakeNet::default()))
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "default")
    }

    async fn create(&self, spec: Value) {
        let mut spec = spec;
        spec["nodeName"] = json!("node");
        spec["automountServiceAccountToken"] = json!(false);
        let pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
        self.pods().create(&PostParams::default(), &pod).await.unwrap();
    }

    /// Waits until the pod's status is as wanted.
    async fn until(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..300 {
            if let Some(pod) = self.pods().get_opt("p").await.unwrap() {
                last = serde_json::to_value(pod.status).unwrap();
                if good(&last) {
                    return last;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}: {last:#}");
    }

    async fn reasons(&self) -> Vec<String> {
        // The publisher works behind the kubelet's back.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let events: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let list = events.list(&ListParams::default().fields("involvedObject.name=p")).await.unwrap();
        list.into_iter().filter_map(|event| event.reason).collect()
    }
}

#[tokio::test]
async fn a_pod_starts_restarts_and_is_deleted() {
    let node = Node::start().await;
    node.create(json!({
        "initContainers": [{"name": "i", "image": "present:1", "command": ["exit", "0"]}],
        "containers": [{"name": "a", "image": "pull", "command": ["run"]}],
    }))
    .await;
    let status = node.until("runs", |status| status["phase"] == "Running").await;
    assert_eq!(status["containerStatuses"][0]["ready"], true);
    assert_eq!(status["podIP"], "127.0.0.2");
    assert_eq!(node.cri.log(), ["sandbox p", "start i", "start a"]);

    node.cri.exit("a", 1);
    let status = node.until("restarted", |status| status["containerStatuses"][0]["restartCount"] == 1).await;
    assert_eq!(status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 1);
    node.cri.exit("a", 1);
    node.until("backs off", |status| {
        status["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    })
    .await;
    let reasons = node.reasons().await;
    for reason in ["Pulling", "Pulled", "Created", "Started", "BackOff"] {
        assert!(reasons.iter().any(|have| have == reason), "{reason} in {reasons:?}");
    }

    node.pods().delete("p", &DeleteParams::default()).await.unwrap();
    for _ in 0..300 {
        if node.pods().get_opt("p").await.unwrap().is_none() {
            assert!(!node.home.path().join("pods").read_dir().unwrap().any(|_| true), "nothing is left");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the pod is still there");
}

#[tokio::test]
async fn failures_are_told() {
    let cases = [
        (json!({"containers": [{"name": "a", "image": "nowhere"}]}), "ErrImagePull"),
        (json!({"containers": [{"name": "a", "image": "nowhere", "imagePullPolicy": "Never"}]}), "ErrImageNeverPull"),
        (
            json!({"containers": [{"name": "a", "image": "present:1", "imagePullPolicy": "IfNotPresent", "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k"}}}]}]}),
            "CreateContainerConfigError",
        ),
    ];
    for (spec, want) in cases {
        let node = Node::start().await;
        node.create(spec).await;
        node.until(want, |status| status["containerStatuses"][0]["state"]["waiting"]["reason"] == want).await;
    }
}

#[tokio::test]
async fn a_pod_that_does_not_fit_is_refused() {
    let node = Node::start().await;
    node.create(
        json!({"containers": [{"name": "a", "image": "present:1", "resources": {"requests": {"cpu": "5000"}}}]}),
    )
    .await;
    let status = node.until("refused", |status| status["phase"] == "Failed").await;
    assert_eq!(status["reason"], "OutOfcpu");
}

#[tokio::test]
async fn a_finished_pod_succeeds() {
    let node = Node::start().await;
    node.create(json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "present:1", "imagePullPolicy": "Never", "command": ["exit", "0"]}]})).await;
    let status = node.until("succeeds", |status| status["phase"] == "Succeeded").await;
    assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
}
