//! Carries out the plan for one set and writes its status.

use k8s_openapi::api::{
    apps::v1::{ReplicaSet, ReplicaSetStatus},
    core::v1::Pod,
};
use kube::ResourceExt;

use super::{
    Controller,
    decide::{Observed, Plan, set_failure},
};
use crate::{
    Error,
    objects::{owner, template},
    runtime::{Key, Next, all},
};

impl Controller {
    /// Carries out, writes the status, and only then reports a failure, so that the status tells
    /// it too.
    pub(super) async fn act(&self, observed: &Observed, plan: Plan) -> Result<Next, Error> {
        let set = &observed.set;
        let created = self.create(set, plan.create).await;
        let deleted = all(plan.delete.iter().map(|pod| self.delete_one(set, pod))).await;
        let mut status = plan.status;
        let failure = match (&created, &deleted) {
            (Err(error), _) => Some(("FailedCreate", error.outward())),
            (_, Err(error)) => Some(("FailedDelete", error.outward())),
            _ => None,
        };
        if failure.is_some() || observed.may_manage {
            set_failure(&mut status, failure, observed.now);
        }
        self.write_status(set, status).await?;
        created.and(deleted)?;
        Ok(plan.look_again.map_or(Next::AwaitChange, Next::RequeueAfter))
    }

    /// Makes pods in batches that double while all goes well: a template that cannot work (a quota,
    /// a missing service account) then costs one refused request, not five hundred.
    async fn create(&self, set: &ReplicaSet, count: usize) -> Result<(), Error> {
        let (mut left, mut batch) = (count, 1);
        while left > 0 {
            let now = batch.min(left);
            all((0..now).map(|_| self.create_one(set))).await?;
            left -= now;
            batch *= 2;
        }
        Ok(())
    }

    async fn create_one(&self, set: &ReplicaSet) -> Result<(), Error> {
        let Some(template) = &set.spec.template else { return Ok(()) };
        let key = Key::of(set);
        let prefix = format!("{}-", set.name_any());
        let pod = template::pod(template, &key.namespace, owner::controller_ref(set));
        self.owned().create(set, prefix, pod).await
    }

    async fn delete_one(&self, set: &ReplicaSet, pod: &Pod) -> Result<(), Error> {
        self.owned().delete(set, pod, std::future::ready(Ok(()))).await
    }

    async fn write_status(&self, set: &ReplicaSet, status: ReplicaSetStatus) -> Result<(), Error> {
        if set.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let updated = ReplicaSet { status: Some(status), ..set.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }
}
