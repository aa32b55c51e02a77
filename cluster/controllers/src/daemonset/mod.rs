//! Keeps one pod of a template on every node that is fit for it.

mod act;
mod decide;
mod fit;

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::DaemonSet,
    core::v1::{Node, Pod},
};
use kube::ResourceExt;

use crate::{
    Error,
    objects::{claim, owner},
    owned_pods::{self, OwnedPods},
    runtime::{Change, Context, Expectations, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 2;

struct Controller {
    context: Context,
    sets: Arc<Store<DaemonSet>>,
    pods: Arc<Store<Pod>>,
    nodes: Arc<Store<Node>>,
    expectations: Arc<Expectations>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let expectations = Arc::new(Expectations::default());
    let (sets, pods, nodes) =
        (machine.informers.store::<DaemonSet>(), machine.informers.store::<Pod>(), machine.informers.store::<Node>());
    let (wake, expected) = (queue.clone(), expectations.clone());
    sets.on_change(move |change| {
        let key = Key::of(&**change.latest());
        if change.new.is_none() {
            expected.forget(&key);
        }
        wake.add(key);
    });
    let (wake, expected, all) = (queue.clone(), expectations.clone(), sets.clone());
    pods.on_change(move |change| owned_pods::changed(change, &all, |set| Some(&set.spec.selector), &wake, &expected));
    let (wake, all) = (queue.clone(), sets.clone());
    nodes.on_change(move |change| {
        if matters(change) {
            all.all().iter().for_each(|set| wake.add(Key::of(&**set)));
        }
    });
    let context = machine.context.named("daemonset-controller");
    machine.control(Controller { context, sets, pods, nodes, expectations }, &queue, WORKERS);
}

/// Whether a node's change can move pods: its heartbeat cannot.
fn matters(change: &Change<Node>) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => old.metadata.labels != new.metadata.labels || old.spec != new.spec,
        _ => true,
    }
}

impl Controller {
    fn owned(&self) -> OwnedPods<'_> {
        OwnedPods { context: &self.context, pods: &self.pods, expectations: &self.expectations }
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "daemonset"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(set) = self.sets.get(key) else { return Ok(Next::AwaitChange) };
        let selects = claim::matcher(&set.spec.selector);
        let deleting = owner::is_deleting(&set.metadata);
        // Before the pods are looked at: one that shows up in between is among them, or counts as not seen yet.
        let may_manage = !deleting && self.expectations.met(key);
        let (owned, orphans) =
            (self.pods.controlled_by(&set.uid().unwrap_or_default()), self.pods.orphans(&key.namespace));
        let claim = claim::sort(owned, orphans, |pod: &Pod| selects(pod.labels()), deleting);
        let pods = claim::settle(&self.context, &*set, claim).await?;
        let plan = decide::decide(&decide::Observed {
            set: &set,
            pods: &pods,
            nodes: &self.nodes.all(),
            may_manage,
            now: self.context.now(),
        });
        self.act(&set, plan).await
    }
}
