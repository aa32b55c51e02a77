//! Where records live: Secrets (or ConfigMaps) in the release's namespace, under Helm's names and labels.
//!
//! A record that does not fit into one Secret is split: its parts are written first, under names
//! that contain their digest, and the Secret with Helm's name, which only lists them, last. So the
//! record changes at once or not at all, and Helm refuses such a record instead of misreading it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kpkg_secrets::Identity;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::digest;
use crate::error::{ReleaseError, Result};
use crate::record::{DATA_KEY, HOLDER, PHASE, Release, SECRET_TYPE, SYSTEM_LABELS, Trace};

/// The largest record, or part of one, that goes into one Secret: Kubernetes takes 1 MiB.
const MAX_PART: usize = 1_000_000;
/// The type of Secrets that hold parts.
const PART_TYPE: &str = "kpkg.dev/release-part.v1";
/// How many parts are read or written at once.
const PARALLEL: usize = 8;

/// What kind of object holds a record (Helm's `HELM_DRIVER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// Secrets.
    #[default]
    Secret,
    /// ConfigMaps.
    ConfigMap,
}

/// The records of one namespace, or of all.
pub struct RecordStore {
    api: Api<DynamicObject>,
    driver: Driver,
    keys: Arc<[Identity]>,
}

/// What was found: records, and those that cannot be read.
#[derive(Debug, Default)]
pub struct Found {
    /// The records.
    pub releases: Vec<Release>,
    /// The others: name, revision (0 if unknown) and why.
    pub damaged: Vec<(String, i64, ReleaseError)>,
}

impl RecordStore {
    /// The records in `namespace`.
    pub fn namespaced(client: Client, namespace: &str, driver: Driver) -> Self {
        Self { api: Api::namespaced_with(client, namespace, &resource(driver)), driver, keys: Arc::default() }
    }

    /// The same, with keys that open what records hide.
    #[must_use]
    pub fn with_keys(self, keys: &Arc<[Identity]>) -> Self {
        Self { keys: keys.clone(), ..self }
    }

    /// The records in every namespace, for listing.
    pub fn all(client: Client, driver: Driver) -> Self {
        Self { api: Api::all_with(client, &resource(driver)), driver, keys: Arc::default() }
    }

    /// All revisions of a release, oldest first. An old revision that cannot be read is passed
    /// over; the newest must be readable.
    pub async fn history(&self, name: &str) -> Result<Vec<Release>> {
        let Found { mut releases, damaged } = self.find(&format!("owner=helm,name={name}")).await?;
        releases.sort_by_key(|release| release.version);
        let newest = releases.last().map_or(0, |it| it.version);
        for (record, revision, error) in damaged {
            if revision > newest || revision == 0 {
                return Err(error);
            }
            tracing::warn!(record, %error, "an old record cannot be read");
        }
        Ok(releases)
    }

    /// The newest revision of every release, by namespace and name.
    pub async fn newest(&self, selector: &str) -> Result<Found> {
        let selector = if selector.is_empty() { "owner=helm".to_owned() } else { format!("owner=helm,{selector}") };
        let mut found = self.find(&selector).await?;
        let releases = &mut found.releases;
        releases.sort_by(|a, b| (&a.namespace, &a.name, b.version).cmp(&(&b.namespace, &b.name, a.version)));
        releases.dedup_by(|later, first| later.name == first.name && later.namespace == first.namespace);
        Ok(found)
    }

