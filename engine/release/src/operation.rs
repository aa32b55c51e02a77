//! Installations, upgrades and rollbacks as wholes: plan, lease, record, apply, wait, record again.
//!
//! [`plan()`] answers a [`Planned`] operation, which can be shown, stored and carried out by
//! [`execute`], which refuses if the release moved in between. Whatever happens half-way, the
//! record says so and the next operation carries on: every step can be repeated, and what earlier
//! attempts left in the cluster is known from their records.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kpkg_secrets::Identity;
use kube::api::{Api, ObjectMeta, PostParams};
use serde::{Deserialize, Serialize};

use crate::apply::{Applied, ApplySettings, Executor};
use crate::cluster::{Cluster, FIELD_MANAGER};
use crate::definitions;
use crate::draft::{self, Draft, Operation};
use crate::error::{ReleaseError, Result};
use crate::history::{Base, History};
use crate::hooks;
use crate::lease::{Holder, Lease};
use crate::observe::observe;
use crate::plan::{self, ChangeRules, Method, Plan, Target};
use crate::progress::{Event, Progress};
use crate::record::{Release, Status, Trace};
use crate::rehearse;
use crate::store::{Driver, RecordStore};
use crate::uninstall;

/// How operations go about their work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the plan is carried out.
    pub apply: ApplySettings,
    /// Who merges changes; none: Helm's rule decides.
    pub method: Option<Method>,
    /// Where records live.
    pub driver: Driver,
    /// What opens records that hide their values.
    pub keys: Arc<[Identity]>,
    /// Make the namespace if it is missing.
    pub create_namespace: bool,
    /// Replace objects instead of merging.
    pub force_replace: bool,
    /// Take objects that belong to others.
    pub take_ownership: bool,
    /// Whether hooks run.
    pub hooks: bool,
    /// Undo what failed.
    pub rollback_on_failure: bool,
    /// Delete what a failed operation created.
    pub cleanup_on_fail: bool,
    /// How many revisions are kept; 0 for all.
    pub history_max: usize,
    /// What the record says happened, instead of Helm's words.
    pub description: Option<String>,
    /// Labels for the record; the value `null` takes one away.
    pub labels: BTreeMap<String, String>,
    /// Install over a release whose last operation failed.
    pub replace: bool,
    /// Make no revision if nothing changes.
    pub if_changed: bool,
    /// Ask the server about every write before anything is stored.
    pub rehearse: bool,
    /// Refuse if any object changed since the plan was made: for plans that were stored.
    pub verify: bool,
}

/// An operation that was planned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Planned {
    /// What is done.
    pub operation: Operation,
    /// The record that it will make.
    pub release: Release,
    /// The labels of the record.
    pub labels: BTreeMap<String, String>,
    /// What it rests on.
    pub base: Base,
    /// Whether the revision is the same as the one that stands.
    pub same: bool,
    /// Who merges.
    pub method: Method,
    /// Under which name fields are managed.
    pub manager: String,
    /// Whether the server merges over the fields of others.
    pub force_conflicts: bool,
    /// The steps.
    pub plan: Plan,
}

/// The form in which plans are stored; a newer kpkg may write another.
const PLAN_VERSION: &str = "kpkg.dev/plan.v1";

impl Planned {
    /// The bytes of a plan that is stored.
    pub fn to_file(&self) -> Result<Vec<u8>> {
        if self.release.sealed.is_some() {
            return Err(ReleaseError::PlanFile { problem: "it would hold values that are to be hidden".to_owned() });
        }
        let json = serde_json::json!({"version": PLAN_VERSION, "planned": self});
        serde_json::to_vec(&json).map_err(|error| ReleaseError::PlanFile { problem: error.to_string() })
    }

    /// Reads a stored plan.
    pub fn from_file(bytes: &[u8]) -> Result<Self> {
        let refuse = |problem: String| ReleaseError::PlanFile { problem };
        let mut json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        if json["version"] != PLAN_VERSION {
            return Err(refuse(format!("its version is {}", json["version"])));
        }
        serde_json::from_value(json["planned"].take()).map_err(|error| refuse(error.to_string()))
    }

    /// Whether it neither writes an object nor makes a revision.
    fn changes_nothing(&self, settings: &Settings) -> bool {
        let may_skip = settings.if_changed || self.operation == Operation::Install;
        self.same && self.plan.is_noop() && may_skip
    }

