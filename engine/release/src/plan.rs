//! The plan: what will be done to a cluster, as data, before any of it is done.

use std::collections::HashMap;

use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId, Owner, owner};
use crate::record::Hook;

/// What will be done, phase after phase.
#[derive(Debug, Default)]
pub struct Plan {
    /// The phases in order.
    pub phases: Vec<Phase>,
}

/// Steps that belong together.
#[derive(Debug)]
pub struct Phase {
    /// Which part of the operation it is.
    pub kind: PhaseKind,
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// The parts of an operation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseKind {
    /// Custom resource definitions, before objects of their kinds.
    Crds,
    /// Hooks that run before the objects change.
    PreHooks,
    /// The objects themselves.
    Main,
    /// Hooks that run afterwards.
    PostHooks,
}

/// One thing to do.
#[derive(Debug)]
pub enum Step {
    /// Create an object.
    Create(Object),
    /// Change an object that the release owns already.
    Change(Object),
    /// Leave an object as it is.
    Keep(ObjectId),
    /// Delete an object.
    Delete(ObjectId),
    /// Run a hook and wait for its end.
    Hook(Box<Hook>, Object),
}

/// A release as rendered: what a plan is made from.
#[derive(Debug, Default)]
pub struct Desired {
    /// Custom resource definitions from the charts' `crds/`.
    pub crds: Vec<Object>,
    /// The objects in the order of their installation.
    pub objects: Vec<Object>,
    /// The hooks, each with its object.
    pub hooks: Vec<(Hook, Object)>,
}

/// The live objects that a plan must know, by identity.
pub type Observed = HashMap<ObjectId, serde_json::Value>;

/// Plans an installation: creates what is missing, takes over what an interrupted attempt of the
/// same release left, and refuses to touch what belongs to anybody else.
pub fn install(desired: &Desired, observed: &Observed, release: &str, namespace: &str) -> Result<Plan> {
    check_duplicates(&desired.objects)?;
    let crds = desired.crds.iter().map(|crd| match observed.get(&crd.id) {
        // As Helm does: definitions in `crds/` are installed once and then left alone.
        Some(_) => Step::Keep(crd.id.clone()),
        None => Step::Create(crd.clone()),
    });
    let mut main = Vec::new();
    for object in &desired.objects {
        let mut object = object.clone();
        object.mark_owned(release, namespace);
        main.push(match observed.get(&object.id).map(|live| owner(live, release, namespace)) {
            None => Step::Create(object),
            Some(Owner::Ours) => Step::Change(object),
            Some(Owner::Foreign(owner)) => {
                return Err(ReleaseError::Foreign { object: object.id, release: release.to_owned(), owner });
            }
        });
    }
    Ok(Plan {
        phases: vec![
            Phase { kind: PhaseKind::Crds, steps: crds.collect() },
            Phase { kind: PhaseKind::PreHooks, steps: hooks(&desired.hooks, "pre-install") },
            Phase { kind: PhaseKind::Main, steps: main },
            Phase { kind: PhaseKind::PostHooks, steps: hooks(&desired.hooks, "post-install") },
        ],
    })
}

/// Plans a removal: everything in reverse, kept objects excepted.
pub fn uninstall(desired: &Desired) -> Plan {
    let main =
        desired.objects.iter().rev().map(|object| {
            if object.is_kept() { Step::Keep(object.id.clone()) } else { Step::Delete(object.id.clone()) }
        });
    Plan {
        phases: vec![
            Phase { kind: PhaseKind::PreHooks, steps: hooks(&desired.hooks, "pre-delete") },
            Phase { kind: PhaseKind::Main, steps: main.collect() },
            Phase { kind: PhaseKind::PostHooks, steps: hooks(&desired.hooks, "post-delete") },
        ],
    }
}

/// The hooks of one event, by weight, then kind order as rendered, then name (Helm's rule).
fn hooks(hooks: &[(Hook, Object)], event: &str) -> Vec<Step> {
    let mut chosen: Vec<_> = hooks.iter().filter(|(hook, _)| hook.events.iter().any(|it| it == event)).collect();
    chosen.sort_by(|(a, _), (b, _)| (a.weight, &a.name).cmp(&(b.weight, &b.name)));
    chosen.into_iter().map(|(hook, object)| Step::Hook(Box::new(hook.clone()), object.clone())).collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, annotations: serde_json::Value) -> Object {
        let id = ObjectId {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: "default".into(),
            name: name.into(),
        };
        let value =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": annotations}});
        Object { id, value, source: format!("chart/templates/{name}.yaml") }
    }

    fn names(plan: &Plan, kind: PhaseKind) -> Vec<String> {
        let phase = plan.phases.iter().find(|phase| phase.kind == kind).unwrap();
        let name = |step: &Step| match step {
            Step::Create(object) => format!("create {}", object.id.name),
            Step::Change(object) => format!("change {}", object.id.name),
            Step::Keep(id) => format!("keep {}", id.name),
            Step::Delete(id) => format!("delete {}", id.name),
            Step::Hook(_, object) => format!("hook {}", object.id.name),
        };
        phase.steps.iter().map(name).collect()
    }

    #[test]
    fn installing_creates_takes_over_and_refuses() {
        let desired = Desired { objects: vec![object("a", json!({})), object("b", json!({}))], ..Desired::default() };
        let mut observed = Observed::new();
        let plan = install(&desired, &observed, "web", "default").unwrap();
        assert_eq!(names(&plan, PhaseKind::Main), ["create a", "create b"]);

        let mut ours = object("b", json!({}));
        ours.mark_owned("web", "default");
        observed.insert(ours.id.clone(), ours.value.clone());
        let plan = install(&desired, &observed, "web", "default").unwrap();
        assert_eq!(names(&plan, PhaseKind::Main), ["create a", "change b"]);

        let error = install(&desired, &observed, "other", "default").unwrap_err().to_string();
        assert_eq!(
            error,
            "ConfigMap/b exists and does not belong to release `other`: it belongs to release `web` in namespace `default`"
        );
    }

    #[test]
    fn two_templates_may_not_write_one_object() {
        let desired = Desired { objects: vec![object("a", json!({})), object("a", json!({}))], ..Desired::default() };
        assert!(install(&desired, &Observed::new(), "web", "default").is_err());
    }

    #[test]
    fn uninstalling_goes_backwards_and_keeps_what_asks_for_it() {
        let keep = json!({"helm.sh/resource-policy": "keep"});
        let desired = Desired { objects: vec![object("a", keep), object("b", json!({}))], ..Desired::default() };
        assert_eq!(names(&uninstall(&desired), PhaseKind::Main), ["delete b", "keep a"]);
    }

    #[test]
    fn hooks_run_by_weight_then_name() {
        let hook = |name: &str, weight| {
            let hook = Hook {
                name: name.into(),
                kind: "ConfigMap".into(),
                path: String::new(),
                manifest: String::new(),
                events: vec!["pre-install".into()],
                last_run: crate::record::HookRun::default(),
                weight,
                delete_policies: vec![],
                output_log_policies: vec![],
            };
            (hook, object(name, json!({})))
        };
        let desired =
            Desired { hooks: vec![hook("c", 0), hook("b", 5), hook("a", 0), hook("d", -1)], ..Desired::default() };
        let plan = install(&desired, &Observed::new(), "web", "default").unwrap();
        assert_eq!(names(&plan, PhaseKind::PreHooks), ["hook d", "hook a", "hook c", "hook b"]);
    }
}
