//! Hears of the node's pods and of what they refer to, and wakes their workers.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use futures::StreamExt;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Pod, PodSpec, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kpkg_runtime::SandboxStatus;
use kube::{
    Api, Resource,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::worker::{Mailbox, Worker};
use crate::{kubelet::Shared, volumes};

/// Follows the node's pods until cancelled, and waits for their workers' tasks to end.
pub(crate) async fn run(shared: Arc<Shared>, shutdown: CancellationToken) {
    let workers = TaskTracker::new();
    let source = Source { shared: shared.clone(), workers: workers.clone(), shutdown: shutdown.clone() };
    let config = watcher::Config::default().fields(&format!("spec.nodeName={}", shared.config.node_name));
    let mut pods = watcher::watcher(Api::<Pod>::all(shared.objects.client().clone()), config).default_backoff().boxed();
    let mut listed = BTreeSet::new();
    loop {
        let event = tokio::select! {
            event = pods.next() => event,
            () = shutdown.cancelled() => break,
        };
        match event {
            Some(Ok(Event::Init)) => listed.clear(),
            Some(Ok(Event::InitApply(pod))) => {
                listed.extend(pod.metadata.uid.clone());
                source.deliver(Arc::new(pod));
            }
            Some(Ok(Event::InitDone)) => source.settle(&listed).await,
            Some(Ok(Event::Apply(pod))) => source.deliver(Arc::new(pod)),
            Some(Ok(Event::Delete(pod))) => {
                if let Some(mailbox) = pod.metadata.uid.as_deref().and_then(|uid| shared.mailbox(uid)) {
                    // The last version says how much time there is: none if the deletion was forced.
                    mailbox.deliver(Arc::new(pod), true);
                }
            }
            Some(Err(error)) => {
                tracing::warn!(error = %crate::doors::chain(&error), "watching the node's pods failed; it is tried again");
            }
            None => break,
        }
    }
    workers.close();
    workers.wait().await;
}

struct Source {
    shared: Arc<Shared>,
    workers: TaskTracker,
    shutdown: CancellationToken,
}

impl Source {
    fn deliver(&self, pod: Arc<Pod>) {
        let Some(uid) = pod.metadata.uid.clone() else { return };
        match self.shared.mailbox(&uid) {
            Some(mailbox) => mailbox.deliver(pod, false),
            None => self.start(&uid, pod, false),
        }
    }

    fn start(&self, uid: &str, pod: Arc<Pod>, gone: bool) {
        let mailbox = Arc::new(Mailbox::new(pod, gone));
        self.shared.remember(uid, mailbox.clone());
        let worker = Worker::new(self.shared.clone(), mailbox);
        self.workers.spawn(worker.run(self.shutdown.clone()));
    }

    /// The list is complete: whatever is here and not in it was deleted while nobody looked.
    async fn settle(&self, listed: &BTreeSet<String>) {
        for (uid, mailbox) in self.shared.mailboxes() {
            if !listed.contains(&uid) {
                mailbox.vanished();
            }
        }
        for sandbox in self.shared.runtime.sandboxes(None) {
            let uid = sandbox.config.uid.clone();
            if !listed.contains(&uid) && self.shared.mailbox(&uid).is_none() {
                tracing::info!(pod = %sandbox.config.name, namespace = %sandbox.config.namespace, "ending a pod that the API no longer has");
                self.start(&uid, Arc::new(self.remembered(&sandbox)), true);
            }
        }
        self.sweep(listed).await;
    }

    /// The pod as it was when it started here.
    fn remembered(&self, sandbox: &SandboxStatus) -> Pod {
        let note = self.shared.config.pod_dir(&sandbox.config.uid).join("pod.json");
        let pod = std::fs::read(note).ok().and_then(|bytes| serde_json::from_slice::<Pod>(&bytes).ok());
        pod.unwrap_or_else(|| {
            let mut pod = Pod::default();
            pod.metadata.name = Some(sandbox.config.name.clone());
            pod.metadata.namespace = Some(sandbox.config.namespace.clone());
            pod.metadata.uid = Some(sandbox.config.uid.clone());
            pod.spec = Some(PodSpec::default());
            pod
        })
    }

    /// Removes network places and directories of pods that left no sandbox behind.
    async fn sweep(&self, listed: &BTreeSet<String>) {
        let orphan = |uid: &str| !listed.contains(uid) && self.shared.mailbox(uid).is_none();
        for uid in self.shared.network.attached().into_iter().filter(|uid| orphan(uid)) {
            if let Err(error) = self.shared.network.detach(&uid).await {
                tracing::warn!(%uid, %error, "cannot remove a dead pod from the network");
            }
        }
        for uid in directory_names(&self.shared.config.pods_dir()).into_iter().filter(|uid| orphan(uid)) {
            if let Err(error) = volumes::mounts::remove_tree(&self.shared.config.pod_dir(&uid)) {
                tracing::warn!(%uid, %error, "cannot remove a dead pod's directory");
            }
        }
    }
}

fn directory_names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Wakes workers when their containers change.
pub(crate) async fn follow_runtime(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut events = shared.runtime.events();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = shutdown.cancelled() => return,
        };
        match event {
            Ok(event) => {
                if let Some(mailbox) = shared.mailbox(&event.pod_uid) {
                    mailbox.wake.notify_one();
                }
            }
            Err(RecvError::Lagged(_)) => shared.mailboxes().iter().for_each(|(_, mailbox)| mailbox.wake.notify_one()),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Wakes workers when a ConfigMap that their pod refers to changes.
pub(crate) async fn follow_config_maps(shared: Arc<Shared>, shutdown: CancellationToken) {
    let api = Api::<ConfigMap>::all(shared.objects.client().clone());
    follow(shared, api, "ConfigMap", shutdown).await;
}

/// Wakes workers when a Secret that their pod refers to changes.
pub(crate) async fn follow_secrets(shared: Arc<Shared>, shutdown: CancellationToken) {
    let api = Api::<Secret>::all(shared.objects.client().clone());
    follow(shared, api, "Secret", shutdown).await;
}

async fn follow<K>(shared: Arc<Shared>, api: Api<K>, kind: &str, shutdown: CancellationToken)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut changes = watcher::watcher(api, watcher::Config::default()).default_backoff().touched_objects().boxed();
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            () = shutdown.cancelled() => return,
        };
        match change {
            Some(Ok(object)) => wake_users(&shared, kind, object.meta()),
            Some(Err(error)) => {
                tracing::debug!(kind, error = %crate::doors::chain(&error), "watching failed; it is tried again");
            }
            None => return,
        }
    }
}

