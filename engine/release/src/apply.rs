//! Carries a plan out: phase after phase, kind after kind, the objects of a kind at once.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;

use crate::cluster::{Cascade, Cluster, PatchKind, Write};
use crate::error::{ReleaseError, Result};
use crate::hooks;
use crate::lease::Lease;
use crate::merge::schema_of;
use crate::object::{Object, ObjectId};
use crate::plan::{Action, KeepReason, Method, Phase, PhaseKind, Plan, Step};
use crate::progress::{Event, Progress};
use crate::readiness::Rules;
use crate::record::{Hook, Release};
use crate::store::RecordStore;
use crate::wait;

/// Requests under way at once.
pub(crate) const PARALLEL: usize = 16;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Every object, by kstatus' rules.
    #[default]
    Watcher,
    /// Hooks only.
    HookOnly,
    /// Every object, by the rules of Helm 3.
    Legacy,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
pub struct ApplySettings {
    /// How long one hook, and all objects together, may take to become ready.
    pub timeout: Duration,
    /// What is waited for.
    pub wait: Wait,
    /// Whether Jobs must have completed to count as ready.
    pub wait_for_jobs: bool,
    /// Who merges changes.
    pub method: Method,
    /// Whether the server merges over the fields of others.
    pub force_conflicts: bool,
    /// What becomes of the dependents of deleted objects.
    pub cascade: Cascade,
}

impl ApplySettings {
    pub(crate) fn rules(&self) -> Rules {
        Rules { jobs_complete: self.wait_for_jobs, legacy: self.wait == Wait::Legacy }
    }
}

/// What came of a plan, complete or not.
#[derive(Debug, Default)]
pub struct Applied {
    /// The objects that it created.
    pub created: Vec<ObjectId>,
    /// The hooks that ran, with how they went.
    pub hooks: Vec<Hook>,
    /// The objects that were to be deleted and still existed when the time was up.
    pub lingering: Vec<ObjectId>,
}

/// What steps need of their surroundings.
pub struct Executor<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// How.
    pub settings: ApplySettings,
    /// Under which name fields are managed.
    pub manager: &'a str,
    /// Who hears of it.
    pub progress: &'a dyn Progress,
    /// The lease that must be held.
    pub lease: &'a Lease,
    /// The record in which phases are noted.
    pub record: (&'a RecordStore, &'a Release),
}

