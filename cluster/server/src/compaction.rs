//! Forgets the store's past, as Kubernetes' API server has etcd do.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use kpkg_store::{Error, Store};
use tokio_util::sync::CancellationToken;

/// How far back lists can be continued and watches begin, at least.
const WINDOW: Duration = Duration::from_mins(5);
/// The window moves on in this many steps.
const STEPS: u32 = 5;

/// Compacts until cancelled.
pub(crate) async fn run(store: Arc<dyn Store>, token: CancellationToken) -> Result<(), Error> {
    let mut seen = VecDeque::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(WINDOW / STEPS) => {}
            () = token.cancelled() => return Ok(()),
        }
        seen.push_back(store.current_revision().await?);
        if seen.len() > STEPS as usize
            && let Some(revision) = seen.pop_front()
            && let Err(error) = store.compact(revision).await
        {
            tracing::warn!(%error, revision, "cannot compact the store");
        }
    }
}
