//! Makes and removes folders and the volumes that stand for them.

use std::path::Path;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::ResourceExt;
use serde_json::json;

use super::{Provisioner, Reclaimer, decide::Step, folder};
use crate::{
    Error,
    runtime::Key,
    volume::facts::{self},
};

impl Provisioner {
    pub(super) async fn act(&self, claim: &PersistentVolumeClaim, step: Step) -> Result<(), Error> {
        let events = self.context.events();
        match step {
            Step::Rest => Ok(()),
            Step::Refuse(why) => {
                events.warning(claim, "ProvisioningFailed", why);
                Ok(())
            }
            Step::Unselect(node) => {
                events.warning(claim, "ProvisioningFailed", format!("node \"{node}\" not found"));
                let patch = json!({"metadata": {
                    "resourceVersion": claim.metadata.resource_version,
                    "annotations": {facts::SELECTED_NODE: null}}});
                self.context.patch::<PersistentVolumeClaim>(&Key::of(claim), &patch).await.map(drop)
            }
            Step::Make(name, volume) => {
                let key = Key::of(claim);
                let message = format!("External provisioner is provisioning volume for claim \"{key}\"");
                events.normal(claim, "Provisioning", message);
                let made = self.make(&name, &volume).await;
                match &made {
                    Ok(()) => {
                        let message = format!("Successfully provisioned volume {}", volume.name_any());
                        events.normal(claim, "ProvisioningSucceeded", message);
                    }
                    Err(error) => {
                        let why = std::error::Error::source(error).map(|cause| format!(": {cause}"));
                        let message = format!("failed to provision volume: {error}{}", why.unwrap_or_default());
                        events.warning(claim, "ProvisioningFailed", message);
                    }
                }
                made
            }
        }
    }

    async fn make(&self, name: &str, volume: &PersistentVolume) -> Result<(), Error> {
        on_disk("make", &self.root, name, folder::make).await?;
        match self.context.create(volume).await {
            Err(error) if !error.is_already_exists() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Reclaimer {
    /// The folder first: once the volume is gone nobody knows of the folder.
    pub(super) async fn reclaim(&self, volume: &PersistentVolume, name: &str) -> Result<(), Error> {
        let removed = on_disk("remove", &self.root, name, folder::remove).await;
        if let Err(error) = removed {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            self.context.events().warning(volume, "VolumeFailedDelete", format!("{error}{cause}"));
            return Err(error);
        }
        self.context.delete(volume).await
    }
}

/// Runs a step on the disk off the async threads.
async fn on_disk(
    verb: &'static str,
    root: &Path,
    name: &str,
    step: fn(&Path, &str) -> std::io::Result<()>,
) -> Result<(), Error> {
    let (folder_root, folder) = (root.to_owned(), name.to_owned());
    let done = tokio::task::spawn_blocking(move || step(&folder_root, &folder)).await;
    let done = done.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    done.map_err(|source| Error::Folder { verb, path: root.join(name), source })
}
