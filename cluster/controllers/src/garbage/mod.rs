//! Deletes what its owners leave behind.
//!
//! The metadata of every object of every kind is watched and kept as a graph. An object whose
//! owners are all gone is deleted; one that is deleted *in the foreground* waits for its
//! dependents; one that is deleted as *orphan* frees them first. The graph only says what to look
//! at: before anything is deleted, the object and its missing owners are read from the API itself.

mod act;
mod decide;
mod graph;
mod watch;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use graph::Graph;
use parking_lot::Mutex;

use crate::{
    Error,
    runtime::{Context, Machine, Next, Queue, Reconcile, Served},
};

const WORKERS: usize = 20;
const UNTIL_SYNCED: Duration = Duration::from_millis(100);

/// What watching and collecting share.
struct Shared {
    context: Context,
    graph: Mutex<Graph>,
    /// Uids to look at.
    queue: Arc<Queue<String>>,
    /// The kinds now served.
    served: Mutex<Served>,
    /// Whether every kind has been listed.
    synced: AtomicBool,
    /// Owners found absent: a uid never comes back.
    absent: Mutex<HashSet<String>>,
}

struct Collector(Arc<Shared>);

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let shared = Arc::new(Shared {
        context: machine.context.named("garbage-collector-controller"),
        graph: Mutex::default(),
        queue: queue.clone(),
        served: Mutex::new(machine.served.clone()),
        synced: AtomicBool::new(false),
        absent: Mutex::default(),
    });
    machine.attend(watch::watch(shared.clone()));
    machine.control(Collector(shared), &queue, WORKERS);
}

impl Reconcile for Collector {
    type Key = String;

    fn name(&self) -> &'static str {
        "garbage"
    }

    async fn reconcile(&self, uid: &String) -> Result<Next, Error> {
        // An owner whose kind is not listed yet is not an absent owner.
        if !self.0.synced.load(Ordering::Acquire) {
            return Ok(Next::RequeueAfter(UNTIL_SYNCED));
        }
        self.0.collect(uid).await
    }
}
