//! Holds claims that pods use, and volumes that claims use, by finalizers.

mod decide;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use serde_json::json;

use super::facts;
use crate::{
    Error,
    runtime::{Context, Key, Kind, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 4;
/// The index of pods by the claims that they use.
const BY_CLAIM: &str = "claim";

struct Claims {
    context: Context,
    claims: Arc<Store<PersistentVolumeClaim>>,
    pods: Arc<Store<Pod>>,
}

struct Volumes {
    context: Context,
    volumes: Arc<Store<PersistentVolume>>,
}

/// Adds both controllers to the machine.
pub(super) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let claims = machine.informers.store::<PersistentVolumeClaim>();
    let pods = machine.informers.store::<Pod>();
    pods.index(BY_CLAIM, |pod| decide::claims_of(pod).map(|key| key.to_string()).collect());
    let wake = queue.clone();
    claims.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let (wake, all) = (queue.clone(), claims.clone());
    pods.on_change(move |change| {
        for key in change.sides().flat_map(|pod| decide::claims_of(pod)) {
            // Only a claim on its way out waits for a pod.
            if all.get(&key).is_some_and(|claim| claim.metadata.deletion_timestamp.is_some()) {
                wake.add(key);
            }
        }
    });
    let context = machine.context.clone();
    machine.control(Claims { context: context.clone(), claims, pods }, &queue, WORKERS);

    let queue = Arc::new(Queue::default());
    let volumes = machine.informers.store::<PersistentVolume>();
    let wake = queue.clone();
    volumes.on_change(move |change| wake.add(Key::of(&**change.latest())));
    machine.control(Volumes { context, volumes }, &queue, WORKERS);
}

impl Reconcile for Claims {
    type Key = Key;

    fn name(&self) -> &'static str {
        "claim-protection"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(claim) = self.claims.get(key) else { return Ok(Next::AwaitChange) };
        let pods = self.pods.indexed(BY_CLAIM, &key.to_string());
        let used = pods.iter().any(|pod| decide::holds(pod));
        let finalizers = decide::finalizers(&claim.metadata, decide::CLAIM_FINALIZER, used);
        write(&self.context, &*claim, finalizers).await
    }
}

impl Reconcile for Volumes {
    type Key = Key;

    fn name(&self) -> &'static str {
        "volume-protection"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(volume) = self.volumes.get(key) else { return Ok(Next::AwaitChange) };
        let used = facts::volume_phase(&volume) == "Bound";
        let finalizers = decide::finalizers(&volume.metadata, decide::VOLUME_FINALIZER, used);
        write(&self.context, &*volume, finalizers).await
    }
}

async fn write<K: Kind>(context: &Context, object: &K, finalizers: Option<Vec<String>>) -> Result<Next, Error> {
    let Some(finalizers) = finalizers else { return Ok(Next::AwaitChange) };
    let version = &object.meta().resource_version;
    let patch = json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
    match context.patch::<K>(&Key::of(object), &patch).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(Next::AwaitChange),
    }
}
