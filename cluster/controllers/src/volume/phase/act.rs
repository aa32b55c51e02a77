//! Carries out a volume's step.

use k8s_openapi::{api::core::v1::PersistentVolume, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::json;

use super::{Controller, decide::Step};
use crate::{Error, runtime::Key, volume::facts};

impl Controller {
    pub(super) async fn act(&self, volume: &PersistentVolume, step: Step) -> Result<(), Error> {
        let key = Key::of(volume);
        match step {
            Step::Phase(phase) if facts::volume_phase(volume) != phase => {
                let now = Time(self.context.now());
                let patch = json!({"status": {"phase": phase, "lastPhaseTransitionTime": now}});
                self.context.patch_status::<PersistentVolume>(&key, &patch).await.map(drop)
            }
            Step::Unbind => {
                let patch = json!({
                    "metadata": {"resourceVersion": volume.metadata.resource_version,
                        "annotations": {facts::BOUND_BY_CONTROLLER: null}},
                    "spec": {"claimRef": null},
                });
                self.context.patch::<PersistentVolume>(&key, &patch).await.map(drop)
            }
            Step::Phase(_) | Step::Rest => Ok(()),
        }
    }
}
