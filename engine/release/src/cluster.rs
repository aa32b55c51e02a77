//! The one door to a cluster: its kinds, its objects, and what rendering must know of it.

use std::collections::BTreeMap;

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::discovery::{ApiCapabilities, Discovery, Scope};
use kube::{Client, ResourceExt};
use serde_json::Value;

use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId};

/// A connection with what was discovered through it.
pub struct Cluster {
    client: Client,
    kinds: BTreeMap<(String, String), (ApiResource, ApiCapabilities)>,
    /// The server's version, such as `v1.37.0`.
    pub version: String,
}

/// What a write should do besides writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Store the object.
    Store,
    /// Only check it, on the server.
    DryRun,
}

impl Cluster {
    /// Connects: asks for the version and the kinds.
    pub async fn connect(client: Client) -> Result<Self> {
        let info =
            client.apiserver_version().await.map_err(ReleaseError::cluster("ask the cluster for its version"))?;
        let discovery = Discovery::new(client.clone())
            .run_aggregated()
            .await
            .map_err(ReleaseError::cluster("ask the cluster for its kinds"))?;
        let mut kinds = BTreeMap::new();
        for group in discovery.groups() {
            for version in group.versions() {
                for (resource, capabilities) in group.versioned_resources(version) {
                    kinds.insert((resource.api_version.clone(), resource.kind.clone()), (resource, capabilities));
                }
            }
        }
        Ok(Self { client, kinds, version: info.git_version })
    }

    /// The client behind it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// All `group/version` and `group/version/Kind` strings, as Helm's capabilities list them.
    pub fn api_versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self
            .kinds
            .keys()
            .flat_map(|(api_version, kind)| [api_version.clone(), format!("{api_version}/{kind}")])
            .collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// Whether objects of a kind live in namespaces; `None` if the cluster does not know the kind.
    pub fn is_namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        let (_, capabilities) = self.kind(api_version, kind)?;
        Some(capabilities.scope == Scope::Namespaced)
    }

    fn kind(&self, api_version: &str, kind: &str) -> Option<&(ApiResource, ApiCapabilities)> {
        self.kinds.get(&(api_version.to_owned(), kind.to_owned()))
    }

    fn api(&self, id: &ObjectId) -> Result<Api<DynamicObject>> {
        let Some((resource, capabilities)) = self.kind(&id.api_version, &id.kind) else {
            return Err(ReleaseError::UnknownKind {
                source_file: id.to_string(),
                api_version: id.api_version.clone(),
                kind: id.kind.clone(),
            });
        };
        Ok(match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), &id.namespace, resource),
        })
    }

    /// The live object, if there is one.
    pub async fn get(&self, id: &ObjectId) -> Result<Option<Value>> {
        let live = self.api(id)?.get_opt(&id.name).await;
        let live = live.map_err(ReleaseError::cluster(format!("read {id}")))?;
        Ok(live.as_ref().map(to_value))
    }

    /// The objects of a kind in a namespace that match a label selector (empty: all).
    pub async fn list(&self, api_version: &str, kind: &str, namespace: &str, selector: &str) -> Result<Vec<Value>> {
        let id = ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: String::new(),
        };
        let Some((resource, _)) = self.kind(api_version, kind) else {
            return Ok(Vec::new());
        };
        let api = if namespace.is_empty() {
            Api::<DynamicObject>::all_with(self.client.clone(), resource)
        } else {
            self.api(&id)?
        };
        let list = api.list(&ListParams::default().labels(selector)).await;
        let list = list.map_err(ReleaseError::cluster(format!("list {}", resource.plural)))?;
        let types = kube::api::TypeMeta { api_version: api_version.to_owned(), kind: kind.to_owned() };
        Ok(list
            .items
            .into_iter()
            .map(|mut item| {
                item.types.get_or_insert_with(|| types.clone());
                to_value(&item)
            })
            .collect())
    }

    /// Creates an object.
    pub async fn create(&self, object: &Object, write: Write) -> Result<()> {
        let params = PostParams { dry_run: write == Write::DryRun, ..PostParams::default() };
        let body: DynamicObject = serde_json::from_value(object.value.clone()).map_err(|error| {
            ReleaseError::Manifest { source_file: object.source.clone(), problem: error.to_string() }
        })?;
        self.api(&object.id)?.create(&params, &body).await.map(drop).map_err(|error| refused(object, error))
    }

    /// Merges the rendered object into the live one (JSON merge patch).
    pub async fn merge(&self, object: &Object, write: Write) -> Result<()> {
        let params = PatchParams { dry_run: write == Write::DryRun, ..PatchParams::default() };
        let patch = Patch::Merge(&object.value);
        let merged = self.api(&object.id)?.patch(&object.id.name, &params, &patch).await;
        merged.map(drop).map_err(|error| refused(object, error))
    }

    /// Asks for an object's deletion; `false` if it was not there.
    pub async fn delete(&self, id: &ObjectId) -> Result<bool> {
        match self.api(id)?.delete(&id.name, &DeleteParams::background()).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(ReleaseError::cluster(format!("delete {id}"))(error)),
        }
    }

    /// The last `lines` lines that a container of a pod logged, of its previous run if asked for.
    pub async fn log_tail(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        lines: i64,
    ) -> Vec<String> {
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.client.clone(), namespace);
        let params = kube::api::LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(lines),
            ..kube::api::LogParams::default()
        };
        // No log is an answer too: the container may never have started.
        let text = pods.logs(pod, &params).await.unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// The server's refusal of one object; anything else is trouble with the cluster.
fn refused(object: &Object, error: kube::Error) -> ReleaseError {
    match error {
        kube::Error::Api(status) => ReleaseError::Refused {
            source_file: object.source.clone(),
            object: object.id.clone(),
            message: status.message.clone(),
        },
        other => ReleaseError::cluster(format!("write {}", object.id))(other),
    }
}

fn to_value(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if value["metadata"]["name"].is_null() {
        value["metadata"]["name"] = Value::from(object.name_any());
    }
    value
}
