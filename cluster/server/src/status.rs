//! How a cluster is.

use std::{fs, path::PathBuf, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::Serialize;

use crate::{Error, Layout, Request, Settings, process};

/// How long the API server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A cluster, looked at from outside.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// The server's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Memory of the server's process, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Where it keeps its things.
    pub data_dir: PathBuf,
    /// Access for the administrator.
    pub kubeconfig: PathBuf,
    /// Where the API server listens.
    pub server: String,
    /// Addresses for pods.
    pub pod_cidr: String,
    /// Addresses for services.
    pub service_cidr: String,
    /// Version of the server, as the API tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Pods that run, and all that there are.
    pub pods: PodCount,
}

/// How a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// No server runs. Its containers may.
    Stopped,
    /// A server runs, but does not answer or its node is not ready.
    NotReady,
    /// A server runs and its node is ready.
    Ready,
}

/// A node.
#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Whether it takes pods.
    pub ready: bool,
}

/// How many pods.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct PodCount {
    /// Those that run.
    pub running: usize,
    /// All.
    pub total: usize,
}

/// Looks at the cluster of `request`.
pub async fn status(request: &Request) -> Result<Status, Error> {
    let layout = request.layout()?;
    layout.check()?;
    let settings = Settings::load(&layout)?.ok_or_else(|| Error::NoCluster { dir: layout.root().to_owned() })?;
    let pid = process::running(&layout)?;
    let mut status = Status {
        name: settings.name.clone(),
        state: if pid.is_some() { State::NotReady } else { State::Stopped },
        pid,
        memory: pid.and_then(resident),
        data_dir: layout.root().to_owned(),
        kubeconfig: layout.kubeconfig(),
        server: format!("https://127.0.0.1:{}", settings.api_port),
        pod_cidr: settings.pod_cidr.to_string(),
        service_cidr: settings.service_cidr.to_string(),
        version: None,
        nodes: Vec::new(),
        pods: PodCount::default(),
    };
    if pid.is_some() {
        // A server that does not answer is a finding, not a failure.
        match tokio::time::timeout(PATIENCE, ask(&layout, &settings, &mut status)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(error, "the API server does not answer"),
            Err(_) => tracing::info!("the API server does not answer in time"),
        }
    }
    Ok(status)
}

/// Whether the server answers and its node is ready.
pub(crate) async fn is_ready(layout: &Layout, settings: &Settings) -> bool {
    let ready = async {
        let client = connect(layout, settings).await.ok()?;
        let node = Api::<Node>::all(client).get(&settings.node_name).await.ok()?;
        Some(node_ready(&node))
    };
    tokio::time::timeout(PATIENCE, ready).await.ok().flatten().unwrap_or(false)
}

async fn ask(layout: &Layout, settings: &Settings, status: &mut Status) -> Result<(), String> {
    let text = |error: kube::Error| error.to_string();
    let client = connect(layout, settings).await?;
    status.version = Some(client.apiserver_version().await.map_err(text)?.git_version);
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.map_err(text)?;
    let pods = Api::<Pod>::all(client).list(&ListParams::default()).await.map_err(text)?;
    status.nodes = nodes.iter().map(|node| NodeStatus { name: name(node), ready: node_ready(node) }).collect();
    let phase = |pod: &&Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    status.pods = PodCount { running: pods.iter().filter(phase).count(), total: pods.items.len() };
    if status.nodes.iter().any(|node| node.ready) {
        status.state = State::Ready;
    }
    Ok(())
}

/// A client with the administrator's rights, over the cluster's port.
async fn connect(layout: &Layout, settings: &Settings) -> Result<Client, String> {
    let kubeconfig = Kubeconfig::read_from(layout.kubeconfig()).map_err(|error| error.to_string())?;
    let options = KubeConfigOptions { context: Some(settings.context()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| error.to_string())?;
    Client::try_from(config).map_err(|error| error.to_string())
}

/// Whether a node says that it is ready.
pub(crate) fn node_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn name(node: &Node) -> String {
    node.metadata.name.clone().unwrap_or_default()
}

/// Resident memory of a process.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
