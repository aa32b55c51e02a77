//! Carries out the plan for one schedule.

use jiff::Timestamp;
use k8s_openapi::{
    api::batch::v1::{CronJob, CronJobStatus, Job},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{ResourceExt, api::DeleteParams};

use super::{
    Controller,
    decide::{Plan, name},
};
use crate::{
    Error,
    objects::owner,
    runtime::{Key, Next, all},
};

/// The time for which a job was made.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

impl Controller {
    pub(super) async fn act(&self, cron: &CronJob, plan: Plan) -> Result<Next, Error> {
        let events = self.context.events();
        for (warning, reason, message) in &plan.notes {
            if *warning {
                events.warning(cron, reason, message.as_str());
            } else {
                events.normal(cron, reason, message.as_str());
            }
        }
        all(plan.replace.iter().chain(&plan.forget).map(|job| self.delete_one(cron, job))).await?;
        if let Some(due) = plan.create {
            self.create(cron, due).await?;
        }
        self.write_status(cron, plan.status).await?;
        Ok(plan.look_again.map_or(Next::AwaitChange, Next::RequeueAfter))
    }

    /// The job's name says its time, so that one made before a crash is not made again.
    async fn create(&self, cron: &CronJob, due: Timestamp) -> Result<(), Error> {
        let spec = &cron.spec;
        let template = spec.job_template.metadata.clone().unwrap_or_default();
        let mut job = Job {
            metadata: ObjectMeta {
                name: Some(name(cron, due)),
                namespace: cron.namespace(),
                labels: template.labels,
                annotations: template.annotations,
                owner_references: Some(vec![owner::controller_ref(cron)]),
                ..ObjectMeta::default()
            },
            spec: spec.job_template.spec.clone(),
            status: None,
        };
        job.annotations_mut().insert(SCHEDULED.to_owned(), due.to_string());
        let events = self.context.events();
        match self.context.create(&job).await {
            Ok(job) => {
                events.normal(cron, "SuccessfulCreate", format!("Created job {}", job.name_any()));
                Ok(())
            }
            Err(error) if error.is_already_exists() || error.is_namespace_terminating() => Ok(()),
            Err(error) => {
                events.warning(cron, "FailedCreate", format!("Error creating job: {}", error.outward()));
                Err(error)
            }
        }
    }

    async fn delete_one(&self, cron: &CronJob, job: &Job) -> Result<(), Error> {
        if owner::is_deleting(&job.metadata) {
            return Ok(());
        }
        self.context.delete_with(job, DeleteParams::background()).await?;
        self.context.events().normal(cron, "SuccessfulDelete", format!("Deleted job {}", job.name_any()));
        Ok(())
    }

    async fn write_status(&self, cron: &CronJob, status: CronJobStatus) -> Result<(), Error> {
        if cron.status.clone().unwrap_or_default() == status {
            return Ok(());
        }
        let current = self.schedules.get(&Key::of(cron));
        if current.is_none() {
            return Ok(());
        }
        let updated = CronJob { status: Some(status), ..cron.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }
}
