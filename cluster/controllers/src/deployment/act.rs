//! Carries out the plan for one deployment and writes its status.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};
use kube::ResourceExt;
use serde_json::json;

use super::{
    Controller,
    decide::{Action, Observed, Plan, Update},
    revision, sizes, status,
};
use crate::{
    Error,
    objects::owner,
    runtime::{Key, Next},
};

impl Controller {
    /// Carries out the actions, then writes the status; a set that cannot be made is told there too.
    pub(super) async fn act(&self, observed: &Observed, plan: Plan) -> Result<Next, Error> {
        let mut current = observed.deployment.clone();
        let mut status = plan.status;
        let mut failure = None;
        for action in plan.actions {
            match action {
                Action::Create(set) => {
                    if let Err(error) = self.create(&current, &set, &mut status).await {
                        status::note_create_failed(&mut status, &set.name_any(), &error.outward(), observed.now);
                        failure = Some(error);
                        break;
                    }
                }
                Action::Update(update) => self.update(&current, &update).await?,
                Action::Delete(set) => self.context.delete(&*set).await?,
                Action::SetRevision(revision) => current = Arc::new(self.set_revision(&current, &revision).await?),
                Action::WarnSelectingAll => self.context.events().warning(
                    &*current,
                    "SelectingAll",
                    "This deployment is selecting all pods. A non-empty selector is required.",
                ),
            }
        }
        self.write_status(&current, status).await?;
        match failure {
            Some(error) => Err(error),
            None => Ok(plan.look_again.map_or(Next::AwaitChange, Next::RequeueAfter)),
        }
    }

    async fn create(
        &self,
        deployment: &Deployment,
        set: &ReplicaSet,
        status: &mut DeploymentStatus,
    ) -> Result<(), Error> {
        let name = set.name_any();
        match self.context.create(set).await {
            Ok(made) => {
                let size = sizes::spec_size(&made);
                if size > 0 {
                    let message = format!("Scaled up replica set {name} from 0 to {size}");
                    self.context.events().normal(deployment, "ScalingReplicaSet", message);
                }
                Ok(())
            }
            Err(error) if error.is_already_exists() => self.resolve_collision(deployment, set, status, error).await,
            Err(error) if error.is_namespace_terminating() => Ok(()),
            Err(error) => {
                let message = format!("Failed to create new replica set \"{name}\": {}", error.outward());
                self.context.events().warning(deployment, "ReplicaSetCreateError", message);
                Err(error)
            }
        }
    }

    /// The name is taken: by our own set, which the cache does not show yet, or by another with the
    /// same hash, in which case the next attempt hashes differently.
    async fn resolve_collision(
        &self,
        deployment: &Deployment,
        wanted: &ReplicaSet,
        status: &mut DeploymentStatus,
        error: Error,
    ) -> Result<(), Error> {
        let Some(found) = self.context.get::<ReplicaSet>(&Key::of(wanted)).await? else { return Err(error) };
        let ours = owner::controller_of(&found.metadata).map(|owner| &owner.uid) == deployment.metadata.uid.as_ref();
        let template = |set: &ReplicaSet| set.spec.template.clone().unwrap_or_default();
        if ours && revision::same_template(&template(&found), &template(wanted)) {
            return Ok(());
        }
        *status.collision_count.get_or_insert(0) += 1;
        Err(error)
    }

    async fn update(&self, deployment: &Deployment, update: &Update) -> Result<(), Error> {
        let set = &update.set;
        let mut spec = serde_json::Map::new();
        if let Some(size) = update.size {
            spec.insert("replicas".to_owned(), json!(size));
        }
        if let Some(seconds) = update.min_ready {
            spec.insert("minReadySeconds".to_owned(), json!(seconds));
        }
        let patch = json!({
            "metadata": {"resourceVersion": set.metadata.resource_version, "annotations": update.annotations},
            "spec": spec,
        });
        self.context.patch::<ReplicaSet>(&Key::of(&**set), &patch).await?;
        if let Some(size) = update.size {
            let (name, before) = (set.name_any(), sizes::spec_size(set));
            let direction = if size > before { "up" } else { "down" };
            let message = format!("Scaled {direction} replica set {name} from {before} to {size}");
            self.context.events().normal(deployment, "ScalingReplicaSet", message);
        }
        Ok(())
    }

    async fn set_revision(&self, deployment: &Deployment, revision: &str) -> Result<Deployment, Error> {
        let patch = json!({"metadata": {
            "resourceVersion": deployment.metadata.resource_version,
            "annotations": {revision::REVISION: revision},
        }});
        self.context.patch(&Key::of(deployment), &patch).await
    }

    async fn write_status(&self, deployment: &Deployment, status: DeploymentStatus) -> Result<(), Error> {
        if deployment.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let updated = Deployment { status: Some(status), ..deployment.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }
}
