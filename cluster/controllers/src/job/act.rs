//! Carries out the plan for one job: the status first, because it holds the notes by which pods are counted once.

use std::sync::Arc;

use k8s_openapi::api::{
    batch::v1::{Job, JobStatus},
    core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod},
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::json;

use super::{
    Controller,
    decide::{Birth, Plan},
    facts::{FINALIZER, INDEX, INDEX_FAILURES, is_tracked},
};
use crate::{
    Error,
    objects::{owner, template},
    runtime::{Key, Next, all},
};

impl Controller {
    pub(super) async fn act(&self, job: &Job, plan: Plan) -> Result<Next, Error> {
        if plan.remove {
            self.context.delete_with(job, DeleteParams::background()).await?;
            return Ok(Next::AwaitChange);
        }
        self.write_status(job, plan.status).await?;
        let events = self.context.events();
        for note in &plan.notes {
            if note.warning {
                events.warning(job, &note.reason, &note.message);
            } else {
                events.normal(job, &note.reason, &note.message);
            }
        }
        all(plan.release.iter().map(|pod| self.release(pod))).await?;
        let deleted = all(plan.delete.iter().map(|pod| self.delete_one(job, pod))).await;
        let created = self.create(job, &plan.create).await;
        created.and(deleted)?;
        Ok(plan.look_again.map_or(Next::AwaitChange, Next::RequeueAfter))
    }

    async fn write_status(&self, job: &Job, status: JobStatus) -> Result<(), Error> {
        if job.status.clone().unwrap_or_default() == status {
            return Ok(());
        }
        let updated = Job { status: Some(status), ..job.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }

    /// Lets go of a pod whose end is noted.
    pub(super) async fn release(&self, pod: &Arc<Pod>) -> Result<(), Error> {
        if !is_tracked(pod) {
            return Ok(());
        }
        let patch = json!({
            "metadata": {"uid": pod.uid(), "$deleteFromPrimitiveList/finalizers": [FINALIZER]},
        });
        match self.context.patch_strategic::<Pod>(&Key::of(&**pod), &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => {
                self.released.lock().insert(pod.uid().unwrap_or_default());
                Ok(())
            }
        }
    }

    async fn delete_one(&self, job: &Job, pod: &Arc<Pod>) -> Result<(), Error> {
        // A pod that the job itself does away with is no failure.
        self.owned().delete(job, pod, self.release(pod)).await
    }

    /// Makes pods in batches that double while all goes well.
    async fn create(&self, job: &Job, births: &[Birth]) -> Result<(), Error> {
        let (mut left, mut batch) = (births, 1);
        while !left.is_empty() {
            let (now, later) = left.split_at(batch.min(left.len()));
            all(now.iter().map(|birth| self.create_one(job, *birth))).await?;
            (left, batch) = (later, batch * 2);
        }
        Ok(())
    }

    async fn create_one(&self, job: &Job, birth: Birth) -> Result<(), Error> {
        let Some(spec) = &job.spec else { return Ok(()) };
        let key = Key::of(job);
        let prefix = match birth.index {
            Some((index, _)) => format!("{}-{index}-", job.name_any()),
            None => format!("{}-", job.name_any()),
        };
        let mut pod = template::pod(&spec.template, &key.namespace, owner::controller_ref(job));
        pod.metadata.finalizers.get_or_insert_default().push(FINALIZER.to_owned());
        if let Some((index, failures)) = birth.index {
            mark(job, &mut pod, index, spec.backoff_limit_per_index.map(|_| failures));
        }
        self.owned().create(job, prefix, pod).await
    }
}

/// Tells a pod its index: by annotation, label, host name and environment.
fn mark(job: &Job, pod: &mut Pod, index: i32, failures: Option<i32>) {
    pod.annotations_mut().insert(INDEX.to_owned(), index.to_string());
    pod.labels_mut().insert(INDEX.to_owned(), index.to_string());
    if let Some(failures) = failures {
        pod.annotations_mut().insert(INDEX_FAILURES.to_owned(), failures.to_string());
    }
    let Some(spec) = &mut pod.spec else { return };
    spec.hostname = Some(format!("{}-{index}", job.name_any()));
    let init = spec.init_containers.iter_mut().flatten();
    for container in init.chain(&mut spec.containers) {
        tell(container);
    }
}

fn tell(container: &mut Container) {
    const NAME: &str = "JOB_COMPLETION_INDEX";
    let env = container.env.get_or_insert_default();
    if env.iter().any(|variable| variable.name == NAME) {
        return;
    }
    let field = ObjectFieldSelector {
        field_path: format!("metadata.annotations['{INDEX}']"),
        ..ObjectFieldSelector::default()
    };
    env.push(EnvVar {
        name: NAME.to_owned(),
        value: None,
        value_from: Some(EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() }),
    });
}
