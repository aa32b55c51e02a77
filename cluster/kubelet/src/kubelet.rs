//! A kubelet: what its parts share, and their start.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::core::v1::Service;
use kpkg_events::{Publisher, Recorder};
use kpkg_network::PodNetwork;
use kpkg_runtime::Runtime;
use kube::{
    Client,
    runtime::reflector::{self, Store, store::Writer},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    KubeletConfig,
    doors::{Cri, PodNet},
    http,
    node::{self, Machine},
    objects::Objects,
    pods::{images::Puller, source, worker::Mailbox},
    resources::Amounts,
    services,
    volumes::Tokens,
};

/// What all parts of a kubelet use.
pub(crate) struct Shared {
    pub(crate) config: KubeletConfig,
    pub(crate) runtime: Arc<dyn Cri>,
    pub(crate) network: Arc<dyn PodNet>,
    pub(crate) recorder: Recorder,
    pub(crate) objects: Objects,
    pub(crate) tokens: Tokens,
    pub(crate) images: Puller,
    pub(crate) machine: Machine,
    services: Store<Service>,
    workers: Mutex<BTreeMap<String, Arc<Mailbox>>>,
    admitted: Mutex<BTreeMap<String, Amounts>>,
    dirty: Mutex<BTreeSet<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// All services, once they are known.
    pub(crate) async fn services(&self) -> Vec<Arc<Service>> {
        // An error means that the reflector is gone, which happens when the kubelet ends.
        let _ = self.services.wait_until_ready().await;
        self.services.state()
    }

    pub(crate) fn mailbox(&self, uid: &str) -> Option<Arc<Mailbox>> {
        lock(&self.workers).get(uid).cloned()
    }

    pub(crate) fn mailboxes(&self) -> Vec<(String, Arc<Mailbox>)> {
        lock(&self.workers).iter().map(|(uid, mailbox)| (uid.clone(), mailbox.clone())).collect()
    }

    pub(crate) fn remember(&self, uid: &str, mailbox: Arc<Mailbox>) {
        lock(&self.workers).insert(uid.to_owned(), mailbox);
    }

    /// Forgets a pod that is no more.
    pub(crate) fn forget(&self, uid: &str) {
        lock(&self.workers).remove(uid);
        lock(&self.dirty).remove(uid);
        self.release(uid);
        self.tokens.forget(uid);
        self.images.forget(uid);
    }

    /// Takes a pod's share of the node, or says why it does not fit. A pod that is `known` has its share already.
    pub(crate) fn admit<T>(
        &self,
        uid: &str,
        request: Amounts,
        known: bool,
        misfit: impl Fn(Amounts, Amounts, Amounts) -> Option<T>,
    ) -> Option<T> {
        let mut admitted = lock(&self.admitted);
        if !known && !admitted.contains_key(uid) {
            let used = admitted.values().fold(Amounts::default(), |sum, amounts| sum.plus(*amounts));
            if let Some(refusal) = misfit(request, used, self.machine.allocatable) {
                return Some(refusal);
            }
        }
        admitted.insert(uid.to_owned(), request);
        None
    }

    /// Gives a pod's share back.
    pub(crate) fn release(&self, uid: &str) {
        lock(&self.admitted).remove(uid);
    }

    /// Says that what a pod's volumes are made from has changed.
    pub(crate) fn mark_dirty(&self, uid: &str) {
        lock(&self.dirty).insert(uid.to_owned());
    }

    /// Whether that was said since the last call.
    pub(crate) fn take_dirty(&self, uid: &str) -> bool {
        lock(&self.dirty).remove(uid)
    }
}

/// The agent of one node.
pub struct Kubelet {
    shared: Arc<Shared>,
    /// Parts that run once.
    start: Mutex<Option<(Publisher, Writer<Service>)>>,
}

impl std::fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubelet").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Kubelet {
    /// A kubelet that is not yet running.
    pub fn new(client: Client, config: KubeletConfig, runtime: Arc<Runtime>, network: Arc<PodNetwork>) -> Arc<Self> {
        Self::with_doors(client, config, Arc::new(runtime), Arc::new(network))
    }

    pub(crate) fn with_doors(
        client: Client,
        config: KubeletConfig,
        runtime: Arc<dyn Cri>,
        network: Arc<dyn PodNet>,
    ) -> Arc<Self> {
        let (recorder, publisher) = kpkg_events::recorder("kubelet");
        let (services, writer) = reflector::store();
        let shared = Shared {
            machine: Machine::measure(&config),
            images: Puller::new(runtime.clone(), config.max_parallel_pulls),
            tokens: Tokens::new(client.clone()),
            objects: Objects::new(client),
            config,
            runtime,
            network,
            recorder,
            services,
            workers: Mutex::default(),
            admitted: Mutex::default(),
            dirty: Mutex::default(),
        };
        Arc::new(Self { shared: Arc::new(shared), start: Mutex::new(Some((publisher, writer))) })
    }

    /// Runs until cancelled; pods keep running after that. A kubelet runs once: a second call returns at once.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let Some((publisher, services)) = lock(&self.start).take() else { return };
        let shared = &self.shared;
        let client = shared.objects.client().clone();
        let mut parts = JoinSet::new();
        parts.spawn(publisher.run(client.clone(), shutdown.clone()));
        parts.spawn(services::follow(client, services, shutdown.clone()));
        parts.spawn(node::run(shared.clone(), shutdown.clone()));
        parts.spawn(source::follow_runtime(shared.clone(), shutdown.clone()));
        parts.spawn(source::follow_config_maps(shared.clone(), shutdown.clone()));
        parts.spawn(source::follow_secrets(shared.clone(), shutdown.clone()));
        source::run(shared.clone(), shutdown).await;
        while let Some(result) = parts.join_next().await {
            if let Err(error) = result {
                tracing::error!(%error, "a part of the kubelet died");
            }
        }
    }

    /// The kubelet's HTTP API: logs, exec, attach and port forwarding.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(self.shared.clone())
    }
}
