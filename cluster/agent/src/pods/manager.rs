//! Feeds the workers: pods bound to this node, events of the runtime, and what nobody asks for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::observed::Observed;
use super::worker::Worker;
use crate::kubelet::Shared;

/// A running worker.
struct Handle {
    pod: watch::Sender<Option<Arc<Pod>>>,
    wake: Arc<Notify>,
}

/// All workers of the node.
struct Manager {
    shared: Arc<Shared>,
    workers: HashMap<String, Handle>,
    tasks: JoinSet<String>,
    shutdown: CancellationToken,
}

/// Runs the node's pods until `shutdown`; their containers go on after that.
pub(crate) async fn run(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut manager = Manager { shared: shared.clone(), workers: HashMap::new(), tasks: JoinSet::new(), shutdown: shutdown.clone() };
    let mut runtime = shared.cri.events();
    let api: Api<Pod> = Api::all(shared.client.clone());
    let config = watcher::Config::default().fields(&format!("spec.nodeName={}", shared.config.node_name));
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    let mut listed: Option<HashSet<String>> = None;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(Event::Init)) => listed = Some(HashSet::new()),
                Some(Ok(Event::InitApply(pod))) => {
                    if let Some(listed) = &mut listed {
                        listed.extend(pod.uid());
                    }
                    manager.apply(pod);
                }
                Some(Ok(Event::InitDone)) => {
                    if let Some(listed) = listed.take() {
                        manager.keep_only(&listed).await;
                    }
                }
                Some(Ok(Event::Apply(pod))) => manager.apply(pod),
                Some(Ok(Event::Delete(pod))) => manager.gone(&pod.uid().unwrap_or_default()),
                Some(Err(error)) => tracing::warn!(%error, "the watch of pods failed; trying again"),
                None => break,
            },
            event = runtime.recv() => match event {
                Ok(event) => manager.wake(&event.pod_uid),
                // Too many at once: everybody looks.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => manager.wake_all(),
                Err(tokio::sync::broadcast::error::RecvError::Closed) => break,
            },
            Some(ended) = manager.tasks.join_next() => {
                if let Ok(uid) = ended {
                    manager.workers.remove(&uid);
                }
            }
            () = shutdown.cancelled() => break,
        }
    }
    while manager.tasks.join_next().await.is_some() {}
}

impl Manager {
    fn apply(&mut self, pod: Pod) {
        let uid = pod.uid().unwrap_or_default();
        let pod = Arc::new(pod);
        if let Some(handle) = self.workers.get(&uid) {
            handle.pod.send_replace(Some(pod));
            return;
        }
        let wake = Arc::new(Notify::new());
        let (sender, receiver) = watch::channel(Some(pod));
        let worker = Worker::new(self.shared.clone(), uid.clone(), wake.clone());
        let shutdown = self.shutdown.clone();
        self.workers.insert(uid.clone(), Handle { pod: sender, wake });
        self.tasks.spawn(async move {
            worker.run(receiver, shutdown).await;
            uid
        });
    }

    /// The API server has the pod no more: whatever still runs of it ends at once.
    fn gone(&mut self, uid: &str) {
        if let Some(handle) = self.workers.get(uid) {
            handle.pod.send_replace(None);
        }
    }

    fn wake(&self, uid: &str) {
        if let Some(handle) = self.workers.get(uid) {
            handle.wake.notify_one();
        }
    }

    fn wake_all(&self) {
        for handle in self.workers.values() {
            handle.wake.notify_one();
        }
    }

    /// Ends what is not among the pods of this node: pods that went while nobody looked.
    async fn keep_only(&mut self, listed: &HashSet<String>) {
        let known: Vec<String> = self.workers.keys().filter(|uid| !listed.contains(*uid)).cloned().collect();
        for uid in known {
            self.gone(&uid);
        }
        let left: HashSet<String> = self.shared.cri.sandboxes(None).into_iter().map(|it| it.config.uid).collect();
        let addresses = self.shared.network.attached();
        for uid in left.into_iter().chain(addresses) {
            if listed.contains(&uid) || self.workers.contains_key(&uid) {
                continue;
            }
            tracing::info!(uid, "ending what is left of a pod that is no more");
            let worker = Worker::new(self.shared.clone(), uid.clone(), Arc::default());
            let sandboxes = self.shared.cri.sandboxes(Some(&uid));
            let containers = sandboxes.iter().flat_map(|it| self.shared.cri.containers(&it.id)).collect();
            let observed = Observed::new(sandboxes, containers);
            worker.stop_all(&Pod::default(), &observed, std::time::Duration::ZERO).await;
            if let Err(error) = worker.clean_up(&uid, &observed).await {
                tracing::warn!(uid, error, "it could not be cleaned up");
            }
        }
    }
}
