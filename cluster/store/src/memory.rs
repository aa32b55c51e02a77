//! The store without a disk.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt;

use crate::{
    Error, KeyValue, Page, Precondition, Range, Store, WatchStream,
    mvcc::{Overlay, Write},
    shared::Shared,
    store::Answer,
};

/// The twin of [`Embedded`](crate::Embedded) for tests: the same engine, forgotten with the process.
#[derive(Debug)]
pub struct Memory {
    shared: Shared,
    /// Held while a write is decided and applied.
    writing: Mutex<()>,
    history_bytes: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(&crate::Options::default())
    }
}

impl Memory {
    /// An empty store; of `options`, those that concern memory apply.
    pub fn new(options: &crate::Options) -> Self {
        Self {
            shared: Shared::new(crate::mvcc::Mvcc::default(), options.watch_events),
            writing: Mutex::default(),
            history_bytes: options.history_bytes,
        }
    }

    fn write(&self, write: Write) -> Result<(i64, Option<KeyValue>), Error> {
        let _writing = self.lock();
        let replaced = {
            let mvcc = self.shared.read();
            mvcc.decide(&write, &mut Overlay::new(), mvcc.revision() + 1)?
        };
        let revision = self.shared.apply([(write.key, write.value)]);
        let overdue = self.shared.read().overdue_compaction(self.history_bytes);
        if let Some(revision) = overdue {
            self.shared.compact(revision)?;
        }
        Ok((revision, replaced))
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a [u8]) -> Answer<'a, Option<KeyValue>> {
        async move { Ok(self.shared.read().get(key)) }.boxed()
    }

    fn range(&self, range: Range) -> Answer<'_, Page> {
        async move { self.shared.read().range(&range) }.boxed()
    }

    fn put(&self, key: Bytes, value: Bytes, precondition: Precondition) -> Answer<'_, i64> {
        let write = Write { key, value: Some(value), precondition };
        async move { self.write(write).map(|(revision, _)| revision) }.boxed()
    }

    fn delete(&self, key: Bytes, precondition: Precondition) -> Answer<'_, (i64, KeyValue)> {
        let write = Write { key, value: None, precondition };
        async move {
            let (revision, deleted) = self.write(write)?;
            Ok((revision, deleted.ok_or(Error::NotFound)?))
        }
        .boxed()
    }

    fn watch(&self, prefix: Bytes, from_revision: i64) -> Answer<'_, WatchStream> {
        async move { self.shared.watch(prefix, from_revision) }.boxed()
    }

    fn compact(&self, revision: i64) -> Answer<'_, ()> {
        async move {
            let _writing = self.lock();
            self.shared.compact(revision).map(drop)
        }
        .boxed()
    }

    fn current_revision(&self) -> Answer<'_, i64> {
        async move { Ok(self.shared.read().revision()) }.boxed()
    }
}