    /// Whether the description of the revision is the user's own.
    pub fn described(&self) -> bool {
        let words = &self.release.info.description;
        !["Preparing upgrade", "Initial install underway"].contains(&words.as_str())
    }
}

/// What came of an operation.
#[derive(Debug)]
pub enum Outcome {
    /// A new revision stands.
    New(Box<Release>),
    /// The release is as it should be; no revision was made.
    Unchanged(Box<Release>),
}

/// Plans what a draft asks for.
pub async fn plan(cluster: &Cluster, draft: Draft, history: &History, settings: &Settings) -> Result<Planned> {
    history.check_idle(Timestamp::now())?;
    let originals = history.originals(cluster)?;
    let Draft { operation, mut release, desired } = draft;
    known_kinds(cluster, &desired)?;
    let ids = desired.crds.iter().chain(&desired.objects).chain(&originals).map(|object| &object.id);
    let observed = observe(cluster, ids).await?;
    let method = if release.apply_method == "ssa" { Method::Server } else { Method::Client };
    let clients = history.newest().is_some_and(|it| it.apply_method != "ssa");
    let mut live = originals.iter().filter_map(|object| observed.get(&object.id));
    let manager = live.find_map(crate::managers::manager_of).unwrap_or(FIELD_MANAGER).to_owned();
    let rules = ChangeRules {
        manager: &manager,
        method,
        replace: settings.force_replace,
        take_ownership: settings.take_ownership,
        adopt_fields: method == Method::Server && (clients || operation == Operation::Rollback),
        upgrade_crds: operation == Operation::Upgrade,
        hooks: settings.hooks,
    };
    if rules.upgrade_crds {
        definitions::check(cluster, &desired.crds, &observed).await?;
    }
    let target = Target { release: &release.name, namespace: &release.namespace };
    let mut plan = plan::release(&desired, &originals, &observed, target, operation.events(), rules)?;
    let missing = missing_namespace(cluster, &release.namespace, settings).await?;
    if settings.rehearse {
        let apply = ApplySettings { method, ..settings.apply };
        rehearse::rehearse(cluster, &mut plan, &observed, apply, &manager, missing).await?;
    }
    if let Some(description) = &settings.description {
        release.info.description.clone_from(description);
    }
    Ok(Planned {
        operation,
        labels: release.labels.clone(),
        base: history.base(),
        same: history.newest().is_some_and(|it| it.info.status == Status::Deployed && draft::is_same(it, &release)),
        method,
        manager,
        force_conflicts: settings.apply.force_conflicts,
        release,
        plan,
    })
}

/// The release's namespace if it will be made; fails if it is missing and will not.
async fn missing_namespace<'a>(cluster: &Cluster, name: &'a str, settings: &Settings) -> Result<Option<&'a str>> {
    let found = Api::<Namespace>::all(cluster.client().clone()).get_metadata_opt(name).await;
    match found {
        Ok(None) if settings.create_namespace => Ok(Some(name)),
        Ok(None) => Err(ReleaseError::NoNamespace { namespace: name.to_owned() }),
        // Who may not look at namespaces may still work in one.
        Ok(Some(_)) | Err(kube::Error::Api(_)) => Ok(None),
        Err(error) => Err(ReleaseError::cluster(format!("read namespace `{name}`"))(error)),
    }
}

/// A kind that the cluster lacks must come with the release itself.
fn known_kinds(cluster: &Cluster, desired: &plan::Desired) -> Result<()> {
    for object in &desired.objects {
        let id = &object.id;
        let brings = |definition: &&crate::object::Object| {
            let group = definition.value["spec"]["group"].as_str().unwrap_or_default();
            definition.id.kind == "CustomResourceDefinition"
                && definition.value["spec"]["names"]["kind"] == id.kind.as_str()
                && id.api_version.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
        };
        let known = cluster.is_namespaced(&id.api_version, &id.kind).is_some();
        if !known && !desired.crds.iter().chain(&desired.objects).any(|it| brings(&it)) {
            return Err(ReleaseError::UnknownKind {
                source_file: object.source.clone(),
                api_version: id.api_version.clone(),
                kind: id.kind.clone(),
            });
        }
    }
    Ok(())
}

