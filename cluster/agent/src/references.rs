//! The ConfigMaps and Secrets that a pod refers to, fetched before they are needed.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::{Api, Client, ResourceExt};

use crate::env::ConfigError;
use crate::pods::observed::all_containers;

/// What was found of what a pod refers to.
#[derive(Debug, Clone, Default)]
pub(crate) struct References {
    config_maps: BTreeMap<String, ConfigMap>,
    secrets: BTreeMap<String, Secret>,
}

impl References {
    /// Fetches everything that the pod's environment and volumes name.
    pub(crate) async fn fetch(client: &Client, pod: &Pod) -> kube::Result<Self> {
        let (config_maps, secrets) = names(pod);
        let namespace = pod.namespace().unwrap_or_default();
        let mut found = Self::default();
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
        for name in config_maps {
            if let Some(map) = api.get_opt(&name).await? {
                found.config_maps.insert(name, map);
            }
        }
        let api: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        for name in secrets {
            if let Some(secret) = api.get_opt(&name).await? {
                found.secrets.insert(name, secret);
            }
        }
        Ok(found)
    }

    /// A ConfigMap by name; `None` if it is absent and may be.
    pub(crate) fn config_map(&self, name: &str, optional: bool) -> Result<Option<&ConfigMap>, ConfigError> {
        match self.config_maps.get(name) {
            None if !optional => Err(ConfigError(format!("configmap {} not found", kpkg_api::text::quote(name)))),
            found => Ok(found),
        }
    }

    /// A Secret by name; `None` if it is absent and may be.
    pub(crate) fn secret(&self, name: &str, optional: bool) -> Result<Option<&Secret>, ConfigError> {
        match self.secrets.get(name) {
            None if !optional => Err(ConfigError(format!("secret {} not found", kpkg_api::text::quote(name)))),
            found => Ok(found),
        }
    }

    #[cfg(test)]
    pub(crate) fn of_namespace(_namespace: &str) -> Self {
        Self::default()
    }

    #[cfg(test)]
    pub(crate) fn add_config_map(&mut self, map: ConfigMap) {
        self.config_maps.insert(map.name_any(), map);
    }
}

/// The names of ConfigMaps and of Secrets.
fn names(pod: &Pod) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut maps, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for (_, container) in all_containers(pod) {
        for source in container.env_from.iter().flatten() {
            maps.extend(source.config_map_ref.iter().map(|it| it.name.clone()));
            secrets.extend(source.secret_ref.iter().map(|it| it.name.clone()));
        }
        for from in container.env.iter().flatten().filter_map(|it| it.value_from.as_ref()) {
            maps.extend(from.config_map_key_ref.iter().map(|it| it.name.clone()));
            secrets.extend(from.secret_key_ref.iter().map(|it| it.name.clone()));
        }
    }
    let Some(spec) = pod.spec.as_ref() else { return (maps, secrets) };
    for volume in spec.volumes.iter().flatten() {
        maps.extend(volume.config_map.iter().map(|it| it.name.clone()));
        secrets.extend(volume.secret.iter().filter_map(|it| it.secret_name.clone()));
        for source in volume.projected.iter().flat_map(|it| it.sources.iter().flatten()) {
            maps.extend(source.config_map.iter().map(|it| it.name.clone()));
            secrets.extend(source.secret.iter().map(|it| it.name.clone()));
        }
    }
    secrets.extend(spec.image_pull_secrets.iter().flatten().map(|it| it.name.clone()));
    maps.retain(|name| !name.is_empty());
    secrets.retain(|name| !name.is_empty());
    (maps, secrets)
}
