//! Where records live: Secrets in the release's namespace, under Helm's names and labels.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};

use crate::error::{ReleaseError, Result};
use crate::record::{DATA_KEY, Release, SECRET_TYPE};

/// The records of one namespace, or of all.
pub struct RecordStore {
    api: Api<Secret>,
}

impl RecordStore {
    /// The records in `namespace`.
    pub fn namespaced(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace) }
    }

    /// The records in every namespace, for listing.
    pub fn all(client: Client) -> Self {
        Self { api: Api::all(client) }
    }

    /// All revisions of a release, oldest first.
    pub async fn history(&self, name: &str) -> Result<Vec<Release>> {
        let mut found = self.find(&format!("owner=helm,name={name}")).await?;
        found.sort_by_key(|release| release.version);
        Ok(found)
    }

    /// The newest revision of every release, by namespace and name.
    pub async fn newest(&self) -> Result<Vec<Release>> {
        let mut found = self.find("owner=helm").await?;
        found.sort_by(|a, b| (&a.namespace, &a.name, b.version).cmp(&(&b.namespace, &b.name, a.version)));
        found.dedup_by(|later, first| later.name == first.name && later.namespace == first.namespace);
        Ok(found)
    }

    async fn find(&self, selector: &str) -> Result<Vec<Release>> {
        let list = self.api.list(&ListParams::default().labels(selector)).await;
        let list = list.map_err(ReleaseError::cluster("read the release records"))?;
        list.items.iter().filter(|secret| secret.type_.as_deref() == Some(SECRET_TYPE)).map(decode).collect()
    }

    /// Stores a new revision.
    pub async fn create(&self, release: &Release) -> Result<()> {
        let secret = encode(release, "createdAt")?;
        self.api.create(&PostParams::default(), &secret).await.map(drop).map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => {
                ReleaseError::NoNamespace { namespace: release.namespace.clone() }
            }
            other => ReleaseError::cluster("store the release record")(other),
        })
    }

    /// Replaces a stored revision.
    pub async fn update(&self, release: &Release) -> Result<()> {
        let action = "update the release record";
        let mut secret = encode(release, "modifiedAt")?;
        let live = self.api.get(&release.secret_name()).await.map_err(ReleaseError::cluster(action))?;
        // The old labels stay, but for those that are set anew.
        let mut labels = live.metadata.labels.unwrap_or_default();
        labels.append(secret.labels_mut());
        secret.metadata.labels = Some(labels);
        secret.metadata.resource_version = live.metadata.resource_version;
        let replaced = self.api.replace(&release.secret_name(), &PostParams::default(), &secret).await;
        replaced.map(drop).map_err(ReleaseError::cluster(action))
    }

    /// Forgets a revision.
    pub async fn delete(&self, release: &Release) -> Result<()> {
        match self.api.delete(&release.secret_name(), &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(ReleaseError::cluster("delete the release record")(error)),
        }
    }
}

fn encode(release: &Release, stamp: &str) -> Result<Secret> {
    let name = release.secret_name();
    let bytes =
        release.encode().map_err(|error| ReleaseError::Record { record: name.clone(), problem: error.to_string() })?;
    let mut labels = release.labels();
    labels.insert(stamp.to_owned(), Timestamp::now().as_second().to_string());
    Ok(Secret {
        metadata: ObjectMeta { name: Some(name), labels: Some(labels), ..ObjectMeta::default() },
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some([(DATA_KEY.to_owned(), ByteString(bytes))].into()),
        ..Secret::default()
    })
}

fn decode(secret: &Secret) -> Result<Release> {
    let record = secret.name_any();
    let data = secret.data.as_ref().and_then(|data| data.get(DATA_KEY));
    let Some(data) = data else {
        return Err(ReleaseError::Record { record, problem: format!("it has no key `{DATA_KEY}`") });
    };
    let mut release = Release::decode(&data.0).map_err(|problem| ReleaseError::Record { record, problem })?;
    // Records written before Helm kept the namespace inside are in it all the same.
    if release.namespace.is_empty() {
        release.namespace = secret.namespace().unwrap_or_default();
    }
    Ok(release)
}
