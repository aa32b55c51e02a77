//! Judges nodes by their heartbeats.

mod act;
mod decide;

use std::{collections::HashMap, sync::Arc, time::Duration};

use decide::Heartbeat;
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Node, Pod},
};
use kube::runtime::watcher;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{BY_NODE, node_of};
use crate::{
    Error,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 4;
const LEASES: &str = "kube-node-lease";

struct Controller {
    context: Context,
    grace: Duration,
    nodes: Arc<Store<Node>>,
    leases: Arc<Store<Lease>>,
    pods: Arc<Store<Pod>>,
    /// The last heartbeat of each node, and when it was seen here: clocks of nodes may be off.
    seen: Mutex<HashMap<Key, (Heartbeat, Instant)>>,
}

/// Adds the controller to the machine.
pub(super) fn start(machine: &mut Machine, grace: Duration) {
    let queue = Arc::new(Queue::default());
    let informers = &machine.informers;
    let (nodes, pods) = (informers.store::<Node>(), informers.store::<Pod>());
    // Other leases are elections, and change every other second.
    let leases =
        informers.store_of::<Lease>(watcher::Config::default().fields(&format!("metadata.namespace={LEASES}")));
    pods.index(BY_NODE, node_of);
    let wake = queue.clone();
    nodes.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let context = machine.context.named("node-controller");
    let seen = Mutex::default();
    machine.control(Controller { context, grace, nodes, leases, pods, seen }, &queue, WORKERS);
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "node-health"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(node) = self.nodes.get(key) else {
            self.seen.lock().remove(key);
            return Ok(Next::AwaitChange);
        };
        let lease = self.leases.get(&Key::new(LEASES, &key.name));
        let silent_for = self.silence(key, decide::heartbeat(&node, lease.as_deref()));
        let lost = silent_for >= self.grace;
        let plan = decide::decide(&node, lost, self.context.now());
        self.act(&node, plan).await?;
        // The end of the grace, unless a heartbeat comes before; leases wake nobody, for they come
        // every ten seconds from every node.
        Ok(Next::RequeueAfter(if lost { self.grace } else { self.grace.saturating_sub(silent_for) }))
    }
}

impl Controller {
    /// For how long the node's heartbeat has been the same.
    fn silence(&self, key: &Key, heartbeat: Heartbeat) -> Duration {
        let mut seen = self.seen.lock();
        let now = Instant::now();
        let known = seen.entry(key.clone()).or_insert_with(|| (heartbeat.clone(), now));
        if known.0 != heartbeat {
            *known = (heartbeat, now);
        }
        now - known.1
    }
}
