//! A kubelet.
use std::sync::Arc;
use kpkg_network::PodNetwork;
use kpkg_runtime::Runtime;
use tokio_util::sync::CancellationToken;
use crate::KubeletConfig;

/// The agent of one node.
pub struct Kubelet {
    config: KubeletConfig,
}

impl Kubelet {
    /// A kubelet that is not yet running.
    pub fn new(_client: kube::Client, config: KubeletConfig, _runtime: Arc<Runtime>, _network: Arc<PodNetwork>) -> Arc<Self> {
        Arc::new(Self { config })
    }
    /// Runs until cancelled; pods keep running after that.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        tracing::info!(node = %self.config.node_name, "kubelet started");
        shutdown.cancelled().await;
    }
    /// The kubelet's HTTP API: logs, exec, attach and port forwarding.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        axum::Router::new()
    }
}
