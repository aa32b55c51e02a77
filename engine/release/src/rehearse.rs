//! Asks the server what it would make of a plan, before anything is stored.
//!
//! The answers make the plan exact: the changes shown are those that will happen, and what would
//! change nothing is left out.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::apply::{ApplySettings, PARALLEL, send};
use crate::changes;
use crate::cluster::{Cluster, Write};
use crate::error::{ReleaseError, Result};
use crate::plan::{Action, KeepReason, Observed, PhaseKind, Plan, Step};

/// Sends every write of `plan` as a dry run and refines the plan by the answers.
///
/// Objects of kinds, or in namespaces, that the plan itself brings cannot be asked for and stay as
/// planned; `missing` is a namespace that will be made before.
pub async fn rehearse(
    cluster: &Cluster,
    plan: &mut Plan,
    observed: &Observed,
    settings: ApplySettings,
    manager: &str,
    missing: Option<&str>,
) -> Result<()> {
    let coming: HashSet<String> = plan
        .steps()
        .filter(|step| step.id.kind == "Namespace" && matches!(step.action, Action::Create { .. }))
        .map(|step| step.id.name.clone())
        .chain(missing.map(str::to_owned))
        .collect();
    let phases = plan.phases.iter_mut().filter(|it| matches!(it.kind, PhaseKind::Crds | PhaseKind::Main));
    let steps: Vec<&mut Step> = phases.flat_map(|phase| &mut phase.steps).collect();
    let ask = steps.into_iter().filter(|step| {
        step.writes()
            && cluster.is_namespaced(&step.id.api_version, &step.id.kind).is_some()
            && !coming.contains(&step.id.namespace)
    });
    let asked = ask.map(|step| async {
        let answer = send(cluster, step, &step.action, settings, Write { manager, dry_run: true }).await;
        refine(step, observed.get(&step.id), &tolerate(answer)?, manager);
        Ok(())
    });
    stream::iter(asked).buffer_unordered(PARALLEL).try_collect().await
}

/// Webhooks that cannot be rehearsed are no reason not to try.
fn tolerate(answer: Result<Value>) -> Result<Value> {
    match answer {
        Err(ReleaseError::Refused { message, .. }) if message.contains("does not support dry run") => Ok(Value::Null),
        other => other,
    }
}

fn refine(step: &mut Step, live: Option<&Value>, answer: &Value, manager: &str) {
    let Some(live) = live.filter(|_| answer.is_object()) else { return };
    let found = changes::changes(live, answer, false);
    // The first server-side apply makes us the owner of fields, even where no value changes.
    let settles = matches!(step.action, Action::Apply { .. })
        && live["metadata"]["managedFields"] != answer["metadata"]["managedFields"]
        && !crate::plan::is_applied(live, manager);
    if found.is_empty() && !settles {
        step.action = Action::Keep { reason: KeepReason::Same };
        return;
    }
    match &mut step.action {
        Action::Patch { changes, .. } | Action::Apply { changes, .. } | Action::Replace { changes, .. } => {
            *changes = found;
        }
        _ => {}
    }
}
