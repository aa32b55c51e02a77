//! The store on a disk: the index in memory, every change in an append-only log.
//!
//! Start at [`writer`](self) for how a write becomes durable, at `recover` for what a crash leaves
//! and how it is read, at `frame` for the bytes. Reads never touch the disk.

mod dir;
mod frame;
mod log;
mod recover;
mod snapshot;
mod writer;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::oneshot;

use crate::{
    Error, KeyValue, OpenError, Options, Page, Precondition, Range, Store, WatchStream, mvcc::Write, shared::Shared,
    store::Answer,
};
use writer::{Request, Writer};

/// The embedded store. Dropping it finishes what was asked of it and releases the directory.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the store in `dir`, or makes one there.
    pub fn open(dir: impl Into<PathBuf>, options: Options) -> Result<Self, OpenError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(OpenError::io(&dir))?;
        let lock = dir::lock(&dir)?;
        let (mvcc, log) = recover::recover(&dir)?;
        let shared = Arc::new(Shared::new(mvcc, options.watch_events));
        let (requests, receiver) = mpsc::channel();
        let spawned = {
            let writer = Writer { dir: dir.clone(), log, shared: shared.clone(), options, snapshot: None };
            thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
                writer.run(&receiver);
                drop(lock);
            })
        };
        let writer = Mutex::new(Some(spawned.map_err(OpenError::io(&dir))?));
        Ok(Self { shared, requests, writer })
    }

    /// Finishes every write asked before, ends the watches and releases the directory. Later writes
    /// fail with [`Error::Closed`].
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = self.requests.send(Request::Close);
            let _ = writer.join();
        }
    }

    async fn write(&self, write: Write) -> Result<(i64, Option<KeyValue>), Error> {
        self.ask(|reply| Request::Write(write, reply)).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

impl Store for Embedded {
    fn get<'a>(&'a self, key: &'a [u8]) -> Answer<'a, Option<KeyValue>> {
        async move { Ok(self.shared.read().get(key)) }.boxed()
    }

    fn range(&self, range: Range) -> Answer<'_, Page> {
        async move { self.shared.read().range(&range) }.boxed()
    }

    fn put(&self, key: Bytes, value: Bytes, precondition: Precondition) -> Answer<'_, i64> {
        let write = Write { key, value: Some(value), precondition };
        async move { self.write(write).await.map(|(revision, _)| revision) }.boxed()
    }

    fn delete(&self, key: Bytes, precondition: Precondition) -> Answer<'_, (i64, KeyValue)> {
        let write = Write { key, value: None, precondition };
        async move {
            let (revision, deleted) = self.write(write).await?;
            Ok((revision, deleted.ok_or(Error::NotFound)?))
        }
        .boxed()
    }

    fn watch(&self, prefix: Bytes, from_revision: i64) -> Answer<'_, WatchStream> {
        async move { self.shared.watch(prefix, from_revision) }.boxed()
    }

    fn compact(&self, revision: i64) -> Answer<'_, ()> {
        async move { self.ask(|reply| Request::Compact(revision, reply)).await }.boxed()
    }

    fn current_revision(&self) -> Answer<'_, i64> {
        async move { Ok(self.shared.read().revision()) }.boxed()
    }
}
