//! Rolls a pod template out over replica sets.

mod act;
mod decide;
mod revision;
mod sizes;
mod status;

use std::{collections::HashSet, sync::Arc};

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use kube::ResourceExt;

use crate::{
    Error,
    objects::{claim, owner, pod},
    runtime::{Change, Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 5;

struct Controller {
    context: Context,
    deployments: Arc<Store<Deployment>>,
    sets: Arc<Store<ReplicaSet>>,
    pods: Arc<Store<Pod>>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let deployments = machine.informers.store::<Deployment>();
    let (sets, pods) = (machine.informers.store::<ReplicaSet>(), machine.informers.store::<Pod>());
    let wake = queue.clone();
    deployments.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let (wake, all) = (queue.clone(), deployments.clone());
    sets.on_change(move |change| set_changed(change, &all, &wake));
    let (wake, all) = (queue.clone(), sets.clone());
    pods.on_change(move |change| pod_gone(change, &all, &wake));
    let context = machine.context.named("deployment-controller");
    machine.control(Controller { context, deployments, sets, pods }, &queue, WORKERS);
}

/// Wakes the deployment that owns the set, that owned it, or that might adopt it.
fn set_changed(change: &Change<ReplicaSet>, deployments: &Store<Deployment>, queue: &Queue<Key>) {
    for set in change.sides() {
        if let Some(name) = owner::controller_name::<Deployment>(&set.metadata) {
            queue.add(Key::new(set.metadata.namespace.as_deref().unwrap_or(""), name));
        }
    }
    if let Some(orphan) = change.new.as_ref().filter(|set| owner::controller_of(&set.metadata).is_none()) {
        for deployment in deployments.in_namespace(orphan.metadata.namespace.as_deref().unwrap_or("")) {
            if claim::matcher(&deployment.spec.selector)(orphan.labels()) {
                queue.add(Key::of(&*deployment));
            }
        }
    }
}

/// The strategy Recreate waits for the last old pod, which no change of a set tells.
fn pod_gone(change: &Change<Pod>, sets: &Store<ReplicaSet>, queue: &Queue<Key>) {
    let (Some(pod), None) = (&change.old, &change.new) else { return };
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("");
    let Some(set) = owner::controller_name::<ReplicaSet>(&pod.metadata) else { return };
    let Some(set) = sets.get(&Key::new(namespace, set)) else { return };
    if let Some(name) = owner::controller_name::<Deployment>(&set.metadata) {
        queue.add(Key::new(namespace, name));
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "deployment"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(deployment) = self.deployments.get(key) else { return Ok(Next::AwaitChange) };
        let selects = claim::matcher(&deployment.spec.selector);
        let uid = deployment.uid().unwrap_or_default();
        let (owned, orphans) = (self.sets.controlled_by(&uid), self.sets.orphans(&key.namespace));
        let deleting = owner::is_deleting(&deployment.metadata);
        let claim = claim::sort(owned, orphans, |set: &ReplicaSet| selects(set.labels()), deleting);
        let sets = claim::settle(&self.context, &*deployment, claim).await?;
        let busy = self.busy(&sets);
        let observed = decide::Observed { sets, busy, now: self.context.now(), deployment };
        let plan = decide::decide(&observed);
        self.act(&observed, plan).await
    }
}

impl Controller {
    /// The uids of the sets that have a pod which is not finished.
    fn busy(&self, sets: &[Arc<ReplicaSet>]) -> HashSet<String> {
        let uids = sets.iter().filter_map(|set| set.uid());
        uids.filter(|uid| self.pods.controlled_by(uid).iter().any(|pod| !pod::is_finished(pod))).collect()
    }
}
