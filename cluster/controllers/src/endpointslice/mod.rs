//! Lists the pods behind each service that has a selector.

mod act;
mod decide;
mod pack;

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Node, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::ResourceExt;

use crate::{
    Error,
    objects::endpoint,
    runtime::{Change, Context, Expectations, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 5;
const BY_SERVICE: &str = "service";
const SERVICE_LABEL: &str = "kubernetes.io/service-name";
const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGED_BY: &str = "endpointslice-controller.k8s.io";

struct Controller {
    context: Context,
    services: Arc<Store<Service>>,
    pods: Arc<Store<Pod>>,
    nodes: Arc<Store<Node>>,
    slices: Arc<Store<EndpointSlice>>,
    expectations: Arc<Expectations>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let expectations = Arc::new(Expectations::default());
    let informers = &machine.informers;
    let (services, pods) = (informers.store::<Service>(), informers.store::<Pod>());
    let (nodes, slices) = (informers.store::<Node>(), informers.store::<EndpointSlice>());
    slices.index(BY_SERVICE, |slice| service_of(slice).map(|key| key.to_string()).into_iter().collect());
    let (wake, expected) = (queue.clone(), expectations.clone());
    services.on_change(move |change| {
        let key = Key::of(&**change.latest());
        if change.new.is_none() {
            expected.forget(&key);
        }
        wake.add(key);
    });
    let (wake, expected) = (queue.clone(), expectations.clone());
    slices.on_change(move |change| {
        for slice in change.sides() {
            let Some(key) = service_of(slice) else { continue };
            expected.born(&key, &slice.name_any());
            wake.add(key);
        }
    });
    let (wake, all) = (queue.clone(), services.clone());
    pods.on_change(move |change| pod_changed(change, &all, &wake));
    let context = machine.context.named("endpoint-slice-controller");
    machine.control(Controller { context, services, pods, nodes, slices, expectations }, &queue, WORKERS);
}

/// The service of a slice that this controller manages.
fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let labels = slice.labels();
    let ours = labels.get(MANAGED_BY_LABEL).is_some_and(|manager| manager == MANAGED_BY);
    let name = labels.get(SERVICE_LABEL).filter(|_| ours)?;
    Some(Key::new(slice.metadata.namespace.as_deref().unwrap_or(""), name))
}

/// Wakes the services that select the pod or selected it, if anything that they publish changed.
fn pod_changed(change: &Change<Pod>, services: &Store<Service>, queue: &Queue<Key>) {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && old.labels() == new.labels()
        && endpoint::same_to_services(old, new)
    {
        return;
    }
    let namespace = change.latest().metadata.namespace.clone().unwrap_or_default();
    for service in services.in_namespace(&namespace) {
        let Some(selector) = endpoint::selector(&service) else { continue };
        if change.sides().any(|pod| endpoint::selects(selector, pod)) {
            queue.add(Key::of(&*service));
        }
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "endpointslice"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        // A slice goes with its service by its owner reference.
        let Some(service) = self.services.get(key) else { return Ok(Next::AwaitChange) };
        let Some(selector) = endpoint::selector(&service) else { return Ok(Next::AwaitChange) };
        if !self.expectations.met(key) {
            return Ok(Next::AwaitChange);
        }
        let mut pods = self.pods.in_namespace(&key.namespace);
        pods.retain(|pod| endpoint::selects(selector, pod));
        let zone = |node: &str| {
            let node = self.nodes.get(&Key::cluster(node))?;
            node.labels().get("topology.kubernetes.io/zone").cloned()
        };
        let slices = self.slices.indexed(BY_SERVICE, &key.to_string());
        let plan = decide::decide(&service, &pods, &slices, zone);
        self.act(&service, plan).await?;
        Ok(Next::AwaitChange)
    }
}
