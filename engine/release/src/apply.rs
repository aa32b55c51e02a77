//! Carries a plan out, step by step.

use std::time::Duration;

use crate::cluster::{Cluster, Write};
use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId};
use crate::plan::{Phase, PhaseKind, Plan, Step};
use crate::progress::{Event, Progress};
use crate::readiness::{Readiness, readiness};
use crate::record::Hook;
use crate::wait;

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
pub struct ApplySettings {
    /// How long one hook, and all objects together, may take to become ready.
    pub timeout: Duration,
    /// Whether to wait for the objects to become ready before the hooks that follow them.
    pub wait: bool,
}

/// Asks the server whether it would take every object, before anything is stored.
///
/// Objects of kinds that the plan itself brings cannot be asked for yet and are passed over.
pub async fn rehearse(cluster: &Cluster, plan: &Plan) -> Result<()> {
    for step in plan.phases.iter().flat_map(|phase| &phase.steps) {
        let (object, create) = match step {
            Step::Create(object) => (object, true),
            Step::Change(object) => (object, false),
            Step::Keep(_) | Step::Delete(_) | Step::Hook(..) => continue,
        };
        if cluster.is_namespaced(&object.id.api_version, &object.id.kind).is_none() {
            continue;
        }
        if create {
            cluster.create(object, Write::DryRun).await?;
        } else {
            cluster.merge(object, Write::DryRun).await?;
        }
    }
    Ok(())
}

/// Carries `plan` out; ends at the first failure.
pub async fn apply(cluster: &Cluster, plan: &Plan, settings: ApplySettings, progress: &dyn Progress) -> Result<()> {
    for phase in &plan.phases {
        for step in &phase.steps {
            take(cluster, step, settings, progress).await?;
        }
        let waits = phase.kind == PhaseKind::Crds || (phase.kind == PhaseKind::Main && settings.wait);
        if waits {
            wait::until_ready(cluster, &written(phase), settings.timeout, progress).await?;
        }
    }
    Ok(())
}

fn written(phase: &Phase) -> Vec<ObjectId> {
    let written = |step: &Step| match step {
        Step::Create(object) | Step::Change(object) => Some(object.id.clone()),
        Step::Keep(_) | Step::Delete(_) | Step::Hook(..) => None,
    };
    phase.steps.iter().filter_map(written).collect()
}

async fn take(cluster: &Cluster, step: &Step, settings: ApplySettings, progress: &dyn Progress) -> Result<()> {
    match step {
        Step::Create(object) => {
            cluster.create(object, Write::Store).await?;
            progress.event(Event::Created(&object.id));
        }
        Step::Change(object) => {
            cluster.merge(object, Write::Store).await?;
            progress.event(Event::Changed(&object.id));
        }
        Step::Keep(id) => progress.event(Event::Kept(id)),
        Step::Delete(id) => {
            if cluster.delete(id).await? {
                progress.event(Event::Deleted(id));
            }
        }
        Step::Hook(hook, object) => run_hook(cluster, hook, object, settings, progress).await?,
    }
    Ok(())
}

/// Creates a hook's object, waits for its end, and deletes it as its policies say.
async fn run_hook(
    cluster: &Cluster,
    hook: &Hook,
    object: &Object,
    settings: ApplySettings,
    progress: &dyn Progress,
) -> Result<()> {
    let event = hook.events.first().map_or("", String::as_str);
    progress.event(Event::HookStarted(&object.id, event));
    // Without any policy the object is replaced at the next run (Helm's default).
    let has = |policy: &str| hook.delete_policies.iter().any(|it| it == policy);
    if (has("before-hook-creation") || hook.delete_policies.is_empty()) && cluster.delete(&object.id).await? {
        wait::until_gone(cluster, std::slice::from_ref(&object.id), settings.timeout).await?;
    }
    let ended = match cluster.create(object, Write::Store).await {
        Ok(()) => hook_end(cluster, event, object, settings.timeout).await,
        Err(error) => Err(error),
    };
    let policy = if ended.is_ok() { "hook-succeeded" } else { "hook-failed" };
    if has(policy) {
        cluster.delete(&object.id).await?;
    }
    ended
}

/// Waits until a hook's Pod or Job has ended; other kinds are done once they exist.
async fn hook_end(cluster: &Cluster, event: &str, object: &Object, timeout: Duration) -> Result<()> {
    let deadline = tokio::time::Instant::now() + timeout;
    let failed = |reason: String| ReleaseError::Hook { event: event.to_owned(), object: object.id.clone(), reason };
    loop {
        let Some(live) = cluster.get(&object.id).await? else {
            return Err(failed("it was deleted".to_owned()));
        };
        let done = match object.id.kind.as_str() {
            "Pod" => live["status"]["phase"] == "Succeeded",
            "Job" => live["status"]["conditions"]
                .as_array()
                .is_some_and(|list| list.iter().any(|it| it["type"] == "Complete" && it["status"] == "True")),
            _ => true,
        };
        if done {
            return Ok(());
        }
        let reason = match readiness(&live) {
            Readiness::Failed(reason) => Some(reason),
            _ if tokio::time::Instant::now() >= deadline => {
                Some(format!("it did not end within {}s", timeout.as_secs()))
            }
            _ => None,
        };
        if let Some(mut reason) = reason {
            for line in crate::explain::explain(cluster, &object.id).await {
                reason.push_str("\n  ");
                reason.push_str(&line);
            }
            return Err(failed(reason));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
