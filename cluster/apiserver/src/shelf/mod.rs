//! The objects of one kind: the store's range of keys, and what of it is kept decoded.
//!
//! Reads go to the store, which is the truth at every revision; a shelf only spares the decoding. Its task follows the
//! store's changes from the first use on and keeps (a) every live object decoded, (b) the recent changes. A watch reads
//! the recent changes at its own pace from its own revision, so it needs no buffer; one that falls behind what is kept
//! is told that its revision has expired, as is one that begins too far back.
//!
//! **Invariant:** `State::changes` holds every change of the kind after `State::oldest` up to `State::revision`.

mod change;
mod follow;
mod object;

pub(crate) use change::{Change, Verb};
pub(crate) use object::Object;

use crate::failure::{self, Result};
use bytes::Bytes;
use kpkg_api::{schema::Kind, status::Status};
use kpkg_store::{KeyValue, Precondition, Range, Store};
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) kind: &'static Kind,
    shared: Arc<Shared>,
    /// Set once the task follows the store.
    followed: OnceCell<()>,
    runtime: tokio::runtime::Handle,
    shutdown: CancellationToken,
}

/// What the shelf shares with its task.
struct Shared {
    prefix: Bytes,
    store: Arc<dyn Store>,
    state: Mutex<State>,
    /// The revision up to which the task has followed; -1 once it has ended.
    news: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct State {
    /// Every live object as of `revision`.
    objects: HashMap<Bytes, Arc<Object>>,
    /// Objects written through this server that the task has not come to yet.
    fresh: HashMap<Bytes, Arc<Object>>,
    changes: VecDeque<Arc<Change>>,
    /// Changes up to this revision are forgotten.
    oldest: i64,
    revision: i64,
}

/// A page of objects.
pub(crate) struct Page {
    pub(crate) objects: Vec<(Bytes, Arc<Object>)>,
    pub(crate) revision: i64,
    pub(crate) remaining: usize,
}

/// How a conditional write ended.
pub(crate) enum Write {
    Done(Arc<Object>),
    /// Something else is there: its newest version, if there is one.
    Lost(Option<Arc<Object>>),
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

// === impl Shelf ===

impl Shelf {
    /// The shelf of a kind; its task will run on `runtime` until `shutdown`.
    pub(crate) fn new(
        kind: &'static Kind,
        store: Arc<dyn Store>,
        runtime: tokio::runtime::Handle,
        shutdown: CancellationToken,
    ) -> Self {
        let group = if kind.group.is_empty() { "core" } else { kind.group };
        let prefix = Bytes::from(format!("/registry/{group}/{}/", kind.plural));
        let shared = Shared { prefix, store, state: Mutex::default(), news: watch::Sender::new(0) };
        Self { kind, shared: Arc::new(shared), followed: OnceCell::new(), runtime, shutdown }
    }

    /// What the keys of a namespace, or of all, begin with.
    pub(crate) fn prefix(&self, namespace: Option<&str>) -> Bytes {
        match namespace.filter(|_| self.kind.namespaced) {
            Some(namespace) => [&self.shared.prefix[..], namespace.as_bytes(), b"/"].concat().into(),
            None => self.shared.prefix.clone(),
        }
    }

    /// The key of an object.
    pub(crate) fn key(&self, namespace: Option<&str>, name: &str) -> Bytes {
        [&self.prefix(namespace)[..], name.as_bytes()].concat().into()
    }

    /// Follows the store from now on, if it does not yet.
    async fn followed(&self) -> Result<()> {
        let start = || async {
            let (page, stream) = follow::start(&self.shared).await?;
            self.shared.reset(page)?;
            self.runtime.spawn(follow::run(self.shared.clone(), stream, self.shutdown.clone()));
            Ok(())
        };
        self.followed.get_or_try_init(start).await.copied()
    }

    /// The newest version of an object.
    pub(crate) async fn get(&self, key: &[u8]) -> Result<Option<Arc<Object>>> {
        self.followed().await?;
        let kv = self.shared.store.get(key).await.map_err(failure::of_store)?;
        kv.map(|kv| self.shared.decoded(&kv)).transpose()
    }

    /// A page of objects in key order.
    pub(crate) async fn range(&self, range: Range) -> Result<Page> {
        self.followed().await?;
        let page = self.shared.store.range(range).await.map_err(failure::of_store)?;
        let objects = self.shared.all_decoded(&page.items)?;
        Ok(Page { objects, revision: page.revision, remaining: page.remaining })
    }

    /// All objects of a namespace, or of all.
    pub(crate) async fn all(&self, namespace: Option<&str>) -> Result<Vec<Arc<Object>>> {
        let page = self.range(Range::prefix(self.prefix(namespace))).await?;
        Ok(page.objects.into_iter().map(|(_, object)| object).collect())
    }

