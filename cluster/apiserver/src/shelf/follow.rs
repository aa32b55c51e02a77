//! The task behind a shelf: follows the store's changes.

use super::{Change, Object, Shared, State};
use crate::failure::{self, Result};
use futures::StreamExt;
use kpkg_store::{Event, EventKind, Page, Range, WatchBatch, WatchStream};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Changes that are kept however old they are.
const MIN_CHANGES: usize = 128;
/// Changes that are kept at most.
const MAX_CHANGES: usize = 8192;
/// How long a change is kept beyond [`MIN_CHANGES`]: longer than a client takes to come back.
const FRESH: Duration = Duration::from_secs(90);
/// How long to wait before a failed start is tried anew.
const RETRY: Duration = Duration::from_millis(200);

/// What the store has, and its changes from there on.
pub(super) async fn start(shared: &Shared) -> Result<(Page, WatchStream)> {
    let page = shared.store.range(Range::prefix(shared.prefix.clone())).await.map_err(failure::of_store)?;
    let stream = shared.store.watch(shared.prefix.clone(), page.revision + 1).await.map_err(failure::of_store)?;
    Ok((page, stream))
}

/// Follows until the shutdown or the store's end. If the store cuts it off, it begins anew; watches that had not read
/// all by then find their revision expired.
pub(super) async fn run(shared: Arc<Shared>, mut stream: WatchStream, shutdown: CancellationToken) {
    let follow = async {
        while drain(&shared, &mut stream).await {
            stream = restart(&shared).await;
        }
    };
    shutdown.run_until_cancelled(follow).await;
    shared.news.send_replace(-1);
}

/// Reads the stream to its end; false if the store is closed.
async fn drain(shared: &Shared, stream: &mut WatchStream) -> bool {
    while let Some(batch) = stream.next().await {
        match batch {
            Ok(batch) => {
                if let Err(status) = take(shared, &batch) {
                    tracing::error!(%status, "a change cannot be read");
                    return true;
                }
            }
            Err(kpkg_store::Error::Closed) => return false,
            Err(error) => {
                tracing::warn!(%error, "the watch of the store broke off");
                return true;
            }
        }
    }
    false
}

async fn restart(shared: &Shared) -> WatchStream {
    loop {
        match start(shared).await {
            Ok((page, stream)) => match shared.reset(page) {
                Ok(()) => return stream,
                Err(status) => tracing::error!(%status, "the stored objects cannot be read"),
            },
            Err(status) => tracing::warn!(%status, "the store cannot be watched"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn take(shared: &Shared, batch: &WatchBatch) -> Result<()> {
    let mut decoded = Vec::with_capacity(batch.events.len());
    for event in &batch.events {
        decoded.push(match event.kind {
            EventKind::Put => Some(shared.decoded(&event.kv)?),
            EventKind::Delete => None,
        });
    }
    let mut state = shared.state();
    for (event, after) in batch.events.iter().zip(decoded) {
        state.apply(event, after);
    }
    state.revision = state.revision.max(batch.revision);
    state.forget();
    let revision = state.revision;
    drop(state);
    shared.news.send_replace(revision);
    Ok(())
}

impl State {
    fn apply(&mut self, event: &Event, after: Option<Arc<Object>>) {
        let key = &event.kv.key;
        let before = match &after {
            Some(after) => self.objects.insert(key.clone(), after.clone()),
            None => self.objects.remove(key),
        };
        if self.fresh.get(key).is_some_and(|object| object.revision <= event.revision()) {
            self.fresh.remove(key);
        }
        self.changes.push_back(Arc::new(Change::new(event.revision(), before, after)));
        self.revision = self.revision.max(event.revision());
    }

    fn forget(&mut self) {
        while self.changes.len() > MIN_CHANGES {
            let stale = self.changes.front().is_some_and(|change| change.seen.elapsed() > FRESH);
            if !stale && self.changes.len() <= MAX_CHANGES {
                return;
            }
            if let Some(change) = self.changes.pop_front() {
                self.oldest = change.revision;
            }
        }
    }
}
