//! Removes a release: hooks, objects in reverse, record.

use jiff::Timestamp;

use crate::apply::{Applied, Executor};
use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result};
use crate::history::History;
use crate::lease::{Holder, Lease};
use crate::object::{Object, ObjectId};
use crate::observe::observe;
use crate::operation::{Settings, Work};
use crate::plan::{self, Action, Desired, KeepReason, Plan, Target};
use crate::progress::Progress;
use crate::record::{Release, Status, Trace};
use crate::store::RecordStore;

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

/// What a removal would do.
pub async fn plan(cluster: &Cluster, history: &History, hooks: bool) -> Result<Plan> {
    let newest = history.existing()?;
    // Objects go by their names; hooks must be whole.
    let whole = if hooks && !newest.hooks.is_empty() { newest.in_clear()? } else { newest.clone() };
    let mut desired = Desired::from_record(&whole, cluster)?;
    // What attempts left in the cluster goes as well; the newest revision says what is kept.
    let known: std::collections::HashSet<ObjectId> = desired.objects.iter().map(|it| it.id.clone()).collect();
    let older: Vec<Object> = history.originals(cluster)?.into_iter().filter(|it| !known.contains(&it.id)).collect();
    desired.objects.extend(older);
    let observed = observe(cluster, desired.objects.iter().map(|object| &object.id)).await?;
    let target = Target { release: &history.name, namespace: &history.namespace };
    Ok(plan::uninstall(&desired, &observed, target, hooks))
}

/// Removes a release and, unless its history is kept, its records.
pub async fn uninstall(
    cluster: &Cluster,
    name: &str,
    namespace: &str,
    keep_history: bool,
    settings: &Settings,
    holder: &Holder,
    progress: &dyn Progress,
) -> Result<Uninstalled> {
    let store = RecordStore::namespaced(cluster.client().clone(), namespace, settings.driver).with_keys(&settings.keys);
    // Before a lease is taken: a release that does not exist needs none.
    if let Err(error) = History::read(&store, name, namespace).await?.existing() {
        Lease::clear(cluster.client().clone(), namespace, name, holder).await?;
        return Err(error);
    }
    let lease = Lease::take(cluster.client().clone(), namespace, name, holder).await?;
    let work = Work { cluster, settings, holder, progress, lease: &lease, store: &store };
    let outcome = async {
        let history = History::read(&store, name, namespace).await?;
        history.check_idle(Timestamp::now())?;
        remove(&work, &history, keep_history).await
    };
    let outcome = outcome.await;
    lease.give_up().await;
    outcome
}

/// The same, under a lease that is held.
pub(crate) async fn remove(work: &Work<'_>, history: &History, keep_history: bool) -> Result<Uninstalled> {
    let mut release = history.existing()?.clone();
    if release.info.status == Status::Uninstalled {
        if keep_history {
            return Err(ReleaseError::NotFound { name: history.name.clone(), namespace: history.namespace.clone() });
        }
        forget(work.store, history).await?;
        return Ok(Uninstalled { release, kept: Vec::new(), lingering: Vec::new() });
    }
    let plan = plan(work.cluster, history, work.settings.hooks).await?;
    release.set(Status::Uninstalling, "Deletion in progress (or silently failed)");
    release.info.deleted = Some(Timestamp::now());
    release.trace = Some(Trace { holder: work.holder.identity.clone(), phase: "start".to_owned() });
    work.store.update(&release).await?;
    let mut applied = Applied::default();
    let executor = Executor {
        cluster: work.cluster,
        settings: work.settings.apply,
        manager: crate::cluster::FIELD_MANAGER,
        progress: work.progress,
        lease: work.lease,
        record: (work.store, &release),
    };
    executor.run(&plan, &mut applied).await?;
    let description = work.settings.description.clone();
    release.set(Status::Uninstalled, description.unwrap_or_else(|| "Uninstallation complete".to_owned()));
    if keep_history {
        for old in
            history.releases.iter().filter(|it| it.info.status == Status::Deployed && it.version != release.version)
        {
            let mut old = old.clone();
            old.info.status = Status::Superseded;
            work.store.update(&old).await?;
        }
        work.store.update(&release).await?;
    } else {
        forget(work.store, history).await?;
    }
    Ok(Uninstalled { release, kept: kept(&plan), lingering: applied.lingering })
}

/// Deletes the records, the newest last: whoever dies in between can go on.
async fn forget(store: &RecordStore, history: &History) -> Result<()> {
    for revision in &history.releases {
        store.delete(revision).await?;
    }
    Ok(())
}

fn kept(plan: &Plan) -> Vec<ObjectId> {
    let kept = plan.steps().filter(|it| matches!(it.action, Action::Keep { reason: KeepReason::Policy }));
    kept.map(|it| it.id.clone()).collect()
}
