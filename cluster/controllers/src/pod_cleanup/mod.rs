//! Removes pods that nobody else removes: those of nodes that are no more, and the oldest of too
//! many that are finished.

mod decide;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{ResourceExt, api::DeleteParams};

use crate::{
    Error,
    objects::pod,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const INTERVAL: Duration = Duration::from_secs(20);

struct Controller {
    context: Context,
    pods: Arc<Store<Pod>>,
    nodes: Arc<Store<Node>>,
    finished: usize,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine, finished: usize) {
    let queue = Arc::new(Queue::default());
    let (pods, nodes) = (machine.informers.store::<Pod>(), machine.informers.store::<Node>());
    let wake = queue.clone();
    nodes.on_change(move |change| {
        if change.new.is_none() {
            wake.add("all");
        }
    });
    queue.add("all");
    let context = machine.context.named("pod-garbage-collector");
    machine.control(Controller { context, pods, nodes, finished }, &queue, 1);
}

impl Reconcile for Controller {
    type Key = &'static str;

    fn name(&self) -> &'static str {
        "pod-cleanup"
    }

    async fn reconcile(&self, _: &Self::Key) -> Result<Next, Error> {
        let pods = self.pods.all();
        for orphan in decide::homeless(&pods, |node| self.nodes.get(&Key::cluster(node)).is_some()) {
            let Some(node) = pod::node(&orphan) else { continue };
            // The cache may only not know the node yet.
            if self.context.get::<Node>(&Key::cluster(node)).await?.is_none() {
                tracing::info!(pod = orphan.name_any(), node, "removed: its node is no more");
                self.context.delete_with(&*orphan, DeleteParams::default().grace_period(0)).await?;
            }
        }
        for surplus in decide::surplus(&pods, self.finished) {
            self.context.delete_with(&*surplus, DeleteParams::default().grace_period(0)).await?;
        }
        Ok(Next::RequeueAfter(INTERVAL))
    }
}