/// Carries a planned operation out.
pub async fn execute(
    cluster: &Cluster,
    planned: Planned,
    settings: &Settings,
    holder: &Holder,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let (name, namespace) = (planned.release.name.clone(), planned.release.namespace.clone());
    let store =
        RecordStore::namespaced(cluster.client().clone(), &namespace, settings.driver).with_keys(&settings.keys);
    // What changes nothing needs no lease, but takes away one that was left.
    if planned.changes_nothing(settings) {
        let history = History::read(&store, &name, &namespace).await?;
        if let Some(newest) = history.newest().filter(|_| history.base() == planned.base) {
            Lease::clear(cluster.client().clone(), &namespace, &name, holder).await?;
            return Ok(Outcome::Unchanged(Box::new(newest.clone())));
        }
    }
    if settings.create_namespace {
        ensure_namespace(cluster, &namespace).await?;
    }
    let lease = Lease::take(cluster.client().clone(), &namespace, &name, holder).await?;
    let work = Work { cluster, settings, holder, progress, lease: &lease, store: &store };
    let outcome = work.execute(planned).await;
    lease.give_up().await;
    outcome
}

/// What an operation works with while it holds the lease.
pub(crate) struct Work<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) settings: &'a Settings,
    pub(crate) holder: &'a Holder,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) lease: &'a Lease,
    pub(crate) store: &'a RecordStore,
}

