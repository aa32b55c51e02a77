//! Takes keys off a queue and has them reconciled.

use std::{
    collections::HashMap, fmt::Display, future::Future, hash::Hash, panic::AssertUnwindSafe, sync::Arc, time::Duration,
};

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Queue;
use crate::Error;

const BACKOFF_START: Duration = Duration::from_millis(5);
const BACKOFF_LIMIT: Duration = Duration::from_secs(60);
/// How long work in hand may take to come to its end when the controller is stopped.
const DRAIN: Duration = Duration::from_secs(5);

/// What a finished reconcile waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing but a change.
    AwaitChange,
    /// A change, or the end of a delay.
    RequeueAfter(Duration),
}

/// Requests of one reconcile under way at once. The API server turns away who floods it.
const AT_ONCE: usize = 50;

/// Carries out steps that do not depend on each other, and returns the first failure once all are
/// through.
pub fn all<F: Future<Output = Result<(), Error>>>(
    steps: impl IntoIterator<Item = F>,
) -> impl Future<Output = Result<(), Error>> {
    let steps: Vec<F> = steps.into_iter().collect();
    async {
        let outcomes: Vec<_> = futures::stream::iter(steps).buffer_unordered(AT_ONCE).collect().await;
        outcomes.into_iter().collect()
    }
}

/// A controller, as the runner sees it.
pub trait Reconcile: Send + Sync + 'static {
    /// What it is asked to reconcile.
    type Key: Clone + Eq + Hash + Display + Send + Sync + 'static;

    /// Its name, for the log.
    fn name(&self) -> &'static str;

    /// Makes the world around `key` as it should be. An error is retried with backoff.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Next, Error>> + Send;
}

/// Runs until `token` is cancelled, then lets work in hand come to its end.
pub(super) async fn run<R: Reconcile>(
    controller: Arc<R>,
    queue: Arc<Queue<R::Key>>,
    workers: usize,
    token: CancellationToken,
) {
    let mut failures: HashMap<R::Key, u32> = HashMap::new();
    let mut working = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => break,
            Some((key, outcome)) = working.next(), if !working.is_empty() => {
                settle(&queue, &mut failures, key, outcome);
            }
            key = queue.next(), if working.len() < workers => working.push(attempt(controller.clone(), key)),
        }
    }
    let drained = timeout(DRAIN, working.for_each(|_| async {})).await;
    if drained.is_err() {
        tracing::warn!(controller = controller.name(), "stopped with work in hand");
    }
}

/// How one attempt ended, with the logging done.
enum Outcome {
    Done(Next),
    Failed,
}

async fn attempt<R: Reconcile>(controller: Arc<R>, key: R::Key) -> (R::Key, Outcome) {
    let span = tracing::info_span!("reconcile", controller = controller.name(), %key);
    let work = AssertUnwindSafe(controller.reconcile(&key)).catch_unwind();
    let outcome = async {
        match work.await {
            Ok(Ok(next)) => Outcome::Done(next),
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                if error.is_race() {
                    tracing::debug!(%error, cause, "will be retried");
                } else {
                    tracing::warn!(%error, cause, "will be retried");
                }
                Outcome::Failed
            }
            Err(_) => {
                tracing::error!("panicked; will be retried");
                Outcome::Failed
            }
        }
    };
    let outcome = outcome.instrument(span).await;
    (key, outcome)
}

fn settle<K: Clone + Eq + Hash>(queue: &Queue<K>, failures: &mut HashMap<K, u32>, key: K, outcome: Outcome) {
    queue.done(&key);
    match outcome {
        Outcome::Done(next) => {
            failures.remove(&key);
            if let Next::RequeueAfter(delay) = next {
                queue.add_after(key, delay);
            }
        }
        Outcome::Failed => {
            let count = failures.entry(key.clone()).or_default();
            let delay = backoff(*count);
            *count = count.saturating_add(1);
            queue.add_after(key, delay);
        }
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF_START.saturating_mul(2_u32.saturating_pow(failures.min(20))).min(BACKOFF_LIMIT)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use parking_lot::Mutex;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::runtime::Key;

    /// Fails twice, panics once, then succeeds; notes when it was called.
    struct Stubborn {
        calls: Mutex<Vec<Instant>>,
        running: AtomicUsize,
        most: AtomicUsize,
    }

    impl Reconcile for Arc<Stubborn> {
        type Key = u8;

        fn name(&self) -> &'static str {
            "stubborn"
        }

        async fn reconcile(&self, key: &u8) -> Result<Next, Error> {
            let call = {
                let mut calls = self.calls.lock();
                calls.push(Instant::now());
                calls.len()
            };
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            sleep(Duration::from_millis(10)).await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            match call {
                _ if *key > 0 => Ok(Next::AwaitChange),
                1 | 2 => {
                    let source = kube::Error::LinesCodecMaxLineLengthExceeded;
                    Err(Error::Request { verb: "get", kind: "Pod".into(), key: Key::new("a", "b"), source })
                }
                3 => panic!("as the test wants"),
                _ => Ok(Next::AwaitChange),
            }
        }
    }

    fn stubborn() -> Arc<Stubborn> {
        Arc::new(Stubborn { calls: Mutex::default(), running: AtomicUsize::new(0), most: AtomicUsize::new(0) })
    }

    #[tokio::test(start_paused = true)]
    async fn failures_and_panics_are_retried_with_backoff() {
        let (controller, queue, token) = (stubborn(), Arc::new(Queue::default()), CancellationToken::new());
        queue.add(0);
        let task = tokio::spawn(run(Arc::new(controller.clone()), queue, 4, token.clone()));
        sleep(Duration::from_secs(10)).await;
        token.cancel();
        task.await.unwrap();
        let calls = controller.calls.lock();
        let gaps: Vec<u128> = calls.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        // The third call panics before it sleeps no less: 10 ms of work and 5, 10, 20 of backoff.
        assert_eq!(gaps, [15, 20, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_at_once() {
        let (controller, queue, token) = (stubborn(), Arc::new(Queue::default()), CancellationToken::new());
        for key in 1..=20 {
            queue.add(key);
        }
        let task = tokio::spawn(run(Arc::new(controller.clone()), queue, 3, token.clone()));
        sleep(Duration::from_secs(1)).await;
        token.cancel();
        task.await.unwrap();
        assert_eq!(controller.calls.lock().len(), 20);
        assert_eq!(controller.most.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn backoff_doubles_up_to_a_limit() {
        let delays: Vec<_> = [0, 1, 2, 13, 14, 100].map(|count| backoff(count).as_millis()).into();
        assert_eq!(delays, [5, 10, 20, 40_960, 60_000, 60_000]);
    }
}
