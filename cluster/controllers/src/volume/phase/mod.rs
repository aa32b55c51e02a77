//! Tells of each volume whether it is available, bound or released.

mod act;
mod decide;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};

use super::facts;
use crate::{
    Error,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 4;

struct Controller {
    context: Context,
    volumes: Arc<Store<PersistentVolume>>,
    claims: Arc<Store<PersistentVolumeClaim>>,
}

/// Adds the controller to the machine.
pub(super) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let volumes = machine.informers.store::<PersistentVolume>();
    let claims = machine.informers.store::<PersistentVolumeClaim>();
    let wake = queue.clone();
    volumes.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let wake = queue.clone();
    claims.on_change(move |change| {
        for name in change.sides().filter_map(|claim| facts::volume_name(claim)) {
            wake.add(Key::cluster(name));
        }
    });
    let context = machine.context.named("persistentvolume-controller");
    machine.control(Controller { context, volumes, claims }, &queue, WORKERS);
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "volume-phase"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(volume) = self.volumes.get(key) else { return Ok(Next::AwaitChange) };
        let claim = match facts::claim_key(&volume) {
            Some(claim) => self.claim(&claim, facts::claim_uid(&volume)).await?,
            None => None,
        };
        let step = decide::decide(&volume, claim.as_deref());
        self.act(&volume, step).await?;
        Ok(Next::AwaitChange)
    }
}

impl Controller {
    /// The claim of this name and uid. That it is gone is believed only of the API itself, for a
    /// released volume may be wiped.
    async fn claim(&self, key: &Key, uid: Option<&str>) -> Result<Option<Arc<PersistentVolumeClaim>>, Error> {
        let same = |claim: &PersistentVolumeClaim| uid.is_none() || claim.metadata.uid.as_deref() == uid;
        if let Some(claim) = self.claims.get(key).filter(|claim| same(claim)) {
            return Ok(Some(claim));
        }
        let fresh = self.context.get::<PersistentVolumeClaim>(key).await?;
        Ok(fresh.filter(same).map(Arc::new))
    }
}
