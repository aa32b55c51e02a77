//! Puts stores, queues and controllers together and runs them.

use std::{future::Future, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Context, Informers, Queue, Reconcile, Served, runner};
use crate::Error;

/// Everything that is to run, before and while it does.
pub struct Machine {
    /// What each controller gets a clone of.
    pub context: Context,
    /// The stores.
    pub informers: Informers,
    /// The kinds that the API serves.
    pub served: Served,
    token: CancellationToken,
    tasks: Vec<BoxFuture<'static, ()>>,
}

impl Machine {
    /// An empty machine, to be stopped by `token`.
    pub fn new(context: Context, served: Served, token: CancellationToken) -> Self {
        Self { context, informers: Informers::default(), served, token, tasks: Vec::new() }
    }

    /// What stops it.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Adds a controller that works on up to `workers` keys of `queue` at once.
    pub fn control<R: Reconcile>(&mut self, controller: R, queue: &Arc<Queue<R::Key>>, workers: usize) {
        let (queue, token) = (queue.clone(), self.token.clone());
        self.add(runner::run(Arc::new(controller), queue, workers, token));
    }

    /// Adds a task that stops by the token itself.
    pub fn add(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(task.boxed());
    }

    /// Adds a task that runs beside the controllers; it begins when the stores are filled, may end
    /// early, and is dropped when the machine stops.
    pub fn attend(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let token = self.token.clone();
        self.tasks.push(
            async move {
                token.run_until_cancelled(task).await;
            }
            .boxed(),
        );
    }

    /// Fills the stores, then runs everything until the token is cancelled and work in hand is done.
    pub async fn run(mut self) -> Result<(), Error> {
        // Cancelled by the token, and at the end of any part: without one the others are no use.
        let (feeding, mut feeds, mut tasks) = (self.token.child_token(), JoinSet::new(), JoinSet::new());
        let _stop = feeding.clone().drop_guard();
        for feed in self.informers.feeds(self.context.client(), &feeding) {
            feeds.spawn(feed);
        }
        if self.token.run_until_cancelled(self.informers.synced()).await.is_none() {
            return Ok(());
        }
        for task in self.tasks.drain(..) {
            tasks.spawn(task);
        }
        let ended = tokio::select! {
            ended = feeds.join_next() => ended,
            ended = until_early(&mut tasks, &self.token) => ended,
        };
        if self.token.is_cancelled() {
            while tasks.join_next().await.is_some() {}
            return Ok(());
        }
        let panic = ended.and_then(Result::err).map(|panic| panic.to_string());
        Err(Error::Ended(panic.unwrap_or_else(|| "without a reason".to_owned())))
    }
}

/// Waits for a task that ends by a panic, or for all to end by the token.
async fn until_early(tasks: &mut JoinSet<()>, token: &CancellationToken) -> Option<Result<(), JoinError>> {
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() && !token.is_cancelled() {
            return Some(ended);
        }
    }
    None
}
