//! Carries out the plan for one set and writes its status.

use std::sync::Arc;

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
        let name = template::random_name(&prefix, &mut rand::rng());
        let mut pod = template::pod(&spec.template, &key.namespace, name.clone(), owner::controller_ref(set));
        pod.metadata.generate_name = Some(prefix);
        pod.labels_mut().insert(HASH.to_owned(), hash.to_owned());
        if let Some(spec) = &mut pod.spec {
            fit::harden(spec);
            fit::pin(spec, node);
        }
        self.expectations.expect_birth(&key, &name);
        let events = self.context.events();
        match self.context.create(&pod).await {
            Ok(_) => {
                events.normal(set, "SuccessfulCreate", format!("Created pod: {name}"));
                Ok(())
            }
            Err(error) => {
                self.expectations.born(&key, &name);
                if error.is_namespace_terminating() {
                    return Ok(());
                }
                events.warning(set, "FailedCreate", format!("Error creating: {}", error.outward()));
                Err(error)
            }
        }
    }

    async fn delete_one(&self, set: &DaemonSet, pod: &Arc<Pod>) -> Result<(), Error> {
        let (key, uid, name) = (Key::of(set), pod.uid().unwrap_or_default(), pod.name_any());
        self.expectations.expect_death(&key, &uid);
        let current = self.pods.get(&Key::of(&**pod)).filter(|current| current.metadata.uid == pod.metadata.uid);
        if current.is_none_or(|current| owner::is_deleting(&current.metadata)) {
            self.expectations.dead(&key, &uid);
            return Ok(());
        }
        let events = self.context.events();
        match self.context.delete::<Pod>(pod).await {
            Ok(()) => {
                events.normal(set, "SuccessfulDelete", format!("Deleted pod: {name}"));
                Ok(())
            }
            Err(error) => {
                self.expectations.dead(&key, &uid);
                events.warning(set, "FailedDelete", format!("Error deleting: {}", error.outward()));
                Err(error)
            }
        }
    }

    async fn write_status(&self, set: &DaemonSet, status: DaemonSetStatus) -> Result<(), Error> {
        if set.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let updated = DaemonSet { status: Some(status), ..set.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }
}
