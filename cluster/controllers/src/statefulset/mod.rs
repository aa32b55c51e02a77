//! Keeps pods that have names, an order and volumes of their own.

mod act;
mod claims;
mod decide;
mod identity;
mod revision;
mod status;

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet},
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::ResourceExt;

use crate::{
    Error,
    objects::{claim, owner},
    runtime::{Change, Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 5;

struct Controller {
    context: Context,
    sets: Arc<Store<StatefulSet>>,
    pods: Arc<Store<Pod>>,
    claims: Arc<Store<PersistentVolumeClaim>>,
    revisions: Arc<Store<ControllerRevision>>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let informers = &machine.informers;
    let (sets, pods) = (informers.store::<StatefulSet>(), informers.store::<Pod>());
    let claims = informers.store::<PersistentVolumeClaim>();
    let revisions = informers.store::<ControllerRevision>();
    let wake = queue.clone();
    sets.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let (wake, all) = (queue.clone(), sets.clone());
    pods.on_change(move |change| pod_changed(change, &all, &wake));
    let wake = queue.clone();
    revisions.on_change(move |change| {
        for revision in change.sides() {
            let Some(name) = owner::controller_name::<StatefulSet>(&revision.metadata) else { continue };
            wake.add(Key::new(revision.metadata.namespace.as_deref().unwrap_or(""), name));
        }
    });
    let context = machine.context.named("statefulset-controller");
    machine.control(Controller { context, sets, pods, claims, revisions }, &queue, WORKERS);
}

/// Wakes the set that owns the pod, that owned it, or that might adopt it.
fn pod_changed(change: &Change<Pod>, sets: &Store<StatefulSet>, queue: &Queue<Key>) {
    for pod in change.sides() {
        if let Some(name) = owner::controller_name::<StatefulSet>(&pod.metadata) {
            queue.add(Key::new(pod.metadata.namespace.as_deref().unwrap_or(""), name));
        }
    }
    if let Some(orphan) = change.new.as_ref().filter(|pod| owner::controller_of(&pod.metadata).is_none()) {
        for set in sets.in_namespace(orphan.metadata.namespace.as_deref().unwrap_or("")) {
            if claim::matcher(&set.spec.selector)(orphan.labels()) && identity::is_member(&set, orphan) {
                queue.add(Key::of(&*set));
            }
        }
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "statefulset"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(set) = self.sets.get(key) else { return Ok(Next::AwaitChange) };
        let uid = set.uid().unwrap_or_default();
        let deleting = owner::is_deleting(&set.metadata);
        let selects = claim::matcher(&set.spec.selector);
        let member = |pod: &Pod| selects(pod.labels()) && identity::is_member(&set, pod);
        let claim = claim::sort(self.pods.controlled_by(&uid), self.pods.orphans(&key.namespace), member, deleting);
        let pods = claim::settle(&self.context, &*set, claim).await?;
        let revisions = self.settle_revisions(&set, self.revisions.controlled_by(&uid)).await?;
        let claim_of = |name: &str| self.claims.get(&Key::new(&key.namespace, name));
        let observed = decide::Observed {
            set: &set,
            pods: &pods,
            revisions: &revisions,
            claim_of: &claim_of,
            now: self.context.now(),
        };
        let plan = decide::decide(&observed);
        self.act(&observed, plan).await
    }
}
