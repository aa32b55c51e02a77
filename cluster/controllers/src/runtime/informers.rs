//! Every kind's store, each fed by one watch.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::Arc,
};

use futures::{FutureExt, StreamExt, future::BoxFuture};
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Kind, Store};

type Feed = Box<dyn FnOnce(Client, CancellationToken) -> BoxFuture<'static, ()> + Send>;

struct Entry {
    store: Arc<dyn Any + Send + Sync>,
    synced: watch::Receiver<bool>,
    /// Taken when the watch starts.
    feed: Option<Feed>,
}

/// The stores of all kinds that some controller asked for.
#[derive(Default)]
pub struct Informers {
    entries: Mutex<HashMap<TypeId, Entry>>,
}

impl Informers {
    /// The store of a kind; the first caller brings it to life.
    pub fn store<K: Kind>(&self) -> Arc<Store<K>> {
        self.store_of(watcher::Config::default())
    }

    /// As [`Informers::store`], for a part of the objects only. The first caller's `scope` counts,
    /// so no two callers may differ.
    ///
    /// # Panics
    /// Never: an entry's store has the type that it is filed under.
    pub fn store_of<K: Kind>(&self, scope: watcher::Config) -> Arc<Store<K>> {
        let mut entries = self.entries.lock();
        let entry = entries.entry(TypeId::of::<K>()).or_insert_with(|| {
            let store = Arc::new(Store::<K>::default());
            let fed = store.clone();
            Entry {
                synced: store.synced(),
                store,
                feed: Some(Box::new(move |client, token| feed(fed, client, scope, token).boxed())),
            }
        });
        entry.store.clone().downcast().expect("a store is filed under its own type")
    }

    /// The futures that keep the stores fed, to be run by the caller; each is handed out once.
    pub fn feeds(&self, client: &Client, token: &CancellationToken) -> Vec<BoxFuture<'static, ()>> {
        let mut entries = self.entries.lock();
        let feeds = entries.values_mut().filter_map(|entry| entry.feed.take());
        feeds.map(|feed| feed(client.clone(), token.clone())).collect()
    }

    /// Waits until every store has its first listing.
    pub async fn synced(&self) {
        let waits: Vec<_> = self.entries.lock().values().map(|entry| entry.synced.clone()).collect();
        for mut wait in waits {
            // The sender lives in the store, which the entry holds.
            let _ = wait.wait_for(|synced| *synced).await;
        }
    }
}

async fn feed<K: Kind>(store: Arc<Store<K>>, client: Client, scope: watcher::Config, token: CancellationToken) {
    let events = watcher(Api::<K>::all(client), scope).default_backoff().modify(|object| {
        // Nobody here reads them, and they are half of a typical object.
        object.meta_mut().managed_fields = None;
    });
    let mut events = std::pin::pin!(events.take_until(token.cancelled_owned()));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => store.apply(event),
            Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "watch interrupted"),
        }
    }
}
