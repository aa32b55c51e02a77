//! The one writer: a thread that turns waiting requests into one synced frame (group commit).
//!
//! Requests that arrive while a sync runs make the next frame. Each is decided against the state
//! with the frame's earlier writes laid over it; if the frame cannot be written, none of them
//! happened. Readers see a frame's writes after its sync, then the callers are answered.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc::Receiver},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use super::{
    frame::{MAX_RECORD, Record, begin_frame},
    log::Log,
    snapshot,
};
use crate::{
    Error, KeyValue, Options,
    mvcc::{Overlay, Write},
    shared::Shared,
};

/// Bytes after which a frame is written though more requests wait.
const FRAME_BYTES: usize = 4 << 20;

/// What callers ask of the writer.
#[derive(Debug)]
pub(super) enum Request {
    /// A put or a delete.
    Write(Write, Reply<(i64, Option<KeyValue>)>),
    /// A compaction.
    Compact(i64, Reply<()>),
    /// Finish what was asked before, then end.
    Close,
}

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// The writer's side of an embedded store.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) log: Log,
    pub(super) shared: Arc<Shared>,
    pub(super) options: Options,
    /// A snapshot being written.
    pub(super) snapshot: Option<JoinHandle<()>>,
}

/// Requests that share a frame.
struct Batch {
    frame: Vec<u8>,
    first_revision: i64,
    next_revision: i64,
    overlay: Overlay,
    writes: Vec<(bytes::Bytes, Option<bytes::Bytes>)>,
    compact: Option<i64>,
    answers: Vec<Answer>,
    closing: bool,
}

/// A reply and what to answer once the frame is durable.
enum Answer {
    Write(Reply<(i64, Option<KeyValue>)>, Result<(i64, Option<KeyValue>), Error>),
    Compact(Reply<()>, Result<(), Error>),
}

// === impl Writer ===

impl Writer {
    /// Serves requests until told to close.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        self.bound_history();
        while let Ok(first) = requests.recv() {
            let mut batch = Batch::new(self.shared.read().revision() + 1);
            batch.add(first, &self.shared);
            while !batch.is_full() {
                let Ok(request) = requests.try_recv() else {
                    break;
                };
                batch.add(request, &self.shared);
            }
            let closing = batch.closing;
            self.commit(batch);
            if closing {
                break;
            }
            self.keep_house();
        }
        self.finish();
    }

    /// Makes a batch durable, visible, and known to its callers, in this order.
    fn commit(&mut self, mut batch: Batch) {
        let written = if batch.is_empty() { Ok(()) } else { self.log.append(&mut batch.frame, batch.first_revision) };
        if written.is_ok() {
            if !batch.writes.is_empty() {
                self.shared.apply(std::mem::take(&mut batch.writes));
            }
            if let Some(revision) = batch.compact {
                // It was checked when the batch took it; revisions only grow.
                let _ = self.shared.compact(revision);
            }
        }
        for answer in batch.answers {
            answer.send(written.as_ref().err());
        }
    }

    fn keep_house(&mut self) {
        self.bound_history();
        let next_revision = self.shared.read().revision() + 1;
        self.log.rotate(self.options.segment_bytes, next_revision);
        self.snapshot_if_due();
    }

    /// Compacts when history outgrows its bound.
    fn bound_history(&mut self) {
        let Some(revision) = self.shared.read().overdue_compaction(self.options.history_bytes) else {
            return;
        };
        let mut batch = Batch::new(self.shared.read().revision() + 1);
        batch.push_compact(revision);
        self.commit(batch);
    }

    /// Begins a snapshot once it would let enough of the log go.
    fn snapshot_if_due(&mut self) {
        if self.snapshot.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        let revision = self.shared.read().compacted();
        if self.log.garbage(revision) < self.options.garbage_bytes.max(1) {
            return;
        }
        let (dir, shared) = (self.dir.clone(), self.shared.clone());
        let work = move || {
            let (revision, state) = {
                let mvcc = shared.read();
                (mvcc.compacted(), mvcc.compacted_state())
            };
            if let Err(error) = snapshot::write(&dir, revision, &state) {
                tracing::warn!(%error, "cannot write a snapshot, the log is kept");
            }
        };
        match thread::Builder::new().name("store-snapshot".to_owned()).spawn(work) {
            Ok(thread) => {
                self.log.forget(revision);
                self.snapshot = Some(thread);
            }
            Err(error) => tracing::warn!(%error, "cannot begin a snapshot"),
        }
    }

    /// Ends the log with an empty frame: damage to the last write is then told from a crash.
    fn finish(mut self) {
        let next_revision = self.shared.read().revision() + 1;
        let mut frame = Vec::new();
        begin_frame(&mut frame);
        if let Err(error) = self.log.append(&mut frame, next_revision) {
            tracing::warn!(%error, "cannot mark the log as closed");
        }
        if let Some(thread) = self.snapshot.take() {
            let _ = thread.join();
        }
        self.shared.close();
    }
}

// === impl Batch ===

impl Batch {
    fn new(first_revision: i64) -> Self {
        let mut frame = Vec::new();
        begin_frame(&mut frame);
        Self {
            frame,
            first_revision,
            next_revision: first_revision,
            overlay: Overlay::new(),
            writes: Vec::new(),
            compact: None,
            answers: Vec::new(),
            closing: false,
        }
    }

    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.compact.is_none()
    }

    fn is_full(&self) -> bool {
        self.closing || self.frame.len() >= FRAME_BYTES
    }

    fn add(&mut self, request: Request, shared: &Shared) {
        match request {
            Request::Write(write, reply) => {
                let answer = self.add_write(write, shared);
                self.answers.push(Answer::Write(reply, answer));
            }
            Request::Compact(revision, reply) => {
                let answer = self.add_compact(revision, shared);
                self.answers.push(Answer::Compact(reply, answer));
            }
            Request::Close => self.closing = true,
        }
    }

    fn add_write(&mut self, write: Write, shared: &Shared) -> Result<(i64, Option<KeyValue>), Error> {
        let size = write.key.len() + write.value.as_ref().map_or(0, bytes::Bytes::len);
        if size > MAX_RECORD {
            return Err(Error::TooLarge { size, limit: MAX_RECORD });
        }
        let revision = self.next_revision;
        let replaced = shared.read().decide(&write, &mut self.overlay, revision)?;
        let record = match &write.value {
            Some(value) => Record::Put { key: &write.key, value },
            None => Record::Delete { key: &write.key },
        };
        record.encode(&mut self.frame);
        self.writes.push((write.key, write.value));
        self.next_revision += 1;
        Ok((revision, replaced))
    }

    fn add_compact(&mut self, revision: i64, shared: &Shared) -> Result<(), Error> {
        let (current, compacted) = {
            let mvcc = shared.read();
            (mvcc.revision(), mvcc.compacted())
        };
        if revision > current {
            return Err(Error::FutureRevision { requested: revision, current });
        }
        if revision > compacted.max(self.compact.unwrap_or(0)) {
            self.push_compact(revision);
        }
        Ok(())
    }

    fn push_compact(&mut self, revision: i64) {
        Record::Compact { revision }.encode(&mut self.frame);
        self.compact = Some(revision);
    }
}

// === impl Answer ===

impl Answer {
    /// Answers the caller, who may be gone. A frame that failed takes every decision with it: they
    /// rest on each other.
    fn send(self, failed: Option<&Error>) {
        match self {
            Self::Write(reply, answer) => drop(reply.send(failed.cloned().map_or(answer, Err))),
            Self::Compact(reply, answer) => drop(reply.send(failed.cloned().map_or(answer, Err))),
        }
    }
}
