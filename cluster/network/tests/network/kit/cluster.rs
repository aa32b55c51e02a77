//! A pod network with its proxy, and an API to tell it of services.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kpkg_network::dns::{self, Upstream};
use kpkg_network::{Attachment, NetworkConfig, PodNetwork, proxy};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Machine;
use super::api::FakeApi;
use super::peer::serve;

pub(crate) struct Cluster {
    pub(crate) config: NetworkConfig,
    pub(crate) network: Arc<PodNetwork>,
    pub(crate) api: Arc<FakeApi>,
    token: CancellationToken,
    proxy: JoinHandle<()>,
}

impl Cluster {
    pub(crate) async fn start(machine: &Machine, name: &str, second: u8) -> Self {
        Self::with_api(machine.config(name, second), FakeApi::new()).await
    }

    pub(crate) async fn with_api(config: NetworkConfig, api: Arc<FakeApi>) -> Self {
        let network = PodNetwork::open(config.clone()).await.unwrap();
        let token = CancellationToken::new();
        let run = proxy::run(api.client(), config.clone(), token.clone());
        let proxy = tokio::spawn(async move { run.await.unwrap() });
        Self { config, network, api, token, proxy }
    }

    /// Starts the name server beside the proxy.
    pub(crate) fn serve_names(&self, upstream: Upstream) {
        let (client, config) = (self.api.client(), self.config.clone());
        let run = dns::run(client, config, upstream, self.token.clone());
        tokio::spawn(async move { run.await.unwrap() });
    }

    /// Ends the proxy, as a restart of kpkg does; rules and pods stay.
    pub(crate) async fn stop(self) -> (NetworkConfig, Arc<FakeApi>) {
        self.token.cancel();
        self.proxy.await.unwrap();
        (self.config, self.api)
    }

    /// A pod that serves its own name on a port.
    pub(crate) async fn pod(&self, name: &str, port: u16) -> Attachment {
        let pod = self.network.attach(name).await.unwrap();
        serve(&pod, port, name);
        pod
    }
}

/// The addresses of pods, as endpoints.
pub(crate) fn endpoints(pods: &[&Attachment]) -> Vec<String> {
    pods.iter().map(|pod| pod.ip.to_string()).collect()
}

/// Waits until `look` finds something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "did not happen: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