impl Work<'_> {
    async fn execute(&self, mut planned: Planned) -> Result<Outcome> {
        let release = &planned.release;
        let mut history = History::read(self.store, &release.name, &release.namespace).await?;
        check_base(&planned, &history)?;
        if self.settings.verify {
            self.check_seen(&planned).await?;
        }
        self.repair(&mut history).await?;
        if planned.changes_nothing(self.settings)
            && let Some(newest) = history.newest()
        {
            return Ok(Outcome::Unchanged(Box::new(newest.clone())));
        }
        planned.release.labels = planned.labels.clone();
        let failed = match self.carry_out(&mut planned, &history).await {
            Ok(()) => return Ok(Outcome::New(Box::new(planned.release))),
            Err((error, applied)) => {
                if self.settings.cleanup_on_fail {
                    self.clean_up(&applied).await;
                }
                error
            }
        };
        if self.settings.rollback_on_failure && !matches!(failed, ReleaseError::LeaseLost { .. }) {
            return Err(self.undo(&planned, failed).await);
        }
        Err(failed)
    }

    /// Makes the revision: its record first, then its objects, then the record again.
    async fn carry_out(&self, planned: &mut Planned, history: &History) -> Result<(), (ReleaseError, Applied)> {
        let before = |error| (error, Applied::default());
        self.prune(history).await.map_err(before)?;
        let description = planned.release.info.description.clone();
        let release = &mut planned.release;
        release.trace = Some(Trace { holder: self.holder.identity.clone(), phase: "start".to_owned() });
        self.store.create(release).await.map_err(before)?;
        let mut applied = Applied::default();
        let apply =
            ApplySettings { method: planned.method, force_conflicts: planned.force_conflicts, ..self.settings.apply };
        let executor = Executor {
            cluster: self.cluster,
            settings: apply,
            manager: &planned.manager,
            progress: self.progress,
            lease: self.lease,
            record: (self.store, &*release),
        };
        let outcome = executor.run(&planned.plan, &mut applied).await;
        let word = planned.operation.as_str();
        let capital = word[..1].to_uppercase() + &word[1..];
        hooks::note(&mut planned.release, applied.hooks.iter());
        let release = &mut planned.release;
        match outcome {
            Ok(()) => {
                let own = self.settings.description.is_some() || planned.operation == Operation::Rollback;
                let words = if own { description } else { format!("{capital} complete") };
                release.set(Status::Deployed, words);
                let settled = self.settle(release, history, planned.operation).await;
                settled.map_err(|error| (error, applied))
            }
            Err(error) => {
                release.set(Status::Failed, format!("{capital} \"{}\" failed: {error}", release.name));
                // The failure matters more than a record that cannot be written because of it.
                if !matches!(error, ReleaseError::LeaseLost { .. })
                    && let Err(error) = self.store.update(release).await
                {
                    tracing::warn!(%error, "the failure could not be recorded");
                }
                Err((error, applied))
            }
        }
    }

    /// The new revision stands; the older ones no longer do.
    async fn settle(&self, release: &Release, history: &History, operation: Operation) -> Result<()> {
        self.store.update(release).await?;
        for old in &history.releases {
            match old.info.status {
                Status::Deployed => {
                    let mut old = old.clone();
                    old.info.status = Status::Superseded;
                    self.store.update(&old).await?;
                }
                // Attempts at a first installation are of no use to anybody.
                Status::Failed | Status::PendingInstall if operation == Operation::Install => {
                    self.store.delete(old).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets right what operations that died left in the records.
    pub(crate) async fn repair(&self, history: &mut History) -> Result<()> {
        let newest_deployed = history.deployed().map(|it| it.version);
        let newest = history.newest().map(|it| it.version);
        for release in &mut history.releases {
            let status = release.info.status;
            if status == Status::Deployed && Some(release.version) != newest_deployed {
                release.info.status = Status::Superseded;
            } else if status.is_pending() {
                let phase = release.trace.as_ref().map_or("", |it| it.phase.as_str()).to_owned();
                if Some(release.version) == newest {
                    let status = status.as_str();
                    self.progress.event(Event::Interrupted { revision: release.version, status, phase: &phase });
                }
                release.set(Status::Failed, format!("Interrupted while {status} (phase {phase})"));
            } else {
                continue;
            }
            self.store.update(release).await?;
        }
        Ok(())
    }

    /// Forgets the oldest revisions, the deployed one excepted (Helm's rule).
    async fn prune(&self, history: &History) -> Result<()> {
        let max = self.settings.history_max;
        if max == 0 || history.releases.len() < max {
            return Ok(());
        }
        let excess = history.releases.len() + 1 - max;
        let deployed = history.deployed().map(|it| it.version);
        let old = history.releases.iter().filter(|it| Some(it.version) != deployed);
        for release in old.take(excess) {
            self.store.delete(release).await?;
        }
        Ok(())
    }

    async fn clean_up(&self, applied: &Applied) {
        for id in &applied.created {
            match self.cluster.delete(id, self.settings.apply.cascade).await {
                Ok(_) => self.progress.event(Event::Deleted(id)),
                Err(error) => tracing::warn!(%error, "what was created could not be cleaned up"),
            }
        }
    }

    /// Takes back a failed operation: an installation is removed, everything else goes back to the
    /// last revision that stood.
    async fn undo(&self, planned: &Planned, cause: ReleaseError) -> ReleaseError {
        let name = planned.release.name.clone();
        let cause = Box::new(cause);
        match self.try_undo(planned).await {
            Ok(revision) => ReleaseError::RolledBack { name, revision, cause },
            Err(rollback) => ReleaseError::RollbackFailed { name, cause, rollback: Box::new(rollback) },
        }
    }

    async fn try_undo(&self, planned: &Planned) -> Result<i64> {
        let release = &planned.release;
        let history = History::read(self.store, &release.name, &release.namespace).await?;
        let Some(good) = history.last_good(release.version).map(|it| it.version) else {
            self.progress.event(Event::RollingBack(0));
            uninstall::remove(self, &history, false).await?;
            return Ok(0);
        };
        self.progress.event(Event::RollingBack(good));
        let settings =
            Settings { description: None, rehearse: false, rollback_on_failure: false, ..self.settings.clone() };
        let draft = draft::rollback(good, &history, &settings, self.cluster)?;
        let mut rollback = plan(self.cluster, draft, &history, &settings).await?;
        let work = Work { settings: &settings, ..*self };
        work.carry_out(&mut rollback, &history).await.map_err(|(error, _)| error)?;
        Ok(good)
    }

    /// Refuses if an object that the plan rests on is no longer as it was.
    async fn check_seen(&self, planned: &Planned) -> Result<()> {
        let writes =
            || planned.plan.steps().filter(|step| step.writes() && !matches!(step.action, plan::Action::Hook { .. }));
        let observed = observe(self.cluster, writes().map(|step| &step.id)).await?;
        for step in writes() {
            let now = observed.get(&step.id).map(plan::digest);
            if now != step.seen {
                let word = match (&step.seen, &now) {
                    (None, Some(_)) => "was created",
                    (Some(_), None) => "was deleted",
                    _ => "was changed",
                };
                return Err(ReleaseError::Moved {
                    name: planned.release.name.clone(),
                    what: format!("{} {word}", step.id),
                });
            }
        }
        Ok(())
    }
}

fn check_base(planned: &Planned, history: &History) -> Result<()> {
    let (then, now) = (planned.base, history.base());
    if then == now {
        return Ok(());
    }
    let name = planned.release.name.clone();
    let what =
        format!("revision {} was {}, now revision {} is {}", then.revision, then.status, now.revision, now.status);
    Err(ReleaseError::Moved { name, what })
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
