//! Runs the hooks of one event: one after the other, each to its end, with Helm's delete and log policies.

use std::time::Duration;

use jiff::Timestamp;

use crate::apply::{Applied, Executor};
use crate::cluster::{Cascade, Cluster, Write};
use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId};
use crate::plan::{Action, Method, Phase, Step};
use crate::progress::Event;
use crate::readiness::{Readiness, Rules, readiness};
use crate::record::{Hook, HookRun, Release};
use crate::wait;

/// A hook under way.
struct Run<'a> {
    hook: Hook,
    event: &'a str,
    object: Object,
}

/// Runs the hooks of a phase. When one fails, the earlier ones are still deleted as their policies say.
pub(crate) async fn run(executor: &Executor<'_>, phase: &Phase, applied: &mut Applied) -> Result<()> {
    let mut runs: Vec<Run<'_>> = phase.steps.iter().filter_map(Run::of).collect();
    let mut failure = None;
    let mut ended = 0;
    for index in 0..runs.len() {
        executor.lease.check()?;
        let (before, rest) = runs.split_at_mut(index);
        let earlier = applied.hooks.iter().chain(before.iter().map(|it| &it.hook));
        let outcome = one(executor, &mut rest[0], earlier).await;
        ended += 1;
        if let Err(error) = outcome {
            failure = Some(error);
            break;
        }
    }
    let tidied = tidy(executor, &mut runs[..ended], failure.is_some()).await;
    applied.hooks.extend(runs.into_iter().take(ended).map(|run| run.hook));
    match failure {
        Some(error) => Err(error),
        None => tidied,
    }
}

/// Logs and deletions after the last hook, the newest first.
async fn tidy(executor: &Executor<'_>, runs: &mut [Run<'_>], failed: bool) -> Result<()> {
    let count = runs.len();
    for (index, run) in runs.iter_mut().enumerate().rev() {
        let policy = if failed && index + 1 == count { "hook-failed" } else { "hook-succeeded" };
        if has(&run.hook.output_log_policies, policy) {
            logs(executor, &run.object.id).await;
        }
        if has(&run.hook.delete_policies, policy) {
            delete(executor, run).await?;
        }
    }
    Ok(())
}

fn has(policies: &[String], wanted: &str) -> bool {
    policies.iter().any(|it| it == wanted)
}

impl<'a> Run<'a> {
    fn of(step: &'a Step) -> Option<Self> {
        let Action::Hook { hook, event, object } = &step.action else { return None };
        let object = Object { id: step.id.clone(), value: object.clone(), source: step.source.clone() };
        let mut hook = (**hook).clone();
        // Without any policy the object is replaced at the next run (Helm's default).
        if hook.delete_policies.is_empty() {
            hook.delete_policies.push("before-hook-creation".to_owned());
        }
        Some(Self { hook, event, object })
    }
}

/// Creates a hook's object and waits for its end. The record says first that it runs, and how `earlier` ones went.
async fn one<'a>(executor: &Executor<'_>, run: &mut Run<'_>, earlier: impl Iterator<Item = &'a Hook>) -> Result<()> {
    let id = run.object.id.clone();
    executor.progress.event(Event::HookStarted(&id, run.event));
    if has(&run.hook.delete_policies, "before-hook-creation") {
        delete(executor, run).await?;
    }
    run.hook.last_run = HookRun { started_at: Some(Timestamp::now()), completed_at: None, phase: "Running".to_owned() };
    let (store, record) = executor.record;
    let mut record = record.clone();
    note(&mut record, earlier);
    note(&mut record, std::iter::once(&run.hook));
    store.update(&record).await?;
    let write = Write { manager: executor.manager, dry_run: false };
    let created = match executor.settings.method {
        Method::Server => executor.cluster.apply(&run.object, false, write).await,
        Method::Client => executor.cluster.create(&run.object, write).await,
    };
    let outcome = match created {
        Ok(_) => end(executor.cluster, run.event, &run.object, executor.settings.timeout).await,
        Err(error) => Err(error),
    };
    run.hook.last_run.completed_at = Some(Timestamp::now());
    run.hook.last_run.phase = if outcome.is_ok() { "Succeeded" } else { "Failed" }.to_owned();
    executor.progress.event(Event::HookEnded(&id, outcome.is_ok()));
    outcome
}

