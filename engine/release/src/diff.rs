//! What would change, or did, as lines for people: plans, and differences between two revisions.

use serde::Serialize;
use serde_json::Value;

use crate::changes::{self, FieldChange, MASK};
use crate::object::{Object, ObjectId};
use crate::plan::{Action, KeepReason, PhaseKind, Plan, Step};

/// What happens to one object.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The object.
    pub id: ObjectId,
    /// The template that wrote it.
    pub source: String,
    /// What happens.
    pub kind: DifferenceKind,
    /// The fields that change.
    pub changes: Vec<FieldChange>,
}

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// It comes.
    Create,
    /// It changes.
    Change,
    /// Another takes its place.
    Replace,
    /// It goes.
    Delete,
    /// It leaves the release and stays in the cluster.
    Keep,
    /// It runs as a hook.
    Hook,
}

/// What a plan does, secrets masked; objects that stay as they are are left out.
pub fn of_plan(plan: &Plan) -> Vec<Difference> {
    plan.phases.iter().flat_map(|phase| phase.steps.iter().filter_map(|step| of_step(phase.kind, step))).collect()
}

fn of_step(phase: PhaseKind, step: &Step) -> Option<Difference> {
    let (kind, changes) = match &step.action {
        Action::Create { object } => (DifferenceKind::Create, changes::changes(&Value::Null, object, true)),
        Action::Patch { changes, .. } | Action::Apply { changes, .. } => {
            (DifferenceKind::Change, masked(&step.id, changes))
        }
        Action::Replace { changes, .. } => (DifferenceKind::Replace, masked(&step.id, changes)),
        Action::Delete => (DifferenceKind::Delete, Vec::new()),
        Action::Keep { reason: KeepReason::Same } => return None,
        Action::Keep { .. } => (DifferenceKind::Keep, Vec::new()),
        Action::Hook { .. } => (DifferenceKind::Hook, Vec::new()),
    };
    let source = match &step.action {
        Action::Hook { event, .. } => event.clone(),
        _ if phase == PhaseKind::Removal => String::new(),
        _ => step.source.clone(),
    };
    Some(Difference { id: step.id.clone(), source, kind, changes })
}

fn masked(id: &ObjectId, found: &[FieldChange]) -> Vec<FieldChange> {
    let mut found = found.to_vec();
    if id.kind == "Secret" && id.api_version == "v1" {
        changes::mask(&mut found);
    }
    found
}

/// What differs between the objects of two revisions.
pub fn of_objects(before: &[Object], after: &[Object]) -> Vec<Difference> {
    let find = |list: &[Object], id: &ObjectId| list.iter().find(|it| it.id == *id).cloned();
    let mut all = Vec::new();
    for object in after {
        let old = find(before, &object.id);
        let null = Value::Null;
        let found = changes::changes(old.as_ref().map_or(&null, |it| &it.value), &object.value, true);
        let kind = if old.is_some() { DifferenceKind::Change } else { DifferenceKind::Create };
        if !found.is_empty() {
            all.push(Difference { id: object.id.clone(), source: object.source.clone(), kind, changes: found });
        }
    }
    for object in before.iter().filter(|it| find(after, &it.id).is_none()) {
        let (id, source) = (object.id.clone(), object.source.clone());
        all.push(Difference { id, source, kind: DifferenceKind::Delete, changes: Vec::new() });
    }
    all
}

/// One line of a difference, and whether it adds, takes away or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `+`, `-`, `~` or a space.
    pub mark: char,
    /// The text.
    pub text: String,
}

/// A difference as lines: the object, then its fields.
pub fn lines(difference: &Difference) -> Vec<Line> {
    let (mark, word) = match difference.kind {
        DifferenceKind::Create => ('+', "create"),
        DifferenceKind::Change => ('~', "change"),
        DifferenceKind::Replace => ('~', "replace"),
        DifferenceKind::Delete => ('-', "delete"),
        DifferenceKind::Keep => (' ', "keep"),
        DifferenceKind::Hook => (' ', "hook"),
    };
    let id = &difference.id;
    let space = if id.namespace.is_empty() { String::new() } else { format!(" in {}", id.namespace) };
    let source = if difference.source.is_empty() { String::new() } else { format!(" ({})", difference.source) };
    let mut lines = vec![Line { mark, text: format!("{word} {id}{space}{source}") }];
    for change in &difference.changes {
        // What comes whole is shown whole; of what changes, the old value as well.
        if !change.before.is_null() {
            lines.extend(value_lines('-', &change.path, &change.before));
        }
        if !change.after.is_null() {
            lines.extend(value_lines('+', &change.path, &change.after));
        }
    }
    lines
}

fn value_lines(mark: char, path: &str, value: &Value) -> Vec<Line> {
    let path = if path.is_empty() { ".".to_owned() } else { path.to_owned() };
    let text = match value {
        Value::String(text) if text == MASK => text.clone(),
        Value::String(text) if text.contains('\n') => {
            let block = text.lines().map(|line| format!("\n        {line}")).collect::<String>();
            return format!("{path}: |{block}")
                .lines()
                .map(|line| Line { mark, text: format!("    {line}") })
                .collect();
        }
        Value::Object(_) | Value::Array(_) => {
            let yaml = kpkg_yaml::write_json(value);
            let block = yaml.trim_end().lines().map(|line| format!("\n        {line}")).collect::<String>();
            return format!("{path}:{block}").lines().map(|line| Line { mark, text: format!("    {line}") }).collect();
        }
        other => other.to_string(),
    };
    vec![Line { mark, text: format!("    {path}: {text}") }]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, data: Value) -> Object {
        let id =
            ObjectId { api_version: "v1".into(), kind: kind.into(), namespace: "default".into(), name: name.into() };
        let value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data});
        Object { id, value, source: "c/templates/x.yaml".into() }
    }

    #[test]
    fn two_revisions_differ_in_objects_and_fields() {
        let before = [object("ConfigMap", "a", json!({"x": "1"})), object("ConfigMap", "gone", json!({}))];
        let after = [object("ConfigMap", "a", json!({"x": "2"})), object("Secret", "s", json!({"p": "cGFzcw=="}))];
        let found = of_objects(&before, &after);
        let text: Vec<String> =
            found.iter().flat_map(lines).map(|line| format!("{} {}", line.mark, line.text)).collect();
        assert_eq!(
            text[..3],
            ["~ change ConfigMap/a in default (c/templates/x.yaml)", "-     data.x: \"1\"", "+     data.x: \"2\"",]
        );
        assert_eq!(text[3], "+ create Secret/s in default (c/templates/x.yaml)");
        assert!(text[4..].iter().any(|line| line.contains(MASK)) && !text.concat().contains("cGFzcw"));
        assert_eq!(text.last().unwrap(), "- delete ConfigMap/gone in default (c/templates/x.yaml)");
    }
}