fn wake_users(shared: &Shared, kind: &str, object: &ObjectMeta) {
    let name = object.name.as_deref().unwrap_or_default();
    for (uid, mailbox) in shared.mailboxes() {
        let pod = mailbox.latest();
        if pod.metadata.namespace == object.namespace && refers(&pod, kind, name) {
            shared.mark_dirty(&uid);
            mailbox.wake.notify_one();
        }
    }
}

/// Whether a pod's volumes or environment name an object.
fn refers(pod: &Pod, kind: &str, name: &str) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let config_map = kind == "ConfigMap";
    let in_volumes = spec.volumes.iter().flatten().any(|volume| {
        let direct = if config_map {
            volume.config_map.as_ref().is_some_and(|source| source.name == name)
        } else {
            volume.secret.as_ref().is_some_and(|source| source.secret_name.as_deref() == Some(name))
        };
        let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        direct
            || sources.into_iter().any(|source| {
                if config_map {
                    source.config_map.as_ref().is_some_and(|source| source.name == name)
                } else {
                    source.secret.as_ref().is_some_and(|source| source.name == name)
                }
            })
    });
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    in_volumes
        || containers.into_iter().any(|container| {
            let whole = container.env_from.iter().flatten().any(|source| {
                if config_map {
                    source.config_map_ref.as_ref().is_some_and(|reference| reference.name == name)
                } else {
                    source.secret_ref.as_ref().is_some_and(|reference| reference.name == name)
                }
            });
            whole
                || container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()).any(|source| {
                    if config_map {
                        source.config_map_key_ref.as_ref().is_some_and(|selector| selector.name == name)
                    } else {
                        source.secret_key_ref.as_ref().is_some_and(|selector| selector.name == name)
                    }
                })
        })
}
