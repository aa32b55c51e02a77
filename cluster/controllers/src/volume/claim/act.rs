//! Carries out a claim's step.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Resource, ResourceExt};
use serde_json::{Map, Value, json};

use super::{Controller, decide::Step};
use crate::{Error, runtime::Key, volume::facts};

impl Controller {
    pub(super) async fn act(&self, claim: &PersistentVolumeClaim, step: Step) -> Result<(), Error> {
        match step {
            Step::Bind(volume) => self.bind(claim, &volume).await,
            Step::Provision(provisioner) => self.ask(claim, &provisioner).await,
            Step::Wait(severity, reason, message) => {
                self.context.events().record(claim.object_ref(&()), severity, reason, message);
                self.set_phase(claim, "Pending").await
            }
            Step::Lose(reason, message) => {
                if facts::claim_phase(claim) != "Lost" {
                    self.context.events().warning(claim, reason, message);
                }
                self.set_phase(claim, "Lost").await
            }
            Step::Rest => self.set_phase(claim, "Pending").await,
        }
    }

    /// The volume first: it is what two claims could fight over, and its version decides.
    async fn bind(&self, claim: &PersistentVolumeClaim, volume: &Arc<PersistentVolume>) -> Result<(), Error> {
        let uid = claim.uid().unwrap_or_default();
        if facts::claim_uid(volume) != Some(&uid) {
            let reserved = facts::claim_key(volume).is_some();
            let annotations = if reserved { json!({}) } else { json!({facts::BOUND_BY_CONTROLLER: "yes"}) };
            let mut reference = claim.object_ref(&());
            reference.resource_version = claim.resource_version();
            let patch = json!({
                "metadata": {"resourceVersion": volume.metadata.resource_version, "annotations": annotations},
                "spec": {"claimRef": reference},
            });
            self.context.patch::<PersistentVolume>(&Key::of(&**volume), &patch).await?;
        }
        let claim = self.name_volume(claim, volume).await?;
        self.tell_volume(&claim, volume).await
    }

    async fn name_volume(
        &self,
        claim: &PersistentVolumeClaim,
        volume: &PersistentVolume,
    ) -> Result<PersistentVolumeClaim, Error> {
        let mut annotations = Map::new();
        let mut spec = Map::new();
        if facts::volume_name(claim).is_none() {
            spec.insert("volumeName".to_owned(), json!(volume.name_any()));
            annotations.insert(facts::BOUND_BY_CONTROLLER.to_owned(), json!("yes"));
        }
        if !facts::is_bound(claim) {
            annotations.insert(facts::BIND_COMPLETED.to_owned(), json!("yes"));
        }
        if annotations.is_empty() && spec.is_empty() {
            return Ok(claim.clone());
        }
        let metadata = json!({"resourceVersion": claim.metadata.resource_version, "annotations": annotations});
        self.context.patch(&Key::of(claim), &json!({"metadata": metadata, "spec": spec})).await
    }

    async fn tell_volume(&self, claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Result<(), Error> {
        let offered = volume.spec.clone().unwrap_or_default();
        let mut status = claim.status.clone().unwrap_or_default();
        status.phase = Some("Bound".to_owned());
        status.access_modes = offered.access_modes;
        // Once bound, the capacity is for a resize to change.
        if facts::claim_phase(claim) != "Bound" || status.capacity.is_none() {
            status.capacity = offered.capacity;
        }
        if claim.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let updated = PersistentVolumeClaim { status: Some(status), ..claim.clone() };
        self.context.replace_status(&updated).await.map(drop)
    }

    async fn ask(&self, claim: &PersistentVolumeClaim, provisioner: &str) -> Result<(), Error> {
        let known = |annotation: &&str| claim.annotations().get(*annotation).is_some_and(|by| by == provisioner);
        if facts::PROVISIONER_ANNOTATIONS.iter().all(known) {
            return self.set_phase(claim, "Pending").await;
        }
        let annotations: Map<String, Value> = facts::PROVISIONER_ANNOTATIONS
            .iter()
            .map(|annotation| ((*annotation).to_owned(), json!(provisioner)))
            .collect();
        let metadata = json!({"resourceVersion": claim.metadata.resource_version, "annotations": annotations});
        let asked: PersistentVolumeClaim = self.context.patch(&Key::of(claim), &json!({"metadata": metadata})).await?;
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the \
             system administrator. If volume creation is delayed, please verify that the provisioner is running and \
             correctly registered."
        );
        self.context.events().normal(claim, "ExternalProvisioning", message);
        self.set_phase(&asked, "Pending").await
    }

    async fn set_phase(&self, claim: &PersistentVolumeClaim, phase: &str) -> Result<(), Error> {
        if facts::claim_phase(claim) == phase {
            return Ok(());
        }
        let patch = json!({"status": {"phase": phase}});
        self.context.patch_status::<PersistentVolumeClaim>(&Key::of(claim), &patch).await.map(drop)
    }
}
