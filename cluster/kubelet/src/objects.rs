//! ConfigMaps, Secrets and other objects that pods refer to, read when they are needed.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Secret};
use kube::{Api, Client};

/// Reads objects; the errors are worded for a pod's events.
#[derive(Clone)]
pub(crate) struct Objects {
    client: Client,
}

impl Objects {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// A ConfigMap; `None` only if it is `optional` and does not exist.
    pub(crate) async fn config_map(
        &self,
        namespace: &str,
        name: &str,
        optional: bool,
    ) -> Result<Option<ConfigMap>, String> {
        found(
            Api::<ConfigMap>::namespaced(self.client.clone(), namespace).get_opt(name).await,
            "configmap",
            name,
            optional,
        )
    }

    /// A Secret; `None` only if it is `optional` and does not exist.
    pub(crate) async fn secret(&self, namespace: &str, name: &str, optional: bool) -> Result<Option<Secret>, String> {
        found(Api::<Secret>::namespaced(self.client.clone(), namespace).get_opt(name).await, "secret", name, optional)
    }

    /// A claim.
    pub(crate) async fn claim(&self, namespace: &str, name: &str) -> Result<Option<PersistentVolumeClaim>, String> {
        found(
            Api::<PersistentVolumeClaim>::namespaced(self.client.clone(), namespace).get_opt(name).await,
            "persistentvolumeclaim",
            name,
            false,
        )
    }

    /// A volume.
    pub(crate) async fn volume(&self, name: &str) -> Result<Option<PersistentVolume>, String> {
        found(Api::<PersistentVolume>::all(self.client.clone()).get_opt(name).await, "persistentvolume", name, false)
    }

    /// The client, for what is not only read.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

fn found<T>(result: kube::Result<Option<T>>, kind: &str, name: &str, optional: bool) -> Result<Option<T>, String> {
    match result {
        Ok(None) if !optional => Err(format!("{kind} {name:?} not found")),
        Ok(object) => Ok(object),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(error) => Err(crate::doors::chain(&error)),
    }
}