impl Executor<'_> {
    /// Carries `plan` out; ends at the first failure. `applied` tells what was done either way.
    pub async fn run(&self, plan: &Plan, applied: &mut Applied) -> Result<()> {
        let mut waited = false;
        for phase in &plan.phases {
            self.lease.check()?;
            let (store, record) = self.record;
            store.note(record, phase_name(phase.kind)).await?;
            match phase.kind {
                PhaseKind::PreHooks => hooks::run(self, phase, applied).await?,
                PhaseKind::PostHooks => {
                    self.wait_for_all(plan).await?;
                    waited = true;
                    hooks::run(self, phase, applied).await?;
                }
                PhaseKind::Crds | PhaseKind::Main | PhaseKind::Removal => self.objects(phase, applied).await?,
            }
            self.settle(phase, applied).await?;
        }
        if !waited {
            self.wait_for_all(plan).await?;
        }
        Ok(())
    }

    /// What a phase must have reached before the next one begins.
    async fn settle(&self, phase: &Phase, applied: &mut Applied) -> Result<()> {
        let written = || phase.steps.iter().filter(|it| it.writes()).map(|it| it.id.clone()).collect::<Vec<_>>();
        match phase.kind {
            PhaseKind::Crds if phase.steps.iter().any(Step::writes) => {
                wait::until_ready(
                    self.cluster,
                    &written(),
                    self.settings.timeout,
                    self.settings.rules(),
                    self.progress,
                )
                .await?;
                self.cluster.refresh().await
            }
            PhaseKind::Main => {
                // Definitions among the objects bring kinds that later objects are of.
                if phase.steps.iter().any(|it| it.writes() && it.id.kind == "CustomResourceDefinition") {
                    self.cluster.refresh().await?;
                }
                if phase.barrier {
                    let all: Vec<ObjectId> = phase.steps.iter().map(|step| step.id.clone()).collect();
                    let rules = Rules { jobs_complete: true, ..self.settings.rules() };
                    wait::until_ready(self.cluster, &all, self.settings.timeout, rules, self.progress).await?;
                }
                Ok(())
            }
            PhaseKind::Removal if phase.barrier && self.settings.wait != Wait::HookOnly => {
                let deleted = phase.steps.iter().filter(|it| matches!(it.action, Action::Delete));
                let deleted: Vec<ObjectId> = deleted.map(|it| it.id.clone()).collect();
                applied.lingering = wait::until_gone(self.cluster, &deleted, self.settings.timeout).await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn wait_for_all(&self, plan: &Plan) -> Result<()> {
        if self.settings.wait == Wait::HookOnly {
            return Ok(());
        }
        let main = plan.phases.iter().filter(|phase| phase.kind == PhaseKind::Main);
        let all: Vec<ObjectId> = main.flat_map(|phase| &phase.steps).map(|step| step.id.clone()).collect();
        wait::until_ready(self.cluster, &all, self.settings.timeout, self.settings.rules(), self.progress).await
    }

    /// Takes the steps of a phase: one kind after the other, as Helm orders them, each at once.
    async fn objects(&self, phase: &Phase, applied: &mut Applied) -> Result<()> {
        for batch in phase.steps.chunk_by(|a, b| a.id.kind == b.id.kind) {
            self.lease.check()?;
            let definitions = batch.iter().any(|it| it.id.kind == "CustomResourceDefinition" && it.writes());
            let mut done = stream::iter(batch.iter().map(|step| self.take(step))).buffered(PARALLEL);
            let mut failure = None;
            while let Some(outcome) = done.next().await {
                match outcome {
                    Ok(created) => applied.created.extend(created),
                    // The others of the batch are under way: what they do must be known.
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
            if definitions && phase.kind == PhaseKind::Main {
                let ids: Vec<ObjectId> = batch.iter().map(|it| it.id.clone()).collect();
                wait::until_ready(self.cluster, &ids, self.settings.timeout, self.settings.rules(), self.progress)
                    .await?;
                self.cluster.refresh().await?;
            }
        }
        Ok(())
    }

    /// Takes one step; answers the object if it was created.
    async fn take(&self, step: &Step) -> Result<Option<ObjectId>> {
        let event = match &step.action {
            Action::Keep { reason: KeepReason::Same } => return Ok(None),
            Action::Keep { .. } => Event::Kept(&step.id),
            Action::Delete if self.cluster.delete(&step.id, self.settings.cascade).await? => Event::Deleted(&step.id),
            Action::Delete => return Ok(None),
            action => {
                self.write(step, action).await?;
                if matches!(action, Action::Create { .. }) {
                    Event::Created(&step.id)
                } else {
                    Event::Changed(&step.id)
                }
            }
        };
        self.progress.event(event);
        Ok(matches!(step.action, Action::Create { .. }).then(|| step.id.clone()))
    }

    async fn write(&self, step: &Step, action: &Action) -> Result<Value> {
        let write = Write { manager: self.manager, dry_run: false };
        send(self.cluster, step, action, self.settings, write).await
    }
}

/// Sends what a step sends; answers the object as it is, or would be, afterwards.
pub(crate) async fn send(
    cluster: &Cluster,
    step: &Step,
    action: &Action,
    settings: ApplySettings,
    write: Write<'_>,
) -> Result<Value> {
    let whole = |value: &Value| Object { id: step.id.clone(), value: value.clone(), source: step.source.clone() };
    match action {
        Action::Create { object } if settings.method == Method::Server => {
            cluster.apply(&whole(object), settings.force_conflicts, write).await
        }
        Action::Create { object } => create(cluster, &whole(object), write).await,
        Action::Patch { patch, object, .. } => {
            let object = whole(object);
            let kind = if schema_of(&step.id.api_version, &step.id.kind).is_some() {
                PatchKind::Strategic
            } else {
                PatchKind::Merge
            };
            match cluster.patch(&object, patch, kind, write).await {
                // It went in the meantime: as wanted, it comes back whole.
                Err(ReleaseError::Refused { reason, .. }) if reason == "NotFound" => {
                    cluster.create(&object, write).await
                }
                outcome => outcome,
            }
        }
        Action::Apply { object, adopt_fields, .. } => {
            let object = whole(object);
            if *adopt_fields && !write.dry_run {
                cluster.adopt_fields(&object, write).await?;
            }
            // The fields that would come over first cannot be rehearsed: without force they would conflict.
            let force = settings.force_conflicts || (*adopt_fields && write.dry_run);
            cluster.apply(&object, force, write).await
        }
        Action::Replace { object, .. } => cluster.replace(&whole(object), write).await,
        Action::Keep { .. } | Action::Delete | Action::Hook { .. } => Ok(Value::Null),
    }
}

/// Creates an object. One that came into being after the plan was made must be the very same
/// release's: an answer that was lost on the way makes us send twice.
async fn create(cluster: &Cluster, object: &Object, write: Write<'_>) -> Result<Value> {
    match cluster.create(object, write).await {
        Err(ReleaseError::Refused { reason, source_file, object: id, message }) if reason == "AlreadyExists" => {
            let own = |key: &str| object.annotation(key).unwrap_or_default().to_owned();
            let (release, namespace) = (own("meta.helm.sh/release-name"), own("meta.helm.sh/release-namespace"));
            let live = cluster.get(&id).await?.unwrap_or_default();
            if release.is_empty() || crate::object::owner(&live, &release, &namespace) != crate::object::Owner::Ours {
                return Err(ReleaseError::Refused { reason, source_file, object: id, message });
            }
            let type_ = schema_of(&id.api_version, &id.kind);
            let kind = if type_.is_some() { PatchKind::Strategic } else { PatchKind::Merge };
            match crate::merge::three_way(type_, &Value::Null, &object.value, &live) {
                Some(patch) => cluster.patch(object, &patch, kind, write).await,
                None => Ok(live),
            }
        }
        outcome => outcome,
    }
}

/// The name under which a phase is noted in the record.
fn phase_name(kind: PhaseKind) -> &'static str {
    match kind {
        PhaseKind::Crds => "crds",
        PhaseKind::PreHooks => "pre-hooks",
        PhaseKind::Main => "main",
        PhaseKind::Removal => "removal",
        PhaseKind::PostHooks => "post-hooks",
    }
}
