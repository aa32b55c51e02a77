//! Waits until objects are ready, or gone.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result, Unready};
use crate::explain;
use crate::object::ObjectId;
use crate::progress::{Event, Progress};
use crate::readiness::{Readiness, readiness};

/// The pause between two looks, at first and at most: short waits stay short, long ones are cheap.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Returns when all of `objects` are ready; fails when one cannot become ready or time is up.
pub async fn until_ready(
    cluster: &Cluster,
    objects: &[ObjectId],
    timeout: Duration,
    progress: &dyn Progress,
) -> Result<()> {
    let start = Instant::now();
    let mut left: Vec<ObjectId> = objects.to_vec();
    let mut told = Vec::new();
    let mut pause = PAUSE.0;
    loop {
        let mut waiting = Vec::new();
        for id in left {
            match look(cluster, &id).await? {
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
}

async fn look(cluster: &Cluster, id: &ObjectId) -> Result<Readiness> {
    Ok(match cluster.get(id).await? {
        Some(live) => readiness(&live),
        None => Readiness::Waiting("it does not exist".to_owned()),
    })
}

async fn not_ready(cluster: &Cluster, waiting: Vec<(ObjectId, String)>, start: Instant) -> ReleaseError {
    let mut objects = Vec::new();
    for (object, reason) in waiting {
        let details = explain::explain(cluster, &object).await;
        objects.push(Unready { object, reason, details });
    }
    ReleaseError::NotReady { objects, waited_seconds: start.elapsed().as_secs() }
}

/// Returns when none of `objects` exists any more; the ones that still do when time is up.
pub async fn until_gone(cluster: &Cluster, objects: &[ObjectId], timeout: Duration) -> Result<Vec<ObjectId>> {
    let start = Instant::now();
    let mut left = objects.to_vec();
    let mut pause = PAUSE.0;
    loop {
        let mut still = Vec::new();
        for id in left {
            if cluster.get(&id).await?.is_some() {
                still.push(id);
            }
        }
        if still.is_empty() || start.elapsed() >= timeout {
            return Ok(still);
        }
        left = still;
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
}
