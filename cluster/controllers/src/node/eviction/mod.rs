//! Deletes pods that do not tolerate what has become of their node.

mod decide;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};

use super::{BY_NODE, node_of};
use crate::{
    Error,
    objects::pod,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 8;

struct Controller {
    context: Context,
    nodes: Arc<Store<Node>>,
    pods: Arc<Store<Pod>>,
}

/// Adds the controller to the machine.
pub(super) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let (nodes, pods) = (machine.informers.store::<Node>(), machine.informers.store::<Pod>());
    pods.index(BY_NODE, node_of);
    let (wake, all) = (queue.clone(), nodes.clone());
    pods.on_change(move |change| {
        // Mostly the node has no such taint, and then a pod's many changes cost nothing.
        let Some(pod) = &change.new else { return };
        let node = pod::node(pod).and_then(|node| all.get(&Key::cluster(node)));
        if node.is_some_and(|node| decide::hard_taints(&node).next().is_some()) {
            wake.add(Key::of(&**pod));
        }
    });
    let (wake, all) = (queue.clone(), pods.clone());
    nodes.on_change(move |change| {
        let taints = |node: &Option<Arc<Node>>| {
            node.iter().flat_map(|node| decide::hard_taints(node).cloned().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        if taints(&change.old) != taints(&change.new) {
            for pod in all.indexed(BY_NODE, &Key::of(&**change.latest()).name) {
                wake.add(Key::of(&*pod));
            }
        }
    });
    let context = machine.context.named("taint-eviction-controller");
    machine.control(Controller { context, nodes, pods }, &queue, WORKERS);
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "taint-eviction"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(pod) = self.pods.get(key) else { return Ok(Next::AwaitChange) };
        let Some(node) = pod::node(&pod).and_then(|node| self.nodes.get(&Key::cluster(node))) else {
            return Ok(Next::AwaitChange);
        };
        match decide::decide(&pod, &node, self.context.now()) {
            decide::Stay::ForEver => Ok(Next::AwaitChange),
            decide::Stay::For(time) => Ok(Next::RequeueAfter(time)),
            decide::Stay::NotAtAll => {
                let message = format!("Marking for deletion Pod {key}");
                self.context.events().normal(&*pod, "TaintManagerEviction", message);
                self.context.delete(&*pod).await?;
                Ok(Next::AwaitChange)
            }
        }
    }
}
