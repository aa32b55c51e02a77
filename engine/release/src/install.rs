//! Installs a release: plan, rehearse, apply, wait, record.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use serde_json::Value;

use crate::apply::{self, ApplySettings};
use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result};
use crate::object::Object;
use crate::plan::{self, Desired, Observed};
use crate::progress::Progress;
use crate::record::{Info, Release, Status};
use crate::store::RecordStore;

/// A chart rendered for one release.
#[derive(Debug)]
pub struct Prepared {
    /// The release's name.
    pub name: String,
    /// The namespace it goes to.
    pub namespace: String,
    /// The chart in the form in which records keep it.
    pub chart: Value,
    /// The values that the user gave.
    pub config: Value,
    /// The rendered objects as text, hooks apart.
    pub manifest: String,
    /// The rendered notes.
    pub notes: String,
    /// The same as objects.
    pub desired: Desired,
}

/// How to install.
#[derive(Debug, Clone, Copy)]
pub struct InstallSettings {
    /// Make the namespace if it is missing.
    pub create_namespace: bool,
    /// How the plan is carried out.
    pub apply: ApplySettings,
}

/// What came of an installation.
#[derive(Debug)]
pub enum Installed {
    /// A new revision stands.
    New(Box<Release>),
    /// The very same release stood already; nothing was written.
    Unchanged(Box<Release>),
}

/// Installs `prepared`.
///
/// A release of that name that was left half-way (`failed`, `pending-install`) is carried on with;
/// one that stands and is the same is left alone; anything else is refused.
pub async fn install(
    cluster: &Cluster,
    prepared: &Prepared,
    settings: InstallSettings,
    progress: &dyn Progress,
) -> Result<Installed> {
    check_name(&prepared.name)?;
    let store = RecordStore::namespaced(cluster.client().clone(), &prepared.namespace);
    let history = store.history(&prepared.name).await?;
    if let Some(newest) = history.last() {
        match newest.info.status {
            Status::Deployed if is_same(newest, prepared) => {
                return Ok(Installed::Unchanged(Box::new(newest.clone())));
            }
            Status::Failed | Status::PendingInstall | Status::Uninstalled => {}
            status => {
                return Err(ReleaseError::Exists {
                    name: newest.name.clone(),
                    namespace: newest.namespace.clone(),
                    revision: newest.version,
                    status: status.to_string(),
                });
            }
        }
    }
    if settings.create_namespace {
        ensure_namespace(cluster, &prepared.namespace).await?;
    }
    let observed = observe(cluster, &prepared.desired).await?;
    let plan = plan::install(&prepared.desired, &observed, &prepared.name, &prepared.namespace)?;
    apply::rehearse(cluster, &plan).await?;

    let mut release = new_release(prepared, &history);
    store.create(&release).await?;
    let outcome = apply::apply(cluster, &plan, settings.apply, progress).await;
    let (status, description) = match &outcome {
        Ok(()) => (Status::Deployed, "Install complete".to_owned()),
        Err(error) => (Status::Failed, format!("Release \"{}\" failed: {error}", prepared.name)),
    };
    release.info.status = status;
    release.info.description = description;
    store.update(&release).await?;
    outcome?;
    // Attempts that this one carried on are of no use to anybody.
    for old in history.iter().filter(|old| matches!(old.info.status, Status::Failed | Status::PendingInstall)) {
        store.delete(old).await?;
    }
    Ok(Installed::New(Box::new(release)))
}

/// Has the server check everything that an installation would make; nothing is stored.
pub async fn rehearse(cluster: &Cluster, prepared: &Prepared) -> Result<()> {
    let observed = observe(cluster, &prepared.desired).await?;
    let plan = plan::install(&prepared.desired, &observed, &prepared.name, &prepared.namespace)?;
    apply::rehearse(cluster, &plan).await
}

/// Helm's rule for names (`pkg/chart/common/util/validate_release_name.go`).
fn check_name(name: &str) -> Result<()> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parts_end_well = name.split('.').all(|part| part.starts_with(edge) && part.ends_with(edge));
    if name.is_empty() || name.len() > 53 || !name.chars().all(inner) || !parts_end_well {
        return Err(ReleaseError::Name { name: name.to_owned() });
    }
    Ok(())
}

fn is_same(release: &Release, prepared: &Prepared) -> bool {
    release.manifest == prepared.manifest
        && release.config == prepared.config
        && release.chart["metadata"] == prepared.chart["metadata"]
}

async fn ensure_namespace(cluster: &Cluster, name: &str) -> Result<()> {
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([("name".to_owned(), name.to_owned())].into()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    match Api::<Namespace>::all(cluster.client().clone()).create(&PostParams::default(), &namespace).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        Err(error) => Err(ReleaseError::cluster(format!("create namespace `{name}`"))(error)),
    }
}

/// Reads what the plan must know: the live twins of the desired objects.
async fn observe(cluster: &Cluster, desired: &Desired) -> Result<Observed> {
    let mut observed = Observed::new();
    for object in desired.crds.iter().chain(&desired.objects) {
        if cluster.is_namespaced(&object.id.api_version, &object.id.kind).is_none() {
            known_later(desired, object)?;
            continue;
        }
        if let Some(live) = cluster.get(&object.id).await? {
            observed.insert(object.id.clone(), live);
        }
    }
    Ok(observed)
}

/// A kind that the cluster lacks must come with the release itself.
fn known_later(desired: &Desired, object: &Object) -> Result<()> {
    let brings = |definition: &Object| {
        let group = definition.value["spec"]["group"].as_str().unwrap_or_default();
        definition.id.kind == "CustomResourceDefinition"
            && definition.value["spec"]["names"]["kind"] == object.id.kind.as_str()
            && object.id.api_version.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
    };
    if desired.crds.iter().chain(&desired.objects).any(brings) {
        return Ok(());
    }
    Err(ReleaseError::UnknownKind {
        source_file: object.source.clone(),
        api_version: object.id.api_version.clone(),
        kind: object.id.kind.clone(),
    })
}

fn new_release(prepared: &Prepared, history: &[Release]) -> Release {
    let now = Timestamp::now();
    Release {
        name: prepared.name.clone(),
        info: Info {
            first_deployed: Some(now),
            last_deployed: Some(now),
            deleted: None,
            description: "Initial install underway".to_owned(),
            status: Status::PendingInstall,
            notes: prepared.notes.clone(),
        },
        chart: prepared.chart.clone(),
        config: prepared.config.clone(),
        manifest: prepared.manifest.clone(),
        hooks: prepared.desired.hooks.iter().map(|(hook, _)| hook.clone()).collect(),
        version: history.last().map_or(1, |newest| newest.version + 1),
        namespace: prepared.namespace.clone(),
        apply_method: "csa".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_helms_rule() {
        for good in ["web", "a", "web-1.x"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "Web", "-web", "web-", "a_b", "a..b", &"x".repeat(54)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