/// Notes in a record how hooks went.
pub(crate) fn note<'a>(release: &mut Release, runs: impl Iterator<Item = &'a Hook>) {
    for run in runs {
        let same = |hook: &&mut Hook| hook.name == run.name && hook.path == run.path;
        if let Some(hook) = release.hooks.iter_mut().find(same) {
            hook.last_run.clone_from(&run.last_run);
            hook.delete_policies.clone_from(&run.delete_policies);
        }
    }
}

/// Deletes a hook's object and waits until it is gone; definitions stay, for their objects would go with them.
async fn delete(executor: &Executor<'_>, run: &Run<'_>) -> Result<()> {
    let id = &run.object.id;
    if id.kind == "CustomResourceDefinition" || executor.cluster.is_namespaced(&id.api_version, &id.kind).is_none() {
        return Ok(());
    }
    if !executor.cluster.delete(id, Cascade::Background).await? {
        return Ok(());
    }
    let left = wait::until_gone(executor.cluster, std::slice::from_ref(id), executor.settings.timeout).await?;
    if left.is_empty() {
        return Ok(());
    }
    let reason = format!("its object of an earlier run is not gone after {}s", executor.settings.timeout.as_secs());
    Err(ReleaseError::Hook { event: run.event.to_owned(), object: id.clone(), reason })
}

/// Tells the logs of a hook's pods.
async fn logs(executor: &Executor<'_>, id: &ObjectId) {
    for (pod, container, text) in pod_logs(executor.cluster, id).await {
        executor.progress.event(Event::HookLog { pod: &pod, container: &container, text: &text });
    }
}

/// What the containers of a Pod, or of a Job's pods, logged: pod, container and text.
pub async fn pod_logs(cluster: &Cluster, id: &ObjectId) -> Vec<(String, String, String)> {
    let pods = match id.kind.as_str() {
        "Pod" => cluster.get(id).await.ok().flatten().into_iter().collect(),
        "Job" => {
            let selector = format!("job-name={}", id.name);
            cluster.list("v1", "Pod", &id.namespace, &selector).await.unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for pod in pods {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        for list in ["initContainers", "containers"] {
            for container in pod["spec"][list].as_array().into_iter().flatten() {
                let container = container["name"].as_str().unwrap_or_default();
                // A log that cannot be read is no reason to fail what succeeded.
                let text = cluster.log(&id.namespace, name, container).await.unwrap_or_default();
                found.push((name.to_owned(), container.to_owned(), text));
            }
        }
    }
    found
}

/// Waits until a hook's Pod or Job has ended; other kinds are done once they exist.
async fn end(cluster: &Cluster, event: &str, object: &Object, timeout: Duration) -> Result<()> {
    let deadline = tokio::time::Instant::now() + timeout;
    let failed = |reason: String| ReleaseError::Hook { event: event.to_owned(), object: object.id.clone(), reason };
    if !["Pod", "Job"].contains(&object.id.kind.as_str()) {
        return Ok(());
    }
    loop {
        let Some(live) = cluster.get(&object.id).await? else {
            return Err(failed("it was deleted".to_owned()));
        };
        let rules = Rules { jobs_complete: true, legacy: false };
        let reason = match readiness(&live, rules) {
            Readiness::Failed(reason) => reason,
            Readiness::Ready if object.id.kind == "Job" || live["status"]["phase"] == "Succeeded" => return Ok(()),
            _ if tokio::time::Instant::now() >= deadline => format!("it did not end within {}s", timeout.as_secs()),
            _ => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let details = crate::explain::explain(cluster, &object.id).await;
        let lines: Vec<String> = std::iter::once(reason).chain(details).collect();
        return Err(failed(lines.join("\n  ")));
    }
}
