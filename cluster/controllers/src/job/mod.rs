//! Runs pods until enough of them have ended well.

mod act;
mod decide;
#[cfg(test)]
mod decide_tests;
mod facts;
mod indexes;
mod tally;

use std::{collections::HashSet, sync::Arc};

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::ResourceExt;
use parking_lot::Mutex;

use crate::{
    Error,
    objects::{claim, owner},
    owned_pods::{self, OwnedPods},
    runtime::{Context, Expectations, Key, Machine, Next, Queue, Reconcile, Store, all},
};

const WORKERS: usize = 5;

struct Controller {
    context: Context,
    jobs: Arc<Store<Job>>,
    pods: Arc<Store<Pod>>,
    expectations: Arc<Expectations>,
    /// Uids of pods that have lost their finalizer, though the cache may not show it yet.
    released: Arc<Mutex<HashSet<String>>>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let expectations = Arc::new(Expectations::default());
    let released: Arc<Mutex<HashSet<String>>> = Arc::default();
    let (jobs, pods) = (machine.informers.store::<Job>(), machine.informers.store::<Pod>());
    let (wake, expected) = (queue.clone(), expectations.clone());
    jobs.on_change(move |change| {
        let key = Key::of(&**change.latest());
        if change.new.is_none() {
            expected.forget(&key);
        }
        wake.add(key);
    });
    let (wake, expected, all, gone) = (queue.clone(), expectations.clone(), jobs.clone(), released.clone());
    pods.on_change(move |change| {
        let latest = change.latest();
        if change.new.is_none() || !facts::is_tracked(latest) {
            gone.lock().remove(latest.metadata.uid.as_deref().unwrap_or_default());
        }
        owned_pods::changed(change, &all, |job| job.spec.as_ref()?.selector.as_ref(), &wake, &expected);
    });
    let context = machine.context.named("job-controller");
    machine.control(Controller { context, jobs, pods, expectations, released }, &queue, WORKERS);
}

impl Controller {
    fn owned(&self) -> OwnedPods<'_> {
        OwnedPods { context: &self.context, pods: &self.pods, expectations: &self.expectations }
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "job"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let job = self.jobs.get(key).filter(|job| !owner::is_deleting(&job.metadata));
        self.release_orphans(key, job.as_deref()).await?;
        let Some(job) = job.filter(|job| decide::is_ours(job)) else { return Ok(Next::AwaitChange) };
        let Some(selector) = job.spec.as_ref().and_then(|spec| spec.selector.as_ref()) else {
            return Ok(Next::AwaitChange);
        };
        let selects = claim::matcher(selector);
        // Before the pods are looked at: one that shows up in between is among them, or counts as not seen yet.
        let may_manage = self.expectations.met(key);
        let (owned, orphans) =
            (self.pods.controlled_by(&job.uid().unwrap_or_default()), self.pods.orphans(&key.namespace));
        let claim = claim::sort(owned, orphans, |pod: &Pod| selects(pod.labels()), false);
        let pods = claim::settle(&self.context, &*job, claim).await?;
        let plan = {
            let released = self.released.lock();
            let tracked = |pod: &Pod| {
                facts::is_tracked(pod) && !released.contains(pod.metadata.uid.as_deref().unwrap_or_default())
            };
            decide::decide(&decide::Observed {
                job: &job,
                pods: &pods,
                tracked: &tracked,
                may_manage,
                now: self.context.now(),
            })
        };
        self.act(&job, plan).await
    }
}

impl Controller {
    /// Nobody counts the pods of a job that is gone or going, so nothing may hold them back.
    async fn release_orphans(&self, key: &Key, job: Option<&Job>) -> Result<(), Error> {
        let uid = job.and_then(|job| job.metadata.uid.as_deref());
        let orphans = self.pods.in_namespace(&key.namespace).into_iter().filter(|pod| {
            facts::is_tracked(pod)
                && owner::controller_name::<Job>(&pod.metadata) == Some(&*key.name)
                && owner::controller_of(&pod.metadata).map(|owner| owner.uid.as_str()) != uid
        });
        let orphans: Vec<_> = orphans.collect();
        all(orphans.iter().map(|pod| self.release(pod))).await
    }
}
