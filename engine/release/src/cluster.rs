//! The one door to a cluster: its kinds, its objects, and what rendering must know of it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::ACCEPT;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy,
};
use kube::discovery::{ApiCapabilities, Discovery, Scope};
use kube::{Client, Resource, ResourceExt};
use serde_json::Value;

use crate::changes::MASK;
use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId};

/// A connection with what was discovered through it.
pub struct Cluster {
    client: Client,
    kinds: RwLock<Kinds>,
    /// The server's version, such as `v1.37.0`.
    pub version: String,
}

type Kinds = BTreeMap<(String, String), (ApiResource, ApiCapabilities)>;

/// Under which name the fields of new releases are managed: Helm's, so that either program
/// continues the other's releases.
pub const FIELD_MANAGER: &str = "helm";

/// How a patch is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// Strategic merge, for built-in kinds.
    Strategic,
    /// JSON merge patch, for all others.
    Merge,
}

/// In whose name a write is made, and whether it is one.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// The name under which the fields are managed.
    pub manager: &'a str,
    /// Only check it, on the server.
    pub dry_run: bool,
}

impl Cluster {
    /// Connects: asks for the version and the kinds.
    pub async fn connect(client: Client) -> Result<Self> {
        let info =
            client.apiserver_version().await.map_err(ReleaseError::cluster("ask the cluster for its version"))?;
        let kinds = RwLock::new(discover(&client).await?);
        Ok(Self { client, kinds, version: info.git_version })
    }

    /// Asks for the kinds again: definitions have come.
    pub async fn refresh(&self) -> Result<()> {
        let kinds = discover(&self.client).await?;
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = kinds;
        Ok(())
    }

    /// The client behind it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// All `group/version` and `group/version/Kind` strings, as Helm's capabilities list them.
    pub fn api_versions(&self) -> Vec<String> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let mut versions: Vec<String> = kinds
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

    fn kind(&self, api_version: &str, kind: &str) -> Option<(ApiResource, ApiCapabilities)> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        kinds.get(&(api_version.to_owned(), kind.to_owned())).cloned()
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
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), &id.namespace, &resource),
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
            Api::<DynamicObject>::all_with(self.client.clone(), &resource)
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

    /// An object, or what a label selector chooses of a kind in a namespace, as the server shows it in
    /// a table; none if it, or its kind, does not exist.
    pub async fn table(&self, id: &ObjectId, selector: &str) -> Result<Option<Value>> {
        let Some((resource, capabilities)) = self.kind(&id.api_version, &id.kind) else { return Ok(None) };
        let namespace = (capabilities.scope == Scope::Namespaced).then_some(id.namespace.as_str());
        let request = kube::core::Request::new(DynamicObject::url_path(&resource, namespace));
        let action = format!("read {id}");
        let request = if id.name.is_empty() {
            request.list(&ListParams::default().labels(selector))
        } else {
            request.get(&id.name, &kube::api::GetParams::default())
        };
        let invalid = |error| kube::Error::BuildRequest(error);
        let mut request = request.map_err(invalid).map_err(ReleaseError::cluster(action.clone()))?;
        let accept = HeaderValue::from_static("application/json;as=Table;v=v1;g=meta.k8s.io");
        request.headers_mut().insert(ACCEPT, accept);
        match self.client.request::<Value>(request).await {
            Ok(table) => Ok(Some(table)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(ReleaseError::cluster(action)(error)),
        }
    }

    /// Creates an object; answers what came of it.
    pub async fn create(&self, object: &Object, write: Write<'_>) -> Result<Value> {
        let params = PostParams { dry_run: write.dry_run, field_manager: Some(write.manager.to_owned()) };
        let body = dynamic(object)?;
        let created = self.api(&object.id)?.create(&params, &body).await;
        created.map(|it| to_value(&it)).map_err(|error| refused(object, error))
    }

    /// Sends a patch for an object; answers what came of it.
    pub async fn patch(&self, object: &Object, patch: &Value, kind: PatchKind, write: Write<'_>) -> Result<Value> {
        let params = PatchParams {
            dry_run: write.dry_run,
            field_manager: Some(write.manager.to_owned()),
            ..PatchParams::default()
        };
        let patch = match kind {
            PatchKind::Strategic => Patch::Strategic(patch),
            PatchKind::Merge => Patch::Merge(patch),
        };
        let patched = self.api(&object.id)?.patch(&object.id.name, &params, &patch).await;
        patched.map(|it| to_value(&it)).map_err(|error| refused(object, error))
    }

    /// Lets the server merge an object; answers what came of it.
    pub async fn apply(&self, object: &Object, force: bool, write: Write<'_>) -> Result<Value> {
        let params = PatchParams {
            dry_run: write.dry_run,
            force,
            field_manager: Some(write.manager.to_owned()),
            field_validation: None,
        };
        let patch = Patch::Apply(&object.value);
        let applied = self.api(&object.id)?.patch(&object.id.name, &params, &patch).await;
        applied.map(|it| to_value(&it)).map_err(|error| refused(object, error))
    }

    /// Puts an object in the place of the live one; answers what came of it.
    pub async fn replace(&self, object: &Object, write: Write<'_>) -> Result<Value> {
        let params = PostParams { dry_run: write.dry_run, field_manager: Some(write.manager.to_owned()) };
        let api = self.api(&object.id)?;
        let mut body = dynamic(object)?;
        let live = api.get_metadata(&object.id.name).await.map_err(|error| refused(object, error))?;
        body.metadata.resource_version = live.metadata.resource_version;
        let replaced = api.replace(&object.id.name, &params, &body).await;
        replaced.map(|it| to_value(&it)).map_err(|error| refused(object, error))
    }

    /// Makes fields that clients merged under our name the server's to merge, so that what a chart
    /// no longer names can go.
    pub async fn adopt_fields(&self, object: &Object, write: Write<'_>) -> Result<()> {
        let Some(live) = self.get(&object.id).await? else { return Ok(()) };
        let Some(entries) = crate::managers::adopted(&live["metadata"]["managedFields"], write.manager) else {
            return Ok(());
        };
        // The version makes sure that nobody changed the entries in between.
        let version = &live["metadata"]["resourceVersion"];
        let patch = serde_json::json!({"metadata": {"managedFields": entries, "resourceVersion": version}});
        let params = PatchParams { field_manager: Some(write.manager.to_owned()), ..PatchParams::default() };
        let patched = self.api(&object.id)?.patch(&object.id.name, &params, &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| refused(object, error))
    }

    /// Asks for an object's deletion; `false` if it was not there.
    pub async fn delete(&self, id: &ObjectId, cascade: Cascade) -> Result<bool> {
        let policy = match cascade {
            Cascade::Background => PropagationPolicy::Background,
            Cascade::Foreground => PropagationPolicy::Foreground,
            Cascade::Orphan => PropagationPolicy::Orphan,
        };
        let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
        match self.api(id)?.delete(&id.name, &params).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(ReleaseError::cluster(format!("delete {id}"))(error)),
        }
    }

    /// All that a container of a pod logged.
    pub async fn log(&self, namespace: &str, pod: &str, container: &str) -> Result<String> {
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.client.clone(), namespace);
        let params = kube::api::LogParams { container: Some(container.to_owned()), ..kube::api::LogParams::default() };
        let text = pods.logs(pod, &params).await;
        text.map_err(ReleaseError::cluster(format!("read the log of container {container} of Pod/{pod}")))
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

