//! Removes a release: hooks, objects in reverse, record.

use jiff::Timestamp;

use crate::apply;
use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result};
use crate::object::ObjectId;
use crate::plan::{self, Desired, PhaseKind, Plan, Step};
use crate::progress::Progress;
use crate::record::{Release, Status};
use crate::store::RecordStore;
use crate::wait;

/// How to uninstall.
#[derive(Debug, Clone, Copy)]
pub struct UninstallSettings {
    /// Keep the record, with the status `uninstalled`.
    pub keep_history: bool,
    /// How the plan is carried out; `wait` waits until the objects are gone.
    pub apply: apply::ApplySettings,
}

/// What was removed.
#[derive(Debug)]
pub struct Uninstalled {
    /// The release as it was.
    pub release: Release,
    /// The objects left in place because they ask for it.
    pub kept: Vec<ObjectId>,
    /// The objects that still existed when the time was up.
    pub lingering: Vec<ObjectId>,
}

/// Removes the newest revision of `name` and, unless asked otherwise, its records.
pub async fn uninstall(
    cluster: &Cluster,
    name: &str,
    namespace: &str,
    settings: UninstallSettings,
    progress: &dyn Progress,
) -> Result<Uninstalled> {
    let store = RecordStore::namespaced(cluster.client().clone(), namespace);
    let history = store.history(name).await?;
    let Some(newest) = history.last() else {
        return Err(ReleaseError::NotFound { name: name.to_owned(), namespace: namespace.to_owned() });
    };
    let mut release = newest.clone();
    let desired = Desired::from_record(&release, cluster)?;
    let plan = plan::uninstall(&desired);

    release.info.status = Status::Uninstalling;
    release.info.description = "Deletion in progress (or silently failed)".to_owned();
    store.update(&release).await?;
    apply::apply(cluster, &plan, settings.apply, progress).await?;
    let lingering = if settings.apply.wait {
        wait::until_gone(cluster, &deleted(&plan), settings.apply.timeout).await?
    } else {
        Vec::new()
    };

    release.info.status = Status::Uninstalled;
    release.info.deleted = Some(Timestamp::now());
    release.info.description = "Uninstallation complete".to_owned();
    if settings.keep_history {
        store.update(&release).await?;
    } else {
        for revision in &history {
            store.delete(revision).await?;
        }
    }
    Ok(Uninstalled { release, kept: kept(&plan), lingering })
}

fn main_steps(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.phases.iter().filter(|phase| phase.kind == PhaseKind::Main).flat_map(|phase| &phase.steps)
}

fn deleted(plan: &Plan) -> Vec<ObjectId> {
    main_steps(plan).filter_map(|step| if let Step::Delete(id) = step { Some(id.clone()) } else { None }).collect()
}

fn kept(plan: &Plan) -> Vec<ObjectId> {
    main_steps(plan).filter_map(|step| if let Step::Keep(id) = step { Some(id.clone()) } else { None }).collect()
}
