//! Carries out the plan for one set and writes its status.

use k8s_openapi::api::{
    apps::v1::{DaemonSet, DaemonSetStatus},
    core::v1::Pod,
};
use kube::ResourceExt;

use super::{
    Controller,
    decide::{HASH, Plan},
    fit,
};
use crate::{
    Error,
    objects::{owner, template},
    runtime::{Key, Next, all},
};

impl Controller {
    pub(super) async fn act(&self, set: &DaemonSet, plan: Plan) -> Result<Next, Error> {
        let deleted = all(plan.delete.iter().map(|pod| self.delete_one(set, pod))).await;
        let created = all(plan.create.iter().map(|node| self.create_one(set, node, &plan.hash))).await;
        self.write_status(set, plan.status).await?;
        created.and(deleted)?;
        Ok(plan.look_again.map_or(Next::AwaitChange, Next::RequeueAfter))
    }

    async fn create_one(&self, set: &DaemonSet, node: &str, hash: &str) -> Result<(), Error> {
        let spec = &set.spec;
        let key = Key::of(set);
        let prefix = format!("{}-", set.name_any());
        let mut pod = template::pod(&spec.template, &key.namespace, owner::controller_ref(set));
        pod.labels_mut().insert(HASH.to_owned(), hash.to_owned());
        if let Some(spec) = &mut pod.spec {
            fit::harden(spec);
            fit::pin(spec, node);
        }
        self.owned().create(set, prefix, pod).await
    }

    async fn delete_one(&self, set: &DaemonSet, pod: &Pod) -> Result<(), Error> {
        self.owned().delete(set, pod, std::future::ready(Ok(()))).await
    }

    async fn write_status(&self, set: &DaemonSet, status: DaemonSetStatus) -> Result<(), Error> {
        if set.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let updated = DaemonSet { status: Some(status), ..set.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }
}
