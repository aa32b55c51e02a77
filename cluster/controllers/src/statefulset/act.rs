//! Carries out the plan for one set and writes its status.

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::{StatefulSet, StatefulSetStatus},
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::ResourceExt;
use serde_json::json;

use super::{
    Controller,
    decide::{Action, Observed, Plan},
    identity,
};
use crate::{
    Error,
    runtime::{Key, Next},
};

impl Controller {
    /// Carries out the actions and writes the status, also after a failure.
    pub(super) async fn act(&self, observed: &Observed<'_>, plan: Plan) -> Result<Next, Error> {
        let mut outcome = Ok(());
        for action in plan.actions {
            outcome = self.carry_out(observed.set, action).await;
            if outcome.is_err() {
                break;
            }
        }
        self.write_status(observed.set, plan.status).await?;
        outcome?;
        Ok(plan.look_again.map_or(Next::AwaitChange, Next::RequeueAfter))
    }

    async fn carry_out(&self, set: &Arc<StatefulSet>, action: Action) -> Result<(), Error> {
        let name = set.name_any();
        match action {
            Action::CreateClaim(claim, pod) => {
                let subject = format!("Claim {} Pod {pod} in StatefulSet {name}", claim.name_any());
                let made = self.context.create::<PersistentVolumeClaim>(&claim).await.map(drop);
                match made {
                    // Left from an earlier pod of that name.
                    Err(error) if error.is_already_exists() => Ok(()),
                    made => self.report(set, "create", "Create", &subject, "success", made),
                }
            }
            Action::CreatePod(pod) => {
                let subject = format!("Pod {} in StatefulSet {name}", pod.name_any());
                let made = self.context.create::<Pod>(&pod).await.map(drop);
                self.report(set, "create", "Create", &subject, "successful", made)
            }
            Action::DeletePod(pod) => {
                let subject = format!("Pod {} in StatefulSet {name}", pod.name_any());
                let gone = self.context.delete(&*pod).await;
                self.report(set, "delete", "Delete", &subject, "successful", gone)
            }
            Action::SetOwners(claim, owners) => {
                let patch = json!({"metadata": {
                    "resourceVersion": claim.metadata.resource_version, "ownerReferences": owners}});
                self.context.patch::<PersistentVolumeClaim>(&Key::of(&*claim), &patch).await.map(drop)
            }
            Action::Relabel(pod, ordinal) => {
                let patch = json!({"metadata": {"labels": identity::labels(set, ordinal)}});
                self.context.patch::<Pod>(&Key::of(&*pod), &patch).await.map(drop)
            }
            Action::DeleteRevision(revision) => self.context.delete(&*revision).await,
        }
    }

    /// Records an event, except where the failure is routine.
    fn report(
        &self,
        set: &StatefulSet,
        verb: &str,
        reason: &str,
        subject: &str,
        praise: &str,
        outcome: Result<(), Error>,
    ) -> Result<(), Error> {
        let events = self.context.events();
        match outcome {
            Ok(()) => {
                events.normal(set, &format!("Successful{reason}"), format!("{verb} {subject} {praise}"));
                Ok(())
            }
            // The namespace's end takes this set with it.
            Err(error) if error.is_namespace_terminating() => Ok(()),
            Err(error) => {
                if !error.is_race() {
                    let message = format!("{verb} {subject} failed error: {}", error.outward());
                    events.warning(set, &format!("Failed{reason}"), message);
                }
                Err(error)
            }
        }
    }

    async fn write_status(&self, set: &StatefulSet, status: StatefulSetStatus) -> Result<(), Error> {
        if set.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let updated = StatefulSet { status: Some(status), ..set.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }
}
