//! Puts stores, queues and controllers together and runs them.

use std::{future::Future, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Context, Informers, Queue, Reconcile, Served, runner};

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
        self.tasks.push(runner::run(Arc::new(controller), queue, workers, token).boxed());
    }

    /// Adds a task that a controller needs beside its reconciling; it begins when the stores are
    /// filled, and is dropped when the machine stops.
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
    pub async fn run(mut self) {
        let mut feeds = JoinSet::new();
        for feed in self.informers.feeds(self.context.client(), &self.token) {
            feeds.spawn(feed);
        }
        if self.token.run_until_cancelled(self.informers.synced()).await.is_none() {
            return;
        }
        let mut tasks = JoinSet::new();
        for task in self.tasks.drain(..) {
            tasks.spawn(task);
        }
        tasks.join_all().await;
        feeds.join_all().await;
    }
}