/// What becomes of an object's dependents when it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cascade {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

async fn discover(client: &Client) -> Result<Kinds> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await;
    let discovery = discovery.map_err(ReleaseError::cluster("ask the cluster for its kinds"))?;
    let mut kinds = Kinds::new();
    for group in discovery.groups() {
        for version in group.versions() {
            for (resource, capabilities) in group.versioned_resources(version) {
                kinds.insert((resource.api_version.clone(), resource.kind.clone()), (resource, capabilities));
            }
        }
    }
    Ok(kinds)
}

fn dynamic(object: &Object) -> Result<DynamicObject> {
    serde_json::from_value(object.value.clone())
        .map_err(|error| ReleaseError::Manifest { source_file: object.source.clone(), problem: error.to_string() })
}

/// The server's refusal of one object; anything else is trouble with the cluster.
fn refused(object: &Object, error: kube::Error) -> ReleaseError {
    match error {
        kube::Error::Api(status) => ReleaseError::Refused {
            source_file: object.source.clone(),
            object: object.id.clone(),
            message: scrubbed(object, &status.message),
            reason: status.reason.clone(),
        },
        other => ReleaseError::cluster(format!("write {}", object.id))(other),
    }
}

/// A server's words without the values of the Secret that they are about (Argo CD's CVE-2025-23216).
fn scrubbed(object: &Object, message: &str) -> String {
    if object.id.kind != "Secret" {
        return message.to_owned();
    }
    let maps = ["data", "stringData"].into_iter().filter_map(|key| object.value[key].as_object());
    let mut values: Vec<String> = Vec::new();
    for value in maps.flat_map(|map| map.values()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        values.extend(STANDARD.decode(&text).ok().and_then(|bytes| String::from_utf8(bytes).ok()));
        values.extend([STANDARD.encode(&text), text]);
    }
    values.retain(|it| it.len() > 2);
    values.sort_by_key(|it| std::cmp::Reverse(it.len()));
    values.iter().fold(message.to_owned(), |text, value| {
        // Messages quote values as Go does.
        let quoted = kpkg_api::text::quote(value);
        text.replace(value.as_str(), MASK).replace(quoted.trim_matches('"'), MASK)
    })
}

fn to_value(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if value["metadata"]["name"].is_null() {
        value["metadata"]["name"] = Value::from(object.name_any());
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_do_not_repeat_what_a_secret_holds() {
        let of = |kind: &str| Object {
            id: ObjectId { api_version: "v1".into(), kind: kind.into(), namespace: "n".into(), name: "s".into() },
            value: json!({"data": {"a": "aHVudGVyMjI="}, "stringData": {"b": "line \"one\"\nline two", "n": 12345}}),
            source: String::new(),
        };
        let message = r#"Invalid value: "hunter22": and aHVudGVyMjI=, "line \"one\"\nline two", 12345"#;
        let shown = scrubbed(&of("Secret"), message);
        assert_eq!(shown, format!("Invalid value: \"{MASK}\": and {MASK}, \"{MASK}\", {MASK}"));
        assert_eq!(scrubbed(&of("ConfigMap"), message), message);
    }
}
