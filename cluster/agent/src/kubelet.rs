//! The kubelet: what its parts share, and how they are started.

use std::sync::{Arc, PoisonError, RwLock};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Service;
use kpkg_events::{Publisher, Recorder};
use kpkg_network::PodNetwork;
use kpkg_runtime::Runtime;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use crate::KubeletConfig;
use crate::doors::{Cri, PodNet};
use crate::node::Machine;
use crate::pods::images::Images;
use crate::volumes::Tokens;

/// What all parts of a kubelet share.
pub(crate) struct Shared {
    pub(crate) config: KubeletConfig,
    pub(crate) client: Client,
    pub(crate) cri: Arc<dyn Cri>,
    pub(crate) network: Arc<dyn PodNet>,
    pub(crate) images: Arc<Images>,
    pub(crate) recorder: Recorder,
    pub(crate) tokens: Tokens,
    pub(crate) machine: Machine,
    services: reflector::Store<Service>,
}

impl Shared {
    /// All services, for pods' environments.
    pub(crate) fn services(&self) -> Vec<Service> {
        self.services.state().iter().map(|it| Service::clone(it)).collect()
    }
}

/// The agent of one node.
pub struct Kubelet {
    shared: Arc<Shared>,
    /// Taken by the first [`Kubelet::run`].
    parts: RwLock<Option<Parts>>,
}

/// What runs beside the pods.
struct Parts {
    publisher: Publisher,
    services: reflector::store::Writer<Service>,
}

impl Kubelet {
    /// A kubelet that is not yet running.
    pub fn new(client: Client, config: KubeletConfig, runtime: Arc<Runtime>, network: Arc<PodNetwork>) -> Arc<Self> {
        Self::with_doors(client, config, Arc::new(runtime), Arc::new(network))
    }

    pub(crate) fn with_doors(client: Client, config: KubeletConfig, cri: Arc<dyn Cri>, network: Arc<dyn PodNet>) -> Arc<Self> {
        let (recorder, publisher) = kpkg_events::recorder("kubelet");
        let (services, writer) = reflector::store();
        let images = Images::new(cri.clone(), config.max_parallel_pulls);
        let shared = Shared {
            config,
            client,
            cri,
            network,
            images,
            recorder,
            tokens: Tokens::default(),
            machine: Machine::of_this_host(),
            services,
        };
        Arc::new(Self { shared: Arc::new(shared), parts: RwLock::new(Some(Parts { publisher, services: writer })) })
    }

    /// Runs until cancelled; pods keep running after that.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let parts = self.parts.write().unwrap_or_else(PoisonError::into_inner).take();
        let beside = async {
            if let Some(parts) = parts {
                let events = parts.publisher.run(self.shared.client.clone(), shutdown.clone());
                let services = follow_services(self.shared.client.clone(), parts.services);
                tokio::select! {
                    ((), ()) = async { tokio::join!(events, services) } => {}
                    () = shutdown.cancelled() => {}
                }
            }
        };
        let node = crate::node::run(self.shared.clone(), shutdown.clone());
        let pods = crate::pods::manager::run(self.shared.clone(), shutdown.clone());
        tokio::join!(beside, node, pods);
    }

    /// The kubelet's HTTP API: logs, exec, attach and port forwarding.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        crate::http::router(self.shared.clone())
    }
}

async fn follow_services(client: Client, writer: reflector::store::Writer<Service>) {
    let services: Api<Service> = Api::all(client);
    let stream = watcher(services, watcher::Config::default()).default_backoff().reflect(writer);
    pin_mut!(stream);
    while stream.next().await.is_some() {}
}
