//! Makes jobs at the times of a schedule.

mod act;
mod decide;

use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::ResourceExt;

use crate::{
    Error,
    objects::owner,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 2;

struct Controller {
    context: Context,
    schedules: Arc<Store<CronJob>>,
    jobs: Arc<Store<Job>>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let (schedules, jobs) = (machine.informers.store::<CronJob>(), machine.informers.store::<Job>());
    let wake = queue.clone();
    schedules.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let wake = queue.clone();
    jobs.on_change(move |change| {
        for job in change.sides() {
            if let Some(name) = owner::controller_name::<CronJob>(&job.metadata) {
                wake.add(Key::new(job.metadata.namespace.as_deref().unwrap_or(""), name));
            }
        }
    });
    let context = machine.context.named("cronjob-controller");
    machine.control(Controller { context, schedules, jobs }, &queue, WORKERS);
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "cronjob"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(schedule) = self.schedules.get(key).filter(|schedule| !owner::is_deleting(&schedule.metadata)) else {
            return Ok(Next::AwaitChange);
        };
        let jobs = self.jobs.controlled_by(&schedule.uid().unwrap_or_default());
        let plan = decide::decide(&schedule, &jobs, self.context.now());
        self.act(&schedule, plan).await
    }
}
