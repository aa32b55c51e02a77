//! Which kinds the API serves.

use std::time::Duration;

use kube::{
    Client, Discovery,
    discovery::{ApiGroup, ApiResource, Scope, verbs},
};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// One kind of object that can be listed and deleted.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its names.
    pub api: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it can be watched.
    pub watchable: bool,
    /// Whether all objects of a namespace can be deleted in one go.
    pub sweepable: bool,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Kinds in the order in which the API names them.
    pub resources: Vec<Resource>,
}

impl Served {
    /// Asks the API.
    pub async fn discover(client: &Client) -> Result<Self, Error> {
        let found = Discovery::new(client.clone()).run().await.map_err(Error::Discovery)?;
        let kinds = found.groups_alphabetical().into_iter().flat_map(ApiGroup::recommended_resources);
        let resources = kinds
            .filter(|(_, can)| can.supports_operation(verbs::LIST) && can.supports_operation(verbs::DELETE))
            .map(|(api, can)| Resource {
                namespaced: can.scope == Scope::Namespaced,
                watchable: can.supports_operation(verbs::WATCH),
                sweepable: can.supports_operation(verbs::DELETE_COLLECTION),
                api,
            })
            .collect();
        Ok(Self { resources })
    }

    /// Asks until the API answers; `None` if `token` is cancelled first.
    pub async fn wait(client: &Client, token: &CancellationToken) -> Option<Self> {
        loop {
            tokio::select! {
                () = token.cancelled() => return None,
                found = Self::discover(client) => match found {
                    Ok(served) => return Some(served),
                    Err(error) => tracing::warn!(%error, "waiting for the API"),
                },
            }
            tokio::select! {
                () = token.cancelled() => return None,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    /// Whether a kind is served in any version.
    pub fn has(&self, group: &str, kind: &str) -> bool {
        self.find(group, kind).is_some()
    }

    /// A kind by its group and name.
    pub fn find(&self, group: &str, kind: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.api.group == group && resource.api.kind == kind)
    }
}
