//! Keeps the graph: one watch of metadata for each kind.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::StreamExt;
use kube::{
    Api,
    api::{DynamicObject, ObjectMeta},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};
use tokio::{
    sync::watch as signal,
    task::{AbortHandle, JoinSet},
};

use super::{Shared, graph::Item};
use crate::runtime::{Resource, Served};

/// How often to ask for kinds that are served since.
const REDISCOVER: Duration = Duration::from_secs(30);

/// Events own nothing, are owned by nothing, and are many.
fn is_ignored(resource: &Resource) -> bool {
    resource.api.kind == "Event" || !resource.watchable
}

fn identity(resource: &Resource) -> (String, String) {
    (resource.api.group.clone(), resource.api.kind.clone())
}

/// Runs for ever: starts a watch for each kind, and for kinds that come later.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut watched: HashMap<(String, String), (AbortHandle, signal::Receiver<bool>)> = HashMap::new();
    loop {
        let served = shared.served.lock().clone();
        // Kinds come and go with the definitions of custom resources.
        watched.retain(|(group, kind), (feed, _)| {
            let kept = served.has(group, kind);
            if !kept {
                feed.abort();
                shared.keep_only(group, kind, &HashSet::new());
            }
            kept
        });
        for resource in served.resources.iter().filter(|resource| !is_ignored(resource)) {
            watched.entry(identity(resource)).or_insert_with(|| {
                let (listed, wait) = signal::channel(false);
                (tasks.spawn(feed(shared.clone(), resource.clone(), listed)), wait)
            });
        }
        let next = tokio::time::Instant::now() + REDISCOVER;
        let listed = async {
            for (_, wait) in watched.values_mut() {
                // Fails for a feed that has ended, which is none to wait for.
                let _ = wait.wait_for(|listed| *listed).await;
            }
        };
        // One that cannot be listed, because its definition is gone again, must not stop the others.
        if tokio::time::timeout_at(next, listed).await.is_ok() {
            shared.synced.store(true, Ordering::Release);
        }
        tokio::time::sleep_until(next).await;
        match Served::discover(shared.context.client()).await {
            Ok(served) => *shared.served.lock() = served,
            Err(error) => tracing::warn!(%error, "going on with the kinds that are known"),
        }
    }
}

async fn feed(shared: Arc<Shared>, resource: Resource, listed: signal::Sender<bool>) {
    let client = shared.context.client().clone();
    let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &resource.api);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    let (group, kind) = identity(&resource);
    let mut listing: HashSet<String> = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object)) => shared.seen(&group, &kind, &object.metadata),
            Ok(watcher::Event::Delete(object)) => shared.gone(&object.metadata),
            Ok(watcher::Event::Init) => listing.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                listing.extend(object.metadata.uid.clone());
                shared.seen(&group, &kind, &object.metadata);
            }
            Ok(watcher::Event::InitDone) => {
                shared.keep_only(&group, &kind, &listing);
                listing.clear();
                listed.send_replace(true);
            }
            Err(error) => tracing::warn!(kind, %error, "watch interrupted"),
        }
    }
}

impl Shared {
    fn seen(&self, group: &str, kind: &str, meta: &ObjectMeta) {
        let Some(uid) = &meta.uid else { return };
        let wake = self.graph.lock().set(uid, Item::of(group, kind, meta));
        self.wake(wake);
    }

    fn gone(&self, meta: &ObjectMeta) {
        let Some(uid) = &meta.uid else { return };
        let wake = self.graph.lock().remove(uid);
        self.wake(wake);
    }

    /// A listing is whole: what it does not name has vanished while nobody watched.
    fn keep_only(&self, group: &str, kind: &str, listed: &HashSet<String>) {
        let mut graph = self.graph.lock();
        let known = graph.of_kind(group, kind);
        let wake: Vec<String> = known.difference(listed).flat_map(|uid| graph.remove(uid)).collect();
        drop(graph);
        self.wake(wake);
    }

    pub(super) fn wake(&self, uids: Vec<String>) {
        for uid in uids {
            self.queue.add(uid);
        }
    }
}
