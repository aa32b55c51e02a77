//! The plan: what will be done to a cluster, as data, before any of it is done.
//!
//! [`release`] plans an installation, upgrade or rollback, [`uninstall`] a removal. Both are pure:
//! from what is wanted, what was applied last and what was observed, to steps. A plan can be
//! printed, stored and carried out later.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::changes::{FieldChange, changes};
use crate::error::{ReleaseError, Result};
use crate::merge::{schema_of, three_way};
use crate::object::{Object, ObjectId, Owner, owner};
use crate::order::{self, ChartOrder};
use crate::record::Hook;

/// What will be done, phase after phase.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The phases in order.
    pub phases: Vec<Phase>,
}

/// Steps that belong together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Phase {
    /// Which part of the operation it is.
    pub kind: PhaseKind,
    /// Whether its objects must be ready before the next phase, whatever else is waited for.
    pub barrier: bool,
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// The parts of an operation, in their order. `Main` comes in waves where objects depend on others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseKind {
    /// Custom resource definitions, before objects of their kinds.
    Crds,
    /// Hooks that run before the objects change.
    PreHooks,
    /// The objects themselves.
    Main,
    /// Objects that the release no longer has.
    Removal,
    /// Hooks that run afterwards.
    PostHooks,
}

/// One thing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// The object.
    pub id: ObjectId,
    /// The template that wrote it.
    pub source: String,
    /// What is done with it.
    pub action: Action,
    /// A digest of the live object on which the step rests; none if there was no object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// What is done with an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Create it.
    Create {
        /// The object.
        object: Value,
    },
    /// Send the fields that differ.
    Patch {
        /// The patch.
        patch: Value,
        /// The whole object as wanted, for when it is gone by then.
        object: Value,
        /// What changes.
        changes: Vec<FieldChange>,
    },
    /// Let the server merge it.
    Apply {
        /// The object.
        object: Value,
        /// What changes.
        changes: Vec<FieldChange>,
        /// Fields that clients merged before become the server's to merge.
        adopt_fields: bool,
    },
    /// Put it in the place of the live one.
    Replace {
        /// The object.
        object: Value,
        /// What changes.
        changes: Vec<FieldChange>,
    },
    /// Leave it as it is.
    Keep {
        /// Why.
        reason: KeepReason,
    },
    /// Delete it.
    Delete,
    /// Run it and wait for its end.
    Hook {
        /// The hook as it will be recorded.
        hook: Box<Hook>,
        /// Which event it runs for.
        event: String,
        /// Its object.
        object: Value,
    },
}

/// Why an object is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepReason {
    /// It is as it should be.
    Same,
    /// It asks to be kept (`helm.sh/resource-policy: keep`).
    Policy,
    /// It belongs to somebody else by now.
    Foreign,
}

/// A release as rendered: what a plan is made from.
#[derive(Debug, Default, Clone)]
pub struct Desired {
    /// Custom resource definitions from the charts' `crds/`.
    pub crds: Vec<Object>,
    /// The objects in the order of their installation.
    pub objects: Vec<Object>,
    /// The hooks, each with its object.
    pub hooks: Vec<(Hook, Object)>,
    /// Which subcharts come before which.
    pub charts: ChartOrder,
}

/// The live objects that a plan must know, by identity.
pub type Observed = HashMap<ObjectId, Value>;

/// Who merges changes into live objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// The client, by three-way merge.
    #[serde(rename = "csa")]
    Client,
    /// The server (server-side apply).
    #[serde(rename = "ssa")]
    Server,
}

impl Method {
    /// Helm's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "csa",
            Self::Server => "ssa",
        }
    }
}

/// How objects are changed.
#[derive(Debug, Clone, Copy)]
pub struct ChangeRules<'a> {
    /// Under which name fields are managed.
    pub manager: &'a str,
    /// Who merges.
    pub method: Method,
    /// Replace objects instead of merging.
    pub replace: bool,
    /// Take objects that belong to nobody or to another release.
    pub take_ownership: bool,
    /// Whether objects that clients merged before go over to the server.
    pub adopt_fields: bool,
    /// Whether definitions in `crds/` that exist are upgraded.
    pub upgrade_crds: bool,
    /// Whether hooks run.
    pub hooks: bool,
}

/// The names of the events before and after an operation.
pub type Events = (&'static str, &'static str);

/// Whose release it is.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its name.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

