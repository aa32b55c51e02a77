//! Watches: who is told of which events, and what happens to a reader that does not keep up.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::Stream;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Duration, Instant},
};

use crate::{Error, Event};

/// The most events in one batch of the backlog.
const BACKLOG_BATCH: usize = 500;

/// How often a watch that sees no events of its own is told of the store's revision.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Events of a watch in revision order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchBatch {
    /// The events; none if the batch only tells how far the watch is.
    pub events: Vec<Arc<Event>>,
    /// Every event of this watch up to this revision has been delivered.
    pub revision: i64,
}

/// The batches of one watch. Ends with an error when the reader is cut off ([`Error::SlowWatcher`])
/// or the store closes ([`Error::Closed`]). Dropping it ends the watch.
#[derive(Debug)]
pub struct WatchStream {
    backlog: VecDeque<WatchBatch>,
    live: UnboundedReceiver<WatchBatch>,
    shared: Arc<Shared>,
    ended: bool,
}

/// What the store and the reader of one watch share.
#[derive(Debug, Default)]
struct Shared {
    /// Events sent and not yet read; the bound on the channel.
    pending: AtomicUsize,
    /// Set before the sender is dropped if the reader was too slow.
    cut: AtomicBool,
}

/// The watches of one store.
#[derive(Debug)]
pub(crate) struct Watchers {
    watchers: Vec<Watcher>,
    max_pending: usize,
}

#[derive(Debug)]
struct Watcher {
    prefix: Bytes,
    /// Events before this revision are not for this watch.
    from_revision: i64,
    sender: UnboundedSender<WatchBatch>,
    shared: Arc<Shared>,
    last_sent: Instant,
}

// === impl WatchStream ===

impl Stream for WatchStream {
    type Item = Result<WatchBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(batch) = self.backlog.pop_front() {
            return Poll::Ready(Some(Ok(batch)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        match self.live.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(batch)) => {
                self.shared.pending.fetch_sub(batch.events.len(), Ordering::AcqRel);
                Poll::Ready(Some(Ok(batch)))
            }
            Poll::Ready(None) => {
                self.ended = true;
                Poll::Ready(Some(Err(self.reason())))
            }
        }
    }
}

impl WatchStream {
    fn reason(&self) -> Error {
        if self.shared.cut.load(Ordering::Acquire) {
            Error::SlowWatcher { pending: self.shared.pending.load(Ordering::Acquire) }
        } else {
            Error::Closed
        }
    }
}

// === impl Watchers ===

impl Watchers {
    /// No watches yet; each may have `max_pending` unread events.
    pub(crate) fn new(max_pending: usize) -> Self {
        Self { watchers: Vec::new(), max_pending }
    }

    /// Adds a watch that has `backlog` to read first; `revision` is the current one.
    pub(crate) fn add(
        &mut self,
        prefix: Bytes,
        from_revision: i64,
        backlog: Vec<Arc<Event>>,
        revision: i64,
    ) -> WatchStream {
        let (sender, live) = unbounded_channel();
        let shared = Arc::new(Shared::default());
        self.watchers.push(Watcher {
            prefix,
            from_revision,
            sender,
            shared: shared.clone(),
            last_sent: Instant::now(),
        });
        WatchStream { backlog: batches(backlog, revision), live, shared, ended: false }
    }

    /// Tells every watch of `events`, the newest ones, after which the store is at `revision`.
    pub(crate) fn publish(&mut self, events: &[Arc<Event>], revision: i64) {
        if self.watchers.is_empty() {
            return;
        }
        let now = Instant::now();
        let max_pending = self.max_pending;
        self.watchers.retain_mut(|watcher| watcher.send(events, revision, now, max_pending));
    }

    /// Ends every watch.
    pub(crate) fn close(&mut self) {
        self.watchers.clear();
    }
}

impl Watcher {
    /// Sends what is for this watch; `false` if the watch is over.
    fn send(&mut self, events: &[Arc<Event>], revision: i64, now: Instant, max_pending: usize) -> bool {
        if self.sender.is_closed() {
            return false;
        }
        let mine: Vec<_> = events
            .iter()
            .filter(|event| event.revision() >= self.from_revision && event.kv.key.starts_with(&self.prefix))
            .cloned()
            .collect();
        if mine.is_empty() && now.duration_since(self.last_sent) < PROGRESS_INTERVAL {
            return true;
        }
        let count = mine.len();
        let pending = self.shared.pending.fetch_add(count, Ordering::AcqRel) + count;
        if pending > max_pending {
            self.shared.cut.store(true, Ordering::Release);
            tracing::warn!(prefix = %String::from_utf8_lossy(&self.prefix), pending, "slow watch cut off");
            return false;
        }
        self.last_sent = now;
        self.sender.send(WatchBatch { events: mine, revision }).is_ok()
    }
}

/// Cuts a backlog into batches; only the last one may claim `revision`.
fn batches(backlog: Vec<Arc<Event>>, revision: i64) -> VecDeque<WatchBatch> {
    let mut batches: VecDeque<_> = backlog
        .chunks(BACKLOG_BATCH)
        .map(|events| WatchBatch {
            events: events.to_vec(),
            revision: events.last().map_or(revision, |event| event.revision()),
        })
        .collect();
    match batches.back_mut() {
        Some(last) => last.revision = revision,
        None => batches.push_back(WatchBatch { events: Vec::new(), revision }),
    }
    batches
}
