//! Waits until objects are ready, or gone.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result, Unready};
use crate::explain;
use crate::object::ObjectId;
use crate::observe::observe;
use crate::progress::{Event, Progress};
use crate::readiness::{Readiness, Rules, readiness};

/// The pause between two looks, at first and at most: short waits stay short, long ones are cheap.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How many objects are explained when many are not ready.
const MAX_EXPLAINED: usize = 10;

/// Returns when all of `objects` are ready; fails when one cannot become ready or time is up.
pub async fn until_ready(
    cluster: &Cluster,
    objects: &[ObjectId],
    timeout: Duration,
    rules: Rules,
    progress: &dyn Progress,
) -> Result<()> {
    let start = Instant::now();
    let mut left: Vec<ObjectId> = objects.to_vec();
    let mut told = Vec::new();
    let mut pause = PAUSE.0;
    while !left.is_empty() {
        let live = observe(cluster, &left).await?;
        let mut waiting = Vec::new();
        for id in left {
            let state = live.get(&id).map(|live| readiness(live, rules));
            match state.unwrap_or_else(|| Readiness::Waiting("it does not exist".to_owned())) {
                Readiness::Ready => progress.event(Event::Ready(&id)),
                Readiness::Waiting(reason) => waiting.push((id, reason)),
                Readiness::Failed(reason) => {
                    return Err(not_ready(cluster, vec![(id, reason)], start).await);
                }
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        if start.elapsed() >= timeout {
            return Err(not_ready(cluster, waiting, start).await);
        }
        if waiting != told {
            progress.event(Event::Waiting(&waiting));
            told.clone_from(&waiting);
        }
        left = waiting.into_iter().map(|(id, _)| id).collect();
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
    Ok(())
}

async fn not_ready(cluster: &Cluster, waiting: Vec<(ObjectId, String)>, start: Instant) -> ReleaseError {
    let mut objects = Vec::new();
    let total = waiting.len();
    for (object, reason) in waiting.into_iter().take(MAX_EXPLAINED) {
        let details = explain::explain(cluster, &object).await;
        objects.push(Unready { object, reason, details });
    }
    ReleaseError::NotReady { objects, total, waited_seconds: start.elapsed().as_secs() }
}

/// Returns when none of `objects` exists any more; the ones that still do when time is up.
pub async fn until_gone(cluster: &Cluster, objects: &[ObjectId], timeout: Duration) -> Result<Vec<ObjectId>> {
    let start = Instant::now();
    let mut left = objects.to_vec();
    let mut pause = PAUSE.0;
    loop {
        let live = observe(cluster, &left).await?;
        let still: Vec<ObjectId> = left.into_iter().filter(|id| live.contains_key(id)).collect();
        if still.is_empty() || start.elapsed() >= timeout {
            return Ok(still);
        }
        left = still;
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
}
