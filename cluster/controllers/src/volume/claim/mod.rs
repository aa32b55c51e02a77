//! Gives each claim a volume.

mod act;
mod decide;

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use kube::ResourceExt;

use super::facts;
use crate::{
    Error,
    runtime::{Change, Context, Key, Machine, Next, Queue, Reconcile, Store},
};

/// Two claims that look for a volume at the same time would often choose the same one, and one of
/// them would have to try again.
const WORKERS: usize = 1;

struct Controller {
    context: Context,
    claims: Arc<Store<PersistentVolumeClaim>>,
    volumes: Arc<Store<PersistentVolume>>,
    classes: Arc<Store<StorageClass>>,
    nodes: Arc<Store<Node>>,
}

/// Adds the controller to the machine.
pub(super) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let informers = &machine.informers;
    let claims = informers.store::<PersistentVolumeClaim>();
    let volumes = informers.store::<PersistentVolume>();
    let (classes, nodes) = (informers.store::<StorageClass>(), informers.store::<Node>());
    let wake = queue.clone();
    claims.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let (wake, all) = (queue.clone(), claims.clone());
    volumes.on_change(move |change| volume_changed(change, &all, &wake));
    let (wake, all) = (queue.clone(), claims.clone());
    classes.on_change(move |change| {
        let class = change.latest().name_any();
        wake_unbound(&all, &wake, |claim| facts::claim_class(claim) == class);
    });
    let context = machine.context.named("persistentvolume-controller");
    machine.control(Controller { context, claims, volumes, classes, nodes }, &queue, WORKERS);
}

/// Wakes the claims that a volume is or was for, those that name it, and those that it may suit.
fn volume_changed(change: &Change<PersistentVolume>, claims: &Store<PersistentVolumeClaim>, queue: &Queue<Key>) {
    for key in change.sides().filter_map(|volume| facts::claim_key(volume)) {
        queue.add(key);
    }
    let (name, class) = (change.latest().name_any(), facts::volume_class(change.latest()).to_owned());
    wake_unbound(claims, queue, |claim| match facts::volume_name(claim) {
        Some(wanted) => wanted == name,
        None => facts::claim_class(claim) == class,
    });
}

fn wake_unbound(
    claims: &Store<PersistentVolumeClaim>,
    queue: &Queue<Key>,
    concerns: impl Fn(&PersistentVolumeClaim) -> bool,
) {
    for claim in claims.all() {
        if !facts::is_bound(&claim) && concerns(&claim) {
            queue.add(Key::of(&*claim));
        }
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "claim-binder"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(claim) = self.claims.get(key) else { return Ok(Next::AwaitChange) };
        let node = claim.annotations().get(facts::SELECTED_NODE);
        let observed = decide::Observed {
            named: facts::volume_name(&claim).and_then(|name| self.volumes.get(&Key::cluster(name))),
            volumes: if facts::is_bound(&claim) { Vec::new() } else { self.volumes.all() },
            class: self.classes.get(&Key::cluster(facts::claim_class(&claim))),
            node: node.and_then(|name| self.nodes.get(&Key::cluster(name))),
            claim,
        };
        let step = decide::decide(&observed);
        self.act(&observed.claim, step).await?;
        Ok(Next::AwaitChange)
    }
}