/// Plans an installation, upgrade or rollback: creates what is missing, changes what differs,
/// deletes what `original` had and `desired` has not, and refuses to touch what is another's.
pub fn release(
    desired: &Desired,
    original: &[Object],
    observed: &Observed,
    target: Target<'_>,
    events: Events,
    rules: ChangeRules<'_>,
) -> Result<Plan> {
    check_duplicates(&desired.objects)?;
    let originals: HashMap<&ObjectId, &Object> = original.iter().map(|object| (&object.id, object)).collect();
    let mut steps: Vec<Option<Step>> = Vec::with_capacity(desired.objects.len());
    for object in &desired.objects {
        let before = originals.get(&object.id).copied();
        steps.push(Some(object_step(object, before, observed.get(&object.id), target, rules)?));
    }
    let crds = desired.crds.iter().map(|crd| crd_step(crd, observed.get(&crd.id), rules)).collect();
    let hooks = |event: &str| if rules.hooks { hooks(&desired.hooks, event) } else { Vec::new() };
    let mut phases = vec![
        Phase { kind: PhaseKind::Crds, barrier: true, steps: crds },
        Phase { kind: PhaseKind::PreHooks, barrier: false, steps: hooks(events.0) },
    ];
    let waves = order::waves(&desired.objects, &desired.charts)?;
    let last = waves.len().saturating_sub(1);
    for (number, wave) in waves.into_iter().enumerate() {
        let steps = wave.into_iter().filter_map(|index| steps[index].take()).collect();
        phases.push(Phase { kind: PhaseKind::Main, barrier: number < last, steps });
    }
    phases.push(Phase {
        kind: PhaseKind::Removal,
        barrier: false,
        steps: removals(desired, original, observed, target),
    });
    phases.push(Phase { kind: PhaseKind::PostHooks, barrier: false, steps: hooks(events.1) });
    phases.retain(|phase| !phase.steps.is_empty());
    Ok(Plan { phases })
}

fn object_step(
    object: &Object,
    original: Option<&Object>,
    live: Option<&Value>,
    target: Target<'_>,
    rules: ChangeRules<'_>,
) -> Result<Step> {
    let mut object = object.clone();
    object.mark_owned(target.release, target.namespace);
    let Some(live) = live else {
        return Ok(Step::of(object, None, |object| Action::Create { object }));
    };
    if let Owner::Foreign(owner) = owner(live, target.release, target.namespace)
        && original.is_none()
        && !rules.take_ownership
    {
        return Err(ReleaseError::Foreign { object: object.id, release: target.release.to_owned(), owner });
    }
    let mut before = original.cloned();
    if let Some(before) = &mut before {
        before.mark_owned(target.release, target.namespace);
    }
    let null = Value::Null;
    let original = before.as_ref().map_or(&null, |it| &it.value);
    Ok(change(object, original, live, rules))
}

/// The step that takes a live object to what it should be.
fn change(object: Object, original: &Value, live: &Value, rules: ChangeRules<'_>) -> Step {
    let type_ = schema_of(&object.id.api_version, &object.id.kind);
    let patch = three_way(type_, original, &object.value, live);
    let server = rules.method == Method::Server && !rules.replace;
    // What the server merges it must have merged before, or it would not know the owner of the fields.
    let settled = !server || (*original == object.value && is_applied(live, rules.manager));
    let Some(patch) = patch.or_else(|| (!settled).then(|| Value::Object(serde_json::Map::new()))) else {
        return Step::of(object, Some(live), |_| Action::Keep { reason: KeepReason::Same });
    };
    let found = changes(live, &merged(type_.is_some(), &object, live, &patch), false);
    Step::of(object, Some(live), |object| match (rules.replace, rules.method) {
        (true, _) => Action::Replace { object, changes: found },
        (false, Method::Client) => Action::Patch { patch, object, changes: found },
        (false, Method::Server) => Action::Apply { object, changes: found, adopt_fields: rules.adopt_fields },
    })
}

/// What a live object will probably be: the server may add defaults, and says so when it is asked.
fn merged(strategic: bool, object: &Object, live: &Value, patch: &Value) -> Value {
    let mut result = live.clone();
    let type_ = schema_of(&object.id.api_version, &object.id.kind);
    match type_ {
        Some(type_) if strategic => {
            let mode = kpkg_api::patch::strategic::Mode::ApiServer;
            // A patch of our own making applies; if not, what is wanted is shown as it stands.
            if kpkg_api::patch::strategic::apply(mode, type_, &mut result, patch).is_err() {
                return object.value.clone();
            }
        }
        _ => kpkg_api::patch::merge(&mut result, patch),
    }
    result
}

/// Whether releases' fields in a live object were merged by the server.
pub(crate) fn is_applied(live: &Value, manager: &str) -> bool {
    live["metadata"]["managedFields"]
        .as_array()
        .is_some_and(|entries| entries.iter().any(|it| it["manager"] == manager && it["operation"] == "Apply"))
}

/// Definitions belong to no release: they are made where missing, and merged where upgrades bring new ones.
fn crd_step(crd: &Object, live: Option<&Value>, rules: ChangeRules<'_>) -> Step {
    match live {
        None => Step::of(crd.clone(), None, |object| Action::Create { object }),
        Some(live) if rules.upgrade_crds => {
            change(crd.clone(), &Value::Null, live, ChangeRules { method: Method::Client, replace: false, ..rules })
        }
        // As Helm does: definitions that exist are left alone by installations.
        Some(live) => Step::of(crd.clone(), Some(live), |_| Action::Keep { reason: KeepReason::Same }),
    }
}

