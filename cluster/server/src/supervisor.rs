//! Keeps the cluster's components running, and stops them in reverse order.
//!
//! A component is a function from a token to a future that ends when the token is cancelled. One
//! that ends earlier, by an error or a panic, is started again, later each time it fails at once.

use std::{
    any::Any,
    fmt::Display,
    panic::AssertUnwindSafe,
    thread,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A component that ran this long has recovered from whatever ended it before.
const RECOVERED: Duration = Duration::from_mins(1);
/// How long a component may take to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// The components that run, in the order they were started.
#[derive(Default)]
pub(crate) struct Supervisor {
    running: Vec<Running>,
}

struct Running {
    name: &'static str,
    token: CancellationToken,
    task: JoinHandle<()>,
}

/// A thread with a runtime of its own: calls between tasks on it never wake another core.
pub(crate) struct Lane {
    handle: Handle,
    token: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

// === impl Supervisor ===

impl Supervisor {
    /// Starts a component on the runtime of `on`.
    pub(crate) fn start<F, E>(
        &mut self,
        name: &'static str,
        on: &Handle,
        component: impl Fn(CancellationToken) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let token = CancellationToken::new();
        let task = keep(component, token.clone()).instrument(tracing::info_span!("component", name));
        self.running.push(Running { name, token, task: on.spawn(task) });
    }

    /// Stops everything, the last started first.
    pub(crate) async fn stop(self) {
        for Running { name, token, task } in self.running.into_iter().rev() {
            token.cancel();
            let abort = task.abort_handle();
            if tokio::time::timeout(PATIENCE, task).await.is_err() {
                tracing::warn!(name, "the component does not stop, going on without it");
                abort.abort();
            }
        }
    }
}

async fn keep<F, E>(component: impl Fn(CancellationToken) -> F, token: CancellationToken)
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut pause = FIRST_PAUSE;
    while !token.is_cancelled() {
        let begun = Instant::now();
        let ended = AssertUnwindSafe(async { component(token.clone()).await }).catch_unwind().await;
        if token.is_cancelled() {
            return;
        }
        let reason = match ended {
            Ok(Ok(())) => "it just ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("panic: {}", message(&*panic)),
        };
        if begun.elapsed() > RECOVERED {
            pause = FIRST_PAUSE;
        }
        tracing::error!(reason, "the component ended, starting it again in {pause:?}");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = token.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of no text")
}

// === impl Lane ===

impl Lane {
    /// Starts the thread.
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let failed = || Error::system("start a thread");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed())?;
        let (handle, token) = (runtime.handle().clone(), CancellationToken::new());
        let until = token.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(until.cancelled());
            runtime.shutdown_background();
        });
        Ok(Self { handle, token, thread: Some(thread.map_err(failed())?) })
    }

    /// Where to start components.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.token.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_component_that_ends_is_started_again() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        let mut supervisor = Supervisor::default();
        supervisor.start("shaky", &Handle::current(), move |token| {
            let turn = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                match turn {
                    0 => panic!("first"),
                    1 => Err("second"),
                    _ => {
                        token.cancelled().await;
                        Ok(())
                    }
                }
            }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        supervisor.stop().await;
    }

    #[tokio::test]
    async fn the_last_started_stops_first() {
        let stopped = Arc::new(Mutex::new(Vec::new()));
        let lane = Lane::new("test").unwrap();
        let mut supervisor = Supervisor::default();
        for name in ["a", "b", "c"] {
            let stopped = stopped.clone();
            supervisor.start(name, lane.handle(), move |token| {
                let stopped = stopped.clone();
                async move {
                    token.cancelled().await;
                    stopped.lock().unwrap().push(name);
                    Ok::<_, &str>(())
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        supervisor.stop().await;
        assert_eq!(*stopped.lock().unwrap(), ["c", "b", "a"]);
    }
}
