//! Keeps the older Endpoints objects, one per service, for clients that read no slices.

mod act;
mod decide;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use kube::ResourceExt;

use crate::{
    Error,
    objects::endpoint,
    runtime::{Change, Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 5;
const MANAGED_BY_LABEL: &str = "endpoints.kubernetes.io/managed-by";
const MANAGED_BY: &str = "endpoint-controller";

struct Controller {
    context: Context,
    services: Arc<Store<Service>>,
    pods: Arc<Store<Pod>>,
    endpoints: Arc<Store<Endpoints>>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let informers = &machine.informers;
    let (services, pods) = (informers.store::<Service>(), informers.store::<Pod>());
    let endpoints = informers.store::<Endpoints>();
    let wake = queue.clone();
    services.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let wake = queue.clone();
    endpoints.on_change(move |change| {
        if is_ours(change.latest()) {
            wake.add(Key::of(&**change.latest()));
        }
    });
    let (wake, all) = (queue.clone(), services.clone());
    pods.on_change(move |change| pod_changed(change, &all, &wake));
    let context = machine.context.named("endpoint-controller");
    machine.control(Controller { context, services, pods, endpoints }, &queue, WORKERS);
}

/// Whether an object was made here. Those made by hand, for services without a selector, are not.
fn is_ours(endpoints: &Endpoints) -> bool {
    endpoints.labels().get(MANAGED_BY_LABEL).is_some_and(|manager| manager == MANAGED_BY)
}

fn pod_changed(change: &Change<Pod>, services: &Store<Service>, queue: &Queue<Key>) {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && old.labels() == new.labels()
        && endpoint::same_to_services(old, new)
    {
        return;
    }
    for service in services.in_namespace(change.latest().metadata.namespace.as_deref().unwrap_or("")) {
        let Some(selector) = endpoint::selector(&service) else { continue };
        if change.sides().any(|pod| endpoint::selects(selector, pod)) {
            queue.add(Key::of(&*service));
        }
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "endpoints"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let present = self.endpoints.get(key);
        let Some(service) = self.services.get(key) else {
            if let Some(left) = present.filter(|endpoints| is_ours(endpoints)) {
                self.context.delete(&*left).await?;
            }
            return Ok(Next::AwaitChange);
        };
        let Some(selector) = endpoint::selector(&service) else { return Ok(Next::AwaitChange) };
        let mut pods = self.pods.in_namespace(&key.namespace);
        pods.retain(|pod| endpoint::selects(selector, pod));
        self.act(&service, present.as_deref(), decide::decide(&service, &pods)).await?;
        Ok(Next::AwaitChange)
    }
}