/// What the release no longer has, in reverse.
fn removals(desired: &Desired, original: &[Object], observed: &Observed, target: Target<'_>) -> Vec<Step> {
    let wanted: HashSet<&ObjectId> = desired.objects.iter().map(|object| &object.id).collect();
    let mut seen = HashSet::new();
    let gone = original.iter().rev().filter(|object| !wanted.contains(&object.id) && seen.insert(&object.id));
    gone.filter_map(|object| {
        let live = observed.get(&object.id)?;
        Some(Step::of(object.clone(), Some(live), |_| removal(object, live, target)))
    })
    .collect()
}

fn removal(object: &Object, live: &Value, target: Target<'_>) -> Action {
    let live_object = Object { id: object.id.clone(), value: live.clone(), source: String::new() };
    if live_object.is_kept() {
        return Action::Keep { reason: KeepReason::Policy };
    }
    match owner(live, target.release, target.namespace) {
        Owner::Ours => Action::Delete,
        Owner::Foreign(_) => Action::Keep { reason: KeepReason::Foreign },
    }
}

/// Plans a removal: everything in reverse, kept objects excepted.
pub fn uninstall(desired: &Desired, observed: &Observed, target: Target<'_>, with_hooks: bool) -> Plan {
    let main = desired.objects.iter().rev().filter_map(|object| {
        let live = observed.get(&object.id)?;
        Some(Step::of(object.clone(), Some(live), |_| {
            // Helm reads the policy from the record here, and from the live object in upgrades.
            if object.is_kept() { Action::Keep { reason: KeepReason::Policy } } else { removal(object, live, target) }
        }))
    });
    let hooks = |event: &str| if with_hooks { hooks(&desired.hooks, event) } else { Vec::new() };
    let mut phases = vec![
        Phase { kind: PhaseKind::PreHooks, barrier: false, steps: hooks("pre-delete") },
        Phase { kind: PhaseKind::Removal, barrier: true, steps: main.collect() },
        Phase { kind: PhaseKind::PostHooks, barrier: false, steps: hooks("post-delete") },
    ];
    phases.retain(|phase| !phase.steps.is_empty());
    Plan { phases }
}

/// The hooks of one event, by weight, then name (Helm's rule).
pub fn hooks(hooks: &[(Hook, Object)], event: &str) -> Vec<Step> {
    let mut chosen: Vec<_> = hooks.iter().filter(|(hook, _)| hook.events.iter().any(|it| it == event)).collect();
    chosen.sort_by(|(a, _), (b, _)| (a.weight, &a.name).cmp(&(b.weight, &b.name)));
    let step = |(hook, object): &(Hook, Object)| {
        Step::of(object.clone(), None, |object| Action::Hook {
            hook: Box::new(hook.clone()),
            event: event.to_owned(),
            object,
        })
    };
    chosen.into_iter().map(step).collect()
}

fn check_duplicates(objects: &[Object]) -> Result<()> {
    let mut seen: HashMap<&ObjectId, &str> = HashMap::new();
    for object in objects {
        if let Some(first) = seen.insert(&object.id, &object.source) {
            return Err(ReleaseError::Duplicate {
                object: object.id.clone(),
                first: first.to_owned(),
                second: object.source.clone(),
            });
        }
    }
    Ok(())
}

// === impl Step ===

impl Step {
    fn of(object: Object, live: Option<&Value>, action: impl FnOnce(Value) -> Action) -> Self {
        Self { id: object.id, source: object.source, action: action(object.value), seen: live.map(digest) }
    }

    /// Whether carrying it out writes to the cluster.
    pub fn writes(&self) -> bool {
        !matches!(self.action, Action::Keep { .. })
    }
}

/// What tells two states of an object apart, whatever the server and controllers add by themselves.
pub fn digest(live: &Value) -> String {
    let essence = crate::changes::essence(live);
    let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
    crate::digest::of(format!("{uid}\n{essence}").as_bytes())
}

// === impl Plan ===

impl Plan {
    /// All steps in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.phases.iter().flat_map(|phase| &phase.steps)
    }

    /// Whether nothing but hooks would run.
    pub fn is_noop(&self) -> bool {
        !self.steps().any(|step| step.writes() && !matches!(step.action, Action::Hook { .. }))
    }

    /// How many objects are created, changed, deleted and left alone.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for step in self.steps() {
            match step.action {
                Action::Create { .. } => counts[0] += 1,
                Action::Patch { .. } | Action::Apply { .. } | Action::Replace { .. } => counts[1] += 1,
                Action::Delete => counts[2] += 1,
                Action::Keep { .. } => counts[3] += 1,
                Action::Hook { .. } => {}
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests;