    /// Writes an object if what is there is as expected.
    pub(crate) async fn put(&self, key: Bytes, mut value: Value, precondition: Precondition) -> Result<Write> {
        // A watch may begin at this very write.
        self.followed().await?;
        let bytes = Object::encode(&mut value);
        match self.shared.store.put(key.clone(), bytes, precondition).await {
            Ok(revision) => {
                let object = Arc::new(Object::new(revision, value));
                self.shared.remember(key, &object);
                Ok(Write::Done(object))
            }
            Err(kpkg_store::Error::Conflict { current }) => self.lost(current.map(|kv| *kv)),
            Err(error) => Err(failure::of_store(error)),
        }
    }

    /// Deletes an object if it is still this version; answers it as of the deletion.
    pub(crate) async fn delete(&self, key: Bytes, object: &Object) -> Result<Write> {
        match self.shared.store.delete(key, Precondition::ModRevision(object.revision)).await {
            Ok((revision, _)) => Ok(Write::Done(Arc::new(object.at(revision)))),
            Err(kpkg_store::Error::Conflict { current }) => self.lost(current.map(|kv| *kv)),
            Err(kpkg_store::Error::NotFound) => Ok(Write::Lost(None)),
            Err(error) => Err(failure::of_store(error)),
        }
    }

    fn lost(&self, current: Option<KeyValue>) -> Result<Write> {
        Ok(Write::Lost(current.map(|kv| self.shared.decoded(&kv)).transpose()?))
    }

    /// The store's newest revision.
    pub(crate) async fn current_revision(&self) -> Result<i64> {
        self.shared.store.current_revision().await.map_err(failure::of_store)
    }

    /// The changes after a revision, now and to come.
    pub(crate) async fn watch(&self, revision: i64) -> Result<Changes> {
        self.followed().await?;
        let changes = Changes { shared: self.shared.clone(), news: self.shared.news.subscribe(), revision };
        changes.read()?;
        Ok(changes)
    }
}

// === impl Shared ===

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew with what the store has.
    fn reset(&self, page: kpkg_store::Page) -> Result<()> {
        let objects = self.all_decoded(&page.items)?.into_iter().collect();
        let mut state = self.state();
        *state = State { objects, oldest: page.revision, revision: page.revision, ..State::default() };
        drop(state);
        self.news.send_replace(page.revision);
        Ok(())
    }

    /// What was just written, so that nobody need decode it.
    fn remember(&self, key: Bytes, object: &Arc<Object>) {
        let mut state = self.state();
        if object.revision > state.revision {
            state.fresh.insert(key, object.clone());
        }
    }

    fn decoded(&self, kv: &KeyValue) -> Result<Arc<Object>> {
        let known = self.state().find(kv);
        known.map_or_else(|| Object::decode(kv).map(Arc::new), Ok)
    }

    fn all_decoded(&self, items: &[KeyValue]) -> Result<Vec<(Bytes, Arc<Object>)>> {
        let known: Vec<_> = {
            let state = self.state();
            items.iter().map(|kv| state.find(kv)).collect()
        };
        let decode = |(kv, known): (&KeyValue, Option<Arc<Object>>)| {
            let object = known.map_or_else(|| Object::decode(kv).map(Arc::new), Ok)?;
            Ok((kv.key.clone(), object))
        };
        items.iter().zip(known).map(decode).collect()
    }
}

impl State {
    /// That version, if it is kept.
    fn find(&self, kv: &KeyValue) -> Option<Arc<Object>> {
        [&self.objects, &self.fresh]
            .into_iter()
            .filter_map(|objects| objects.get(&kv.key))
            .find(|object| object.revision == kv.mod_revision)
            .cloned()
    }
}

/// The changes of a kind from a revision on, read at the reader's pace.
#[derive(Debug)]
pub(crate) struct Changes {
    shared: Arc<Shared>,
    news: watch::Receiver<i64>,
    /// Read up to here.
    revision: i64,
}

/// What a reader of [`Changes`] gets.
pub(crate) enum News {
    Changes(Vec<Arc<Change>>),
    /// The server ends.
    Ended,
}

/// The most changes read at once, so that a long backlog is not all in memory a second time.
const BATCH: usize = 256;

impl Changes {
    /// The revision up to which everything was read.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    /// Waits for changes. Fails if those after the last one read are forgotten. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Result<News> {
        loop {
            let ended = *self.news.borrow_and_update() < 0;
            let (changes, revision) = self.read()?;
            self.revision = self.revision.max(revision);
            if !changes.is_empty() {
                return Ok(News::Changes(changes));
            }
            if ended || self.news.changed().await.is_err() {
                return Ok(News::Ended);
            }
        }
    }

    fn read(&self) -> Result<(Vec<Arc<Change>>, i64)> {
        let state = self.shared.state();
        if self.revision < state.oldest {
            return Err(Status::too_old(self.revision, state.oldest));
        }
        let first = state.changes.partition_point(|change| change.revision <= self.revision);
        let changes: Vec<_> = state.changes.range(first..).take(BATCH).cloned().collect();
        let revision = match changes.last() {
            Some(last) if changes.len() == BATCH => last.revision,
            _ => state.revision,
        };
        Ok((changes, revision))
    }
}
