//! What happens in the cluster, as changes of the snapshot.

use std::{collections::HashSet, fmt::Debug, sync::Arc};

use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::{ReplicaSet, StatefulSet},
    core::v1::{Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Service},
    storage::v1::StorageClass as ClassObject,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::model::{Claim, Key, Labels, NodeFacts, PodInfo, Selector, StorageClass, Volume};

/// Changes that may wait for the scheduler. More, and the watches wait too.
const QUEUE: usize = 4096;

/// One change.
#[derive(Debug)]
pub(crate) enum Change {
    Node(Box<NodeFacts>),
    NodeGone(Key),
    Pod(Arc<PodInfo>),
    /// Gone, or finished, which is the same to a scheduler.
    PodGone(Key),
    Claim(Key, Box<Claim>),
    ClaimGone(Key),
    Volume(Key, Box<Volume>),
    VolumeGone(Key),
    Class(Key, StorageClass),
    ClassGone(Key),
    Service(Key, Selector),
    ServiceGone(Key),
    Controller(&'static str, Key, Selector),
    ControllerGone(&'static str, Key),
    Namespace(Key, Labels),
    NamespaceGone(Key),
    /// One kind's first listing is in.
    Synced,
}

/// How many kinds are watched, and so how many times [`Change::Synced`] comes.
pub(crate) const KINDS: usize = 9;

/// Starts the watches.
pub(crate) fn start(client: &Client, token: &CancellationToken, tasks: &mut JoinSet<()>) -> mpsc::Receiver<Change> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let feeds = Feeds { client, token, tasks, sender };
    feeds.start();
    receiver
}

struct Feeds<'a> {
    client: &'a Client,
    token: &'a CancellationToken,
    tasks: &'a mut JoinSet<()>,
    sender: mpsc::Sender<Change>,
}

impl Feeds<'_> {
    fn start(mut self) {
        self.watch::<Node>(|_, node| Change::Node(Box::new(NodeFacts::of(node))), Change::NodeGone);
        self.watch::<Pod>(pod, Change::PodGone);
        self.watch::<PersistentVolumeClaim>(
            |key, claim| Change::Claim(key, Box::new(Claim::of(claim))),
            Change::ClaimGone,
        );
        self.watch::<PersistentVolume>(
            |key, volume| Change::Volume(key, Box::new(Volume::of(volume))),
            Change::VolumeGone,
        );
        self.watch::<ClassObject>(|key, class| Change::Class(key, StorageClass::of(class)), Change::ClassGone);
        self.watch::<Service>(|key, service| Change::Service(key, service_selector(service)), Change::ServiceGone);
        self.watch::<ReplicaSet>(
            |key, set| Change::Controller("ReplicaSet", key, Selector::of(Some(&set.spec.selector))),
            |key| Change::ControllerGone("ReplicaSet", key),
        );
        self.watch::<StatefulSet>(
            |key, set| Change::Controller("StatefulSet", key, Selector::of(Some(&set.spec.selector))),
            |key| Change::ControllerGone("StatefulSet", key),
        );
        self.watch::<Namespace>(
            |key, namespace| Change::Namespace(key, namespace.labels().clone()),
            Change::NamespaceGone,
        );
    }

    fn watch<K>(&mut self, seen: fn(Key, &K) -> Change, gone: fn(Key) -> Change)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let api = Api::<K>::all(self.client.clone());
        self.tasks
            .spawn(self.token.clone().run_until_cancelled_owned(feed(api, self.sender.clone(), seen, gone)).map_drop());
    }
}

/// Turns a future's output into nothing.
trait MapDrop: Future + Sized {
    fn map_drop(self) -> impl Future<Output = ()> {
        async move {
            let _ = self.await;
        }
    }
}

impl<F: Future> MapDrop for F {}

fn pod(key: Key, pod: &Pod) -> Change {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        Change::PodGone(key)
    } else {
        Change::Pod(Arc::new(PodInfo::of(pod)))
    }
}

/// A service without a selector has no pods of its own.
fn service_selector(service: &Service) -> Selector {
    let mut selector = Selector::default();
    let labels = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.require_all(labels.into_iter().flatten());
    selector
}

fn key<K: Resource>(object: &K) -> Key {
    Key::new(object.meta().namespace.as_deref().unwrap_or(""), &object.name_any())
}

/// Watches one kind. After a new listing it names what has vanished meanwhile, which no watch does.
async fn feed<K>(api: Api<K>, sender: mpsc::Sender<Change>, seen: fn(Key, &K) -> Change, gone: fn(Key) -> Change)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    let (mut known, mut listing, mut synced) = (HashSet::new(), HashSet::new(), false);
    while let Some(event) = events.next().await {
        let mut changes = Vec::new();
        match event {
            Ok(watcher::Event::Apply(object)) => {
                known.insert(key(&object));
                changes.push(seen(key(&object), &object));
            }
            Ok(watcher::Event::Delete(object)) => {
                known.remove(&key(&object));
                changes.push(gone(key(&object)));
            }
            Ok(watcher::Event::Init) => listing.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                listing.insert(key(&object));
                changes.push(seen(key(&object), &object));
            }
            Ok(watcher::Event::InitDone) => {
                changes.extend(known.difference(&listing).cloned().map(gone));
                known = std::mem::take(&mut listing);
                if !std::mem::replace(&mut synced, true) {
                    changes.push(Change::Synced);
                }
            }
            Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "watch interrupted"),
        }
        for change in changes {
            if sender.send(change).await.is_err() {
                return;
            }
        }
    }
}
