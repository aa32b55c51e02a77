use serde_json::json;

use super::*;

const TARGET: Target<'_> = Target { release: "web", namespace: "default" };
const RULES: ChangeRules<'_> = ChangeRules {
    manager: "helm",
    method: Method::Client,
    replace: false,
    take_ownership: false,
    adopt_fields: false,
    upgrade_crds: true,
    hooks: true,
};

fn object(name: &str, data: &str, annotations: serde_json::Value) -> Object {
    let id =
        ObjectId { api_version: "v1".into(), kind: "ConfigMap".into(), namespace: "default".into(), name: name.into() };
    let value = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "annotations": annotations}, "data": {"x": data}});
    Object { id, value, source: format!("chart/templates/{name}.yaml") }
}

fn plain(name: &str, data: &str) -> Object {
    object(name, data, json!({}))
}

fn live(objects: &[Object]) -> Observed {
    let own = |object: &Object| {
        let mut object = object.clone();
        object.mark_owned("web", "default");
        (object.id, object.value)
    };
    objects.iter().map(own).collect()
}

fn text(plan: &Plan) -> Vec<String> {
    let name = |step: &Step| {
        let word = match &step.action {
            Action::Create { .. } => "create".to_owned(),
            Action::Patch { patch, .. } => format!("patch {patch}"),
            Action::Apply { .. } => "apply".to_owned(),
            Action::Replace { .. } => "replace".to_owned(),
            Action::Keep { reason } => format!("keep {reason:?}"),
            Action::Delete => "delete".to_owned(),
            Action::Hook { event, .. } => format!("hook {event}"),
        };
        format!("{}: {word}", step.id.name)
    };
    plan.steps().map(name).collect()
}

fn upgrade(desired: &[Object], original: &[Object], observed: &Observed, rules: ChangeRules<'_>) -> Result<Plan> {
    let desired = Desired { objects: desired.to_vec(), ..Desired::default() };
    release(&desired, original, observed, TARGET, ("pre-upgrade", "post-upgrade"), rules)
}

#[test]
fn an_upgrade_creates_changes_keeps_and_deletes() {
    let old = [plain("same", "1"), plain("changed", "1"), plain("gone", "1"), plain("lost", "1")];
    let new = [plain("same", "1"), plain("changed", "2"), plain("new", "1")];
    let plan = upgrade(&new, &old, &live(&old[..3]), RULES).unwrap();
    assert_eq!(text(&plan), ["same: keep Same", r#"changed: patch {"data":{"x":"2"}}"#, "new: create", "gone: delete"]);
    assert_eq!((plan.counts(), plan.is_noop()), ([1, 1, 1, 1], false));
}

#[test]
fn what_another_owns_is_refused_or_taken() {
    let mut observed = live(&[plain("a", "1")]);
    let other = |value: &mut Value| value["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("other");
    observed.values_mut().for_each(other);
    let error = upgrade(&[plain("a", "1")], &[], &observed, RULES).unwrap_err().to_string();
    assert_eq!(
        error,
        "ConfigMap/a exists and does not belong to release `web`: it belongs to release `other` in namespace `default`"
    );
    let plan = upgrade(&[plain("a", "1")], &[], &observed, ChangeRules { take_ownership: true, ..RULES }).unwrap();
    assert!(text(&plan)[0].starts_with("a: patch"));
    // What the release had and another owns by now is not deleted.
    let plan = upgrade(&[], &[plain("a", "1")], &observed, RULES).unwrap();
    assert_eq!(text(&plan), ["a: keep Foreign"]);
}

#[test]
fn kept_objects_stay_when_they_leave_the_chart() {
    let keep = object("a", "1", json!({"helm.sh/resource-policy": "keep"}));
    let plan = upgrade(&[], std::slice::from_ref(&keep), &live(std::slice::from_ref(&keep)), RULES).unwrap();
    assert_eq!(text(&plan), ["a: keep Policy"]);
    let desired = Desired { objects: vec![keep.clone(), plain("b", "1")], ..Desired::default() };
    let plan = uninstall(&desired, &live(&[keep, plain("b", "1")]), TARGET, true);
    assert_eq!(text(&plan), ["b: delete", "a: keep Policy"]);
}

#[test]
fn the_server_is_asked_unless_it_merged_the_same_before() {
    let rules = ChangeRules { method: Method::Server, ..RULES };
    let objects = [plain("a", "1")];
    let mut observed = live(&objects);
    assert_eq!(text(&upgrade(&objects, &objects, &observed, rules).unwrap()), ["a: apply"]);
    let applied = |value: &mut Value| {
        value["metadata"]["managedFields"] = json!([{"manager": "helm", "operation": "Apply"}]);
    };
    observed.values_mut().for_each(applied);
    assert_eq!(text(&upgrade(&objects, &objects, &observed, rules).unwrap()), ["a: keep Same"]);
}

#[test]
fn two_templates_may_not_write_one_object() {
    assert!(upgrade(&[plain("a", "1"), plain("a", "2")], &[], &Observed::new(), RULES).is_err());
}

#[test]
fn dependent_objects_come_in_later_waves() {
    let objects = [object("a", "1", json!({"kpkg.dev/depends-on": "ConfigMap/b"})), plain("b", "1")];
    let plan = upgrade(&objects, &[], &Observed::new(), RULES).unwrap();
    assert_eq!(text(&plan), ["b: create", "a: create"]);
    let barriers: Vec<bool> = plan.phases.iter().map(|phase| phase.barrier).collect();
    assert_eq!(barriers, [true, false]);
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
        (hook, plain(name, ""))
    };
    let desired =
        Desired { hooks: vec![hook("c", 0), hook("b", 5), hook("a", 0), hook("d", -1)], ..Desired::default() };
    let events = ("pre-install", "post-install");
    let plan = release(&desired, &[], &Observed::new(), TARGET, events, RULES).unwrap();
    let names: Vec<String> = plan.steps().map(|step| step.id.name.clone()).collect();
    assert_eq!(names, ["d", "a", "c", "b"]);
    let silent = release(&desired, &[], &Observed::new(), TARGET, events, ChangeRules { hooks: false, ..RULES });
    assert!(silent.unwrap().phases.is_empty());
}
