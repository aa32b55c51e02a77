//! The trait `Store` and the words it is spoken in.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{Error, WatchStream};

/// A future of a store's answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// One version of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// The value of this version.
    pub value: Bytes,
    /// Revision at which the key was created; a delete followed by a put creates it anew.
    pub create_revision: i64,
    /// Revision of this version: what Kubernetes calls `resourceVersion`.
    pub mod_revision: i64,
    /// How many times the key was put since it was created, counted from 1.
    pub version: i64,
}

/// Which keys to read, and as of when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Only keys that begin with these bytes; empty means every key.
    pub prefix: Bytes,
    /// Only keys strictly after this one: the last key of the page before.
    pub start_after: Option<Bytes>,
    /// The most items to answer; 0 means no limit.
    pub limit: usize,
    /// Read as of this revision; `None` means the newest.
    pub revision: Option<i64>,
}

impl Range {
    /// Every key that begins with `prefix`, as of now.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }
}

/// What a [`Range`] found, in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The keys and their values.
    pub items: Vec<KeyValue>,
    /// The revision that was read: pass it on to read the next page of the same state.
    pub revision: i64,
    /// How many more keys follow the last item.
    pub remaining: usize,
}

/// What must hold of a key for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the write always happens.
    None,
    /// The key does not exist.
    Absent,
    /// The key exists and its `mod_revision` is this one.
    ModRevision(i64),
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The key was created or given a new value.
    Put,
    /// The key was deleted.
    Delete,
}

/// One change. Every revision is exactly one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The key after the change. Of a delete: no value, `mod_revision` is the delete's revision,
    /// the other numbers are 0.
    pub kv: KeyValue,
    /// The version before, if the key existed.
    pub prev_kv: Option<KeyValue>,
}

impl Event {
    /// The revision this event made.
    pub fn revision(&self) -> i64 {
        self.kv.mod_revision
    }

    /// Whether this put created the key.
    pub fn is_create(&self) -> bool {
        self.kind == EventKind::Put && self.prev_kv.is_none()
    }
}

/// etcd's data model: byte keys and values under one global revision that every write moves on.
///
/// A store is used as `Arc<dyn Store>`. A write is answered when it is durable, and readers see it
/// no earlier than that; a read after the answer sees it.
pub trait Store: Send + Sync + 'static {
    /// The newest version of `key`.
    fn get<'a>(&'a self, key: &'a [u8]) -> Answer<'a, Option<KeyValue>>;

    /// The keys of `range` in key order.
    ///
    /// Fails with [`Error::Compacted`] below the compacted revision and with
    /// [`Error::FutureRevision`] above the current one.
    fn range(&self, range: Range) -> Answer<'_, Page>;

    /// Writes `value` under `key` if `precondition` holds, and answers the new revision.
    ///
    /// Fails with [`Error::Conflict`], which carries what is there instead.
    fn put(&self, key: Bytes, value: Bytes, precondition: Precondition) -> Answer<'_, i64>;

    /// Deletes `key` if `precondition` holds; answers the new revision and what was deleted.
    ///
    /// Fails with [`Error::NotFound`] if there is nothing to delete and nothing was expected to
    /// be there, with [`Error::Conflict`] if the precondition does not hold.
    fn delete(&self, key: Bytes, precondition: Precondition) -> Answer<'_, (i64, KeyValue)>;

    /// Every event on keys that begin with `prefix`, from `from_revision` (inclusive) on; 0 means
    /// from the next write. To go on from a list at revision `r`, watch from `r + 1`.
    ///
    /// Fails with [`Error::Compacted`] if events from there on are forgotten.
    fn watch(&self, prefix: Bytes, from_revision: i64) -> Answer<'_, WatchStream>;

    /// Forgets what was overwritten or deleted at or before `revision`: older reads and watches
    /// answer [`Error::Compacted`]. Compacting what is compacted already does nothing.
    fn compact(&self, revision: i64) -> Answer<'_, ()>;

    /// The revision of the newest write. An empty store is at revision 1.
    fn current_revision(&self) -> Answer<'_, i64>;
}
