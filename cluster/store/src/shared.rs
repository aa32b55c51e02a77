//! The index and the watches on it, behind locks that are held for moments only.

use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::{Error, WatchStream, mvcc::Mvcc, watch::Watchers};

/// What readers, watches and the one writer share.
///
/// Lock order: the index, then the watches. Events are published while the index is still locked,
/// so that a watch that begins meanwhile sees each event once: in its backlog or live.
#[derive(Debug)]
pub(crate) struct Shared {
    mvcc: RwLock<Mvcc>,
    watchers: Mutex<Watchers>,
}

impl Shared {
    /// Shares `mvcc`; each watch may have `watch_events` unread events.
    pub(crate) fn new(mvcc: Mvcc, watch_events: usize) -> Self {
        Self { mvcc: RwLock::new(mvcc), watchers: Mutex::new(Watchers::new(watch_events)) }
    }

    /// The index, to read. A panic elsewhere leaves it whole: each change is one assignment deep.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Mvcc> {
        self.mvcc.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Mvcc> {
        self.mvcc.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies decided writes in order, tells the watches, answers the last revision.
    pub(crate) fn apply(&self, writes: impl IntoIterator<Item = (Bytes, Option<Bytes>)>) -> i64 {
        let mut mvcc = self.write();
        let events: Vec<_> = writes.into_iter().map(|(key, value)| mvcc.apply(key, value)).collect();
        let revision = mvcc.revision();
        self.watchers().publish(&events, revision);
        revision
    }

    /// Forgets history; `false` if it is forgotten already.
    pub(crate) fn compact(&self, revision: i64) -> Result<bool, Error> {
        self.write().compact(revision)
    }

    /// Begins a watch.
    pub(crate) fn watch(&self, prefix: Bytes, from_revision: i64) -> Result<WatchStream, Error> {
        let mvcc = self.read();
        let current = mvcc.revision();
        let from_revision = if from_revision == 0 { current + 1 } else { from_revision };
        let backlog = mvcc.events(&prefix, from_revision)?;
        Ok(self.watchers().add(prefix, from_revision, backlog, current))
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        self.watchers().close();
    }

    fn watchers(&self) -> std::sync::MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
