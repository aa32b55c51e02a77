//! A cluster for one test.

use std::{fmt::Debug, path::Path, sync::Arc, time::Duration};

use axum::body::Body;
use http::Request;
use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Event, Node, Pod, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::{MicroTime, Time},
};
use kpkg_apiserver::{ApiServer, Config, Identity, NoNodes};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a test waits for the world to become as it should.
const PATIENCE: Duration = Duration::from_secs(30);
/// A pod with this annotation runs and never becomes ready.
pub(crate) const NEVER_READY: &str = "test/never-ready";
/// A pod with this annotation ends at once, in the phase that it says.
pub(crate) const ENDS: &str = "test/ends";
/// A pod with this annotation stays when it is deleted.
pub(crate) const STAYS: &str = "test/stays";

/// An API server with controllers, scheduler and kubelets.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    token: CancellationToken,
    temp: TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// What of a cluster runs.
pub(crate) struct Options {
    pub(crate) nodes: &'static [&'static str],
    pub(crate) node_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: &["node-1"], node_grace: Duration::from_secs(50) }
    }
}

impl Cluster {
    /// One with a single node.
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// One as asked for.
    pub(crate) async fn with(options: Options) -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let server = ApiServer::new(
            Arc::new(kpkg_store::Memory::default()),
            Config::new(Config::new_signing_key()),
            Arc::new(NoNodes),
        );
        server.bootstrap().await.expect("an empty store can be filled");
        let client = client(&server);
        let (token, temp) = (CancellationToken::new(), tempfile::tempdir().expect("a folder"));
        let mut config = kpkg_controllers::Config::new("pem", temp.path().join("volumes"));
        config.node_grace = options.node_grace;
        tokio::spawn(kpkg_controllers::run(client.clone(), config, token.clone()));
        tokio::spawn(kpkg_scheduler::run(client.clone(), kpkg_scheduler::Config::default(), token.clone()));
        let cluster = Self { client, token, temp };
        for node in options.nodes {
            cluster.join(node).await;
        }
        let account = async || !cluster.get::<ServiceAccount>("default").await.is_null();
        cluster.eventually("the default service account", account).await;
        cluster
    }

    /// Adds a node whose kubelet lives until the returned token is cancelled.
    pub(crate) async fn join(&self, name: &str) -> CancellationToken {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {
                "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]},
        });
        let node: Node = serde_json::from_value(node).expect("a node");
        nodes.create(&PostParams::default(), &node).await.expect("made");
        let token = self.token.child_token();
        tokio::spawn(token.clone().run_until_cancelled_owned(kubelet(self.client.clone(), name.to_owned())));
        token
    }

    /// Objects of a kind in a namespace.
    pub(crate) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates an object in `default`.
    pub(crate) async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let object: K = serde_json::from_value(object).expect("an object of that kind");
        self.api::<K>("default").create(&PostParams::default(), &object).await.expect("created")
    }

    /// Changes an object in `default` by a merge patch.
    pub(crate) async fn patch<K>(&self, name: &str, patch: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.api::<K>("default").patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched")
    }

    /// Deletes an object in `default`.
    pub(crate) async fn delete<K>(&self, name: &str, params: DeleteParams)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.api::<K>("default").delete(name, &params).await.expect("deleted");
    }

    /// An object in `default`, as JSON; null if there is none.
    pub(crate) async fn get<K>(&self, name: &str) -> Value
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let found = self.api::<K>("default").get_opt(name).await.expect("asked");
        serde_json::to_value(found).expect("JSON")
    }

    /// All objects of a kind in `default`, ordered by name.
    pub(crate) async fn list<K>(&self) -> Vec<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let mut items = self.api::<K>("default").list(&ListParams::default()).await.expect("listed").items;
        items.sort_by_key(ResourceExt::name_any);
        items
    }

    /// The names of all objects of a kind in `default`.
    pub(crate) async fn names<K>(&self) -> Vec<String>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.list::<K>().await.iter().map(ResourceExt::name_any).collect()
    }

    /// The pods that are not on their way out.
    pub(crate) async fn pods(&self) -> Vec<Pod> {
        let mut pods = self.list::<Pod>().await;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        pods
    }

    /// Whether an event of this reason and message was recorded in `default`.
    pub(crate) async fn has_event(&self, reason: &str, message: &str) -> bool {
        let events = self.list::<Event>().await;
        events.iter().any(|event| {
            event.reason.as_deref() == Some(reason) && event.message.as_deref().is_some_and(|it| it.contains(message))
        })
    }

    /// The folder of local volumes.
    pub(crate) fn volumes(&self) -> std::path::PathBuf {
        self.temp.path().join("volumes")
    }

    /// Waits until the world is as it should be, and fails the test if that takes too long.
    pub(crate) async fn eventually(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let start = Instant::now();
        while !holds().await {
            assert!(start.elapsed() < PATIENCE, "not in time: {what}\n{}", self.describe().await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Checks that the world stays as it is for a moment.
    pub(crate) async fn steadily(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        for _ in 0..15 {
            assert!(holds().await, "not steady: {what}\n{}", self.describe().await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn describe(&self) -> String {
        let pods = self.list::<Pod>().await;
        let pod = |pod: &Pod| {
            let status = serde_json::to_string(&pod.status).unwrap_or_default();
            format!("pod {} deleting={} {status}", pod.name_any(), pod.metadata.deletion_timestamp.is_some())
        };
        let events = self.list::<Event>().await;
        let event = |event: &Event| {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            format!("event {} {}", text(&event.reason), text(&event.message))
        };
        pods.iter().map(pod).chain(events.iter().map(event)).collect::<Vec<_>>().join("\n")
    }
}

fn client(server: &Arc<ApiServer>) -> Client {
    let service = server.router().map_request(|request: Request<kube::client::Body>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Identity::master("test"));
        request
    });
    Client::new(service, "default")
}

/// Pretends to run the pods of one node: bound pods become ready, deleted ones go.
async fn kubelet(client: Client, node: String) {
    let mut address = 0_u8;
    loop {
        heartbeat(&client, &node).await;
        let pods: Api<Pod> = Api::all(client.clone());
        let mine = ListParams::default().fields(&format!("spec.nodeName={node}"));
        for pod in pods.list(&mine).await.map(|list| list.items).unwrap_or_default() {
            address = address.wrapping_add(1);
            // A pod that changes under the kubelet is looked at again in the next round.
            let _ = tend(&client, &pod, address).await;
        }
        sleep(Duration::from_millis(15)).await;
    }
}

async fn heartbeat(client: &Client, node: &str) {
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let now = MicroTime(Timestamp::now());
    let lease = json!({"metadata": {"name": node}, "spec": {"holderIdentity": node, "renewTime": now}});
    let patch = Patch::Merge(lease.clone());
    if leases.patch(node, &PatchParams::default(), &patch).await.is_err() {
        let lease = serde_json::from_value(lease).expect("a lease");
        let _ = leases.create(&PostParams::default(), &lease).await;
    }
}

async fn tend(client: &Client, pod: &Pod, address: u8) -> Result<(), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let name = pod.name_any();
    if pod.metadata.deletion_timestamp.is_some() {
        if !pod.annotations().contains_key(STAYS) {
            pods.delete(&name, &DeleteParams::default().grace_period(0)).await?;
        }
        return Ok(());
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if let (Some("Running"), Some(end)) = (phase, pod.annotations().get(ENDS)) {
        let status = json!({"phase": end, "containerStatuses": [{
            "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": i32::from(end == "Failed"), "finishedAt": Time(Timestamp::now())}}}]});
        let patch = Patch::Strategic(json!({"status": status}));
        return pods.patch_status(&name, &PatchParams::default(), &patch).await.map(drop);
    }
    if phase != Some("Pending") {
        return Ok(());
    }
    let ready = if pod.annotations().contains_key(NEVER_READY) { "False" } else { "True" };
    let ip = format!("10.42.0.{address}");
    let status = json!({
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "startTime": Time(Timestamp::now()),
        "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": Time(Timestamp::now())}],
    });
    pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(json!({"status": status}))).await.map(drop)
}

/// A container for any pod.
pub(crate) fn container(image: &str) -> Value {
    json!({"name": "c", "image": image})
}

/// Whether a pod is reported as ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// How many folders are in a folder.
pub(crate) fn folders(path: &Path) -> usize {
    std::fs::read_dir(path).map_or(0, Iterator::count)
}
