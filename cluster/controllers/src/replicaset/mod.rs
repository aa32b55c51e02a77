//! Keeps as many pods of one template as asked for.

mod act;
mod decide;
mod rank;

use std::{collections::HashMap, sync::Arc};

use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use kube::ResourceExt;

use crate::{
    Error,
    objects::{claim, owner, pod},
    owned_pods::{self, OwnedPods},
    runtime::{Context, Expectations, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 5;

struct Controller {
    context: Context,
    sets: Arc<Store<ReplicaSet>>,
    pods: Arc<Store<Pod>>,
    expectations: Arc<Expectations>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let expectations = Arc::new(Expectations::default());
    let (sets, pods) = (machine.informers.store::<ReplicaSet>(), machine.informers.store::<Pod>());
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
    let context = machine.context.named("replicaset-controller");
    machine.control(Controller { context, sets, pods, expectations }, &queue, WORKERS);
}

impl Controller {
    fn owned(&self) -> OwnedPods<'_> {
        OwnedPods { context: &self.context, pods: &self.pods, expectations: &self.expectations }
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "replicaset"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(set) = self.sets.get(key) else { return Ok(Next::AwaitChange) };
        let selects = claim::matcher(&set.spec.selector);
        let uid = set.uid().unwrap_or_default();
        let deleting = owner::is_deleting(&set.metadata);
        // Before the pods are looked at: one that shows up in between is among them, or counts as not seen yet.
        let may_manage = !deleting && self.expectations.met(key);
        let (owned, orphans) = (self.pods.controlled_by(&uid), self.pods.orphans(&key.namespace));
        let claim = claim::sort(owned, orphans, |pod: &Pod| selects(pod.labels()), deleting);
        let pods = claim::settle(&self.context, &*set, claim).await?;
        let observed =
            decide::Observed { neighbours: self.neighbours(&set), pods, may_manage, now: self.context.now(), set };
        let plan = decide::decide(&observed);
        self.act(&observed, plan).await
    }
}

impl Controller {
    /// How many active pods of the same deployment stand on each node.
    fn neighbours(&self, set: &ReplicaSet) -> HashMap<String, usize> {
        let Some(parent) = owner::controller_of(&set.metadata) else { return HashMap::new() };
        let siblings = self.sets.controlled_by(&parent.uid);
        let mut count = HashMap::new();
        for sibling in siblings {
            for neighbour in self.pods.controlled_by(sibling.metadata.uid.as_deref().unwrap_or("")) {
                if let (true, Some(node)) = (pod::is_active(&neighbour), pod::node(&neighbour)) {
                    *count.entry(node.to_owned()).or_default() += 1;
                }
            }
        }
        count
    }
}