    async fn find(&self, selector: &str) -> Result<Found> {
        let list = self.api.list(&ListParams::default().labels(selector)).await;
        let list = list.map_err(ReleaseError::cluster("read the release records"))?;
        let mut found = Found::default();
        for object in &list.items {
            if let Some(error) = self.newer(object) {
                let revision = object.labels().get("version").and_then(|it| it.parse().ok());
                found.damaged.push((object.name_any(), revision.unwrap_or(0), error));
            }
        }
        for object in list.items.iter().filter(|object| self.is_record(object)) {
            match self.decode(object).await {
                Ok(release) => found.releases.push(release),
                Err(error @ ReleaseError::Record { .. }) => {
                    let revision = object.labels().get("version").and_then(|it| it.parse().ok());
                    found.damaged.push((object.name_any(), revision.unwrap_or(0), error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn is_record(&self, object: &DynamicObject) -> bool {
        self.driver == Driver::ConfigMap || object.data["type"] == SECRET_TYPE
    }

    /// A record in a form that only newer programs know.
    fn newer(&self, object: &DynamicObject) -> Option<ReleaseError> {
        let type_ = object.data["type"].as_str().filter(|_| self.driver == Driver::Secret)?;
        let is_newer = type_.starts_with("helm.sh/release.") && type_ != SECRET_TYPE;
        let problem = format!("its type is {type_}, and only {SECRET_TYPE} is known: a newer version wrote it");
        is_newer.then(|| ReleaseError::Record { record: object.name_any(), problem })
    }

    /// Stores a new revision.
    pub async fn create(&self, release: &Release) -> Result<()> {
        let (data, digest) = self.write_parts(release).await?;
        let mut object = self.object(&release.secret_name(), SECRET_TYPE, data);
        let mut labels = release.record_labels();
        labels.insert("createdAt".to_owned(), now());
        object.metadata.labels = Some(labels);
        if let Some(Trace { holder, phase }) = &release.trace {
            let notes = [(HOLDER.to_owned(), holder.clone()), (PHASE.to_owned(), phase.clone())];
            object.metadata.annotations = Some(notes.into());
        }
        let created = self.api.create(&PostParams::default(), &object).await;
        created.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => {
                ReleaseError::NoNamespace { namespace: release.namespace.clone() }
            }
            kube::Error::Api(status) if status.reason == "AlreadyExists" => ReleaseError::Moved {
                name: release.name.clone(),
                what: format!("revision {} was made by somebody else", release.version),
            },
            other => ReleaseError::cluster("store the release record")(other),
        })?;
        if digest.is_some() { self.sweep(release, digest.as_deref()).await } else { Ok(()) }
    }

    /// Changes a stored revision.
    pub async fn update(&self, release: &Release) -> Result<()> {
        let (mut data, digest) = self.write_parts(release).await?;
        for key in [DATA_KEY, "parts", "digest"] {
            if data.get(key).is_none() {
                data[key] = Value::Null;
            }
        }
        let mut labels = json!(release.record_labels());
        labels["modifiedAt"] = Value::from(now());
        let patch = json!({"metadata": {"labels": labels}, "data": data});
        self.patch(release, &patch).await?;
        if digest.is_some() { self.sweep(release, digest.as_deref()).await } else { Ok(()) }
    }

    /// Notes which phase was reached.
    pub async fn note(&self, release: &Release, phase: &str) -> Result<()> {
        self.patch(release, &json!({"metadata": {"annotations": {PHASE: phase}}})).await
    }

    async fn patch(&self, release: &Release, patch: &Value) -> Result<()> {
        let patched = self.api.patch(&release.secret_name(), &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(ReleaseError::cluster("update the release record"))
    }

    /// Forgets a revision.
    pub async fn delete(&self, release: &Release) -> Result<()> {
        self.delete_object(&release.secret_name()).await?;
        self.sweep(release, None).await
    }

    async fn delete_object(&self, name: &str) -> Result<()> {
        match self.api.delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(ReleaseError::cluster("delete the release record")(error)),
        }
    }

    // === parts ===

    /// The data of a record's own object; parts are written already, with their digest.
    async fn write_parts(&self, release: &Release) -> Result<(Value, Option<String>)> {
        let bytes = release
            .encode()
            .map_err(|error| ReleaseError::Record { record: release.secret_name(), problem: error.to_string() })?;
        if bytes.len() <= MAX_PART {
            return Ok((json!({DATA_KEY: self.text(&bytes)}), None));
        }
        let digest = digest::of(&bytes);
        let parts: Vec<(String, &[u8])> = bytes
            .chunks(MAX_PART)
            .enumerate()
            .map(|(number, part)| (part_name(&release.secret_name(), &digest, number), part))
            .collect();
        let count = parts.len();
        stream::iter(parts.into_iter().map(Ok))
            .try_for_each_concurrent(PARALLEL, |(name, part)| async move {
                let mut object = self.object(&name, PART_TYPE, json!({DATA_KEY: self.text(part)}));
                object.metadata.labels = Some(part_labels(release));
                match self.api.create(&PostParams::default(), &object).await {
                    Ok(_) => Ok(()),
                    // The name says what is in it: it was written before.
                    Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
                    Err(error) => Err(ReleaseError::cluster("store a part of the release record")(error)),
                }
            })
            .await?;
        let count = count.to_string();
        let data = json!({"parts": self.text(count.as_bytes()), "digest": self.text(digest.as_bytes())});
        Ok((data, Some(digest)))
    }

    /// Deletes parts of a revision that its record does not name (any more).
    async fn sweep(&self, release: &Release, keep: Option<&str>) -> Result<()> {
        let labels = part_labels(release);
        let selector: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let list = self.api.list_metadata(&ListParams::default().labels(&selector.join(","))).await;
        let list = list.map_err(ReleaseError::cluster("read the parts of the release record"))?;
        for part in list.items {
            let name = part.name_any();
            if !keep.is_some_and(|digest| name.contains(digest)) {
                self.delete_object(&name).await?;
            }
        }
        Ok(())
    }

    async fn decode(&self, object: &DynamicObject) -> Result<Release> {
        let record = object.name_any();
        let refuse = |problem: String| ReleaseError::Record { record: record.clone(), problem };
        let bytes = match self.bytes(object, "parts").map_err(&refuse)? {
            None => {
                let whole = self.bytes(object, DATA_KEY).map_err(&refuse)?;
                whole.ok_or_else(|| refuse(format!("it has no key `{DATA_KEY}`")))?
            }
            Some(count) => self.join(object, &count).await?,
        };
        let mut release = Release::decode(&bytes).map_err(&refuse)?;
        release.open(&self.keys).map_err(&refuse)?;
        // Records written before Helm kept the namespace inside are in it all the same.
        if release.namespace.is_empty() {
            release.namespace = object.namespace().unwrap_or_default();
        }
        release.labels = object.labels().clone();
        release.labels.retain(|key, _| !SYSTEM_LABELS.contains(&key.as_str()));
        let note = |key: &str| object.annotations().get(key).cloned();
        release.trace = note(HOLDER).map(|holder| Trace { holder, phase: note(PHASE).unwrap_or_default() });
        Ok(release)
    }

    /// Reads the parts of a record and puts them together.
    async fn join(&self, object: &DynamicObject, count: &[u8]) -> Result<Vec<u8>> {
        let record = object.name_any();
        let refuse = |problem: String| ReleaseError::Record { record: record.clone(), problem };
        let count: usize = String::from_utf8_lossy(count).parse().map_err(|_| refuse("it lists no parts".into()))?;
        let digest = self.bytes(object, "digest").map_err(&refuse)?.unwrap_or_default();
        let digest = String::from_utf8_lossy(&digest).into_owned();
        // Records may be read in all namespaces at once; their parts are in their own.
        let namespace = object.namespace().unwrap_or_default();
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.api.clone().into_client(), &namespace, &resource(self.driver));
        let names: Vec<String> = (0..count).map(|number| part_name(&record, &digest, number)).collect();
        let parts: Vec<DynamicObject> = stream::iter(names)
            .map(|name| {
                let api = api.clone();
                async move { api.get(&name).await }
            })
            .buffered(PARALLEL)
            .try_collect()
            .await
            .map_err(|error| refuse(format!("a part cannot be read: {error}")))?;
        let mut bytes = Vec::new();
        for part in &parts {
            bytes.extend(self.bytes(part, DATA_KEY).map_err(&refuse)?.unwrap_or_default());
        }
        if digest::of(&bytes) == digest { Ok(bytes) } else { Err(refuse("its parts do not fit together".into())) }
    }

    // === the two kinds of objects ===

    fn object(&self, name: &str, type_: &str, data: Value) -> DynamicObject {
        let mut object = DynamicObject::new(name, &resource(self.driver));
        object.data = json!({"data": data});
        if self.driver == Driver::Secret {
            object.data["type"] = Value::from(type_);
        }
        object
    }

    fn text(&self, bytes: &[u8]) -> String {
        match self.driver {
            Driver::Secret => STANDARD.encode(bytes),
            // Records are base64, digests hexadecimal.
            Driver::ConfigMap => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    fn bytes(&self, object: &DynamicObject, key: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(text) = object.data["data"][key].as_str() else { return Ok(None) };
        match self.driver {
            Driver::Secret => STANDARD.decode(text).map(Some).map_err(|error| error.to_string()),
            Driver::ConfigMap => Ok(Some(text.as_bytes().to_vec())),
        }
    }
}

fn resource(driver: Driver) -> ApiResource {
    match driver {
        Driver::Secret => ApiResource::erase::<Secret>(&()),
        Driver::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
    }
}

fn part_name(record: &str, digest: &str, number: usize) -> String {
    format!("{record}.{digest}.{number}")
}

fn part_labels(release: &Release) -> std::collections::BTreeMap<String, String> {
    let labels =
        [("name", release.name.clone()), ("owner", "kpkg".to_owned()), ("version", release.version.to_string())];
    labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn now() -> String {
    Timestamp::now().as_second().to_string()
}
