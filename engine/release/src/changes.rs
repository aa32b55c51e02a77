//! Which fields differ between two states of an object, for people to read.

use kpkg_api::schema::{self, Element, Field, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::merge::schema_of;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Where it is, such as `spec.template.spec.containers[name=app].image`.
    pub path: String,
    /// What it was; null if it was not there.
    pub before: Value,
    /// What it becomes; null if it goes.
    pub after: Value,
}

/// What a mask shows in place of a secret.
pub const MASK: &str = "(hidden)";

/// Metadata that the server writes and nobody wants to read about.
const NOISE: [&str; 6] = ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/// An object without what the server or controllers write by themselves.
pub fn essence(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in NOISE {
                metadata.remove(key);
            }
        }
    }
    object
}

/// The fields in which `after` differs from `before`; values of Secrets are hidden if `mask` says so.
pub fn changes(before: &Value, after: &Value, mask: bool) -> Vec<FieldChange> {
    let text = |key: &str| after[key].as_str().or(before[key].as_str()).unwrap_or_default();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let mut found = Vec::new();
    walk(schema_of(api_version, kind), "", &essence(before), &essence(after), &mut found);
    if mask && kind == "Secret" && api_version == "v1" {
        self::mask(&mut found);
    }
    found
}

/// Hides the values of a Secret's changes.
pub fn mask(found: &mut [FieldChange]) {
    found.iter_mut().for_each(hide);
}

/// Hides a Secret's values, but not that they differ.
fn hide(change: &mut FieldChange) {
    for value in [&mut change.before, &mut change.after] {
        hide_below(&change.path, value);
    }
}

/// Hides what is secret at `path` or below: the data, and the annotation in which `kubectl apply`
/// keeps a copy of it (Argo CD's CVE-2023-40029).
fn hide_below(path: &str, value: &mut Value) {
    let is_data = ["data", "stringData"]
        .iter()
        .any(|it| path.strip_prefix(it).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])));
    if is_data || path.contains("last-applied-configuration") {
        match value {
            Value::Null => {}
            // Keys are no secrets.
            Value::Object(map) => map.values_mut().for_each(|it| *it = Value::from(MASK)),
            other => *other = Value::from(MASK),
        }
    } else if let Value::Object(map) = value {
        for (key, value) in map {
            hide_below(&join(path, key), value);
        }
    }
}

fn walk(type_: Option<&'static Type>, path: &str, before: &Value, after: &Value, found: &mut Vec<FieldChange>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        leaf(path, before, after, found);
        return;
    };
    let mut keys: Vec<&String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
    keys.sort();
    for key in keys {
        let field = type_.and_then(|it| it.field(key));
        let path = join(path, key);
        match (old.get(key), new.get(key)) {
            (Some(Value::Array(old)), Some(Value::Array(new))) => lists(field, &path, old, new, found),
            (old, new) => {
                let null = Value::Null;
                walk(field.and_then(message), &path, old.unwrap_or(&null), new.unwrap_or(&null), found);
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key}]"),
    }
}

fn message(field: &'static Field) -> Option<&'static Type> {
    match field.element {
        Element::Message(id) => Some(schema::table().get(id)),
        _ => None,
    }
}

/// Lists with keys are compared element by element, others as wholes or by position.
fn lists(field: Option<&'static Field>, path: &str, old: &[Value], new: &[Value], found: &mut Vec<FieldChange>) {
    let type_ = field.and_then(message);
    let key = field.and_then(|it| it.patch_merge_key).unwrap_or("name");
    let keyed = |list: &[Value]| list.iter().all(|it| it[key].is_string() || it[key].is_number());
    if !keyed(old) || !keyed(new) {
        if old.len() == new.len() {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                walk(type_, &format!("{path}[{index}]"), old, new, found);
            }
        } else {
            leaf(path, &Value::from(old.to_vec()), &Value::from(new.to_vec()), found);
        }
        return;
    }
    let name = |it: &Value| it[key].as_str().map_or_else(|| it[key].to_string(), str::to_owned);
    let null = Value::Null;
    for element in old {
        let twin = new.iter().find(|it| it[key] == element[key]).unwrap_or(&null);
        walk(type_, &format!("{path}[{key}={}]", name(element)), element, twin, found);
    }
    for element in new.iter().filter(|it| !old.iter().any(|other| other[key] == it[key])) {
        walk(type_, &format!("{path}[{key}={}]", name(element)), &null, element, found);
    }
}

fn leaf(path: &str, before: &Value, after: &Value, found: &mut Vec<FieldChange>) {
    if before != after {
        found.push(FieldChange { path: path.to_owned(), before: before.clone(), after: after.clone() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_named_by_path_and_key() {
        let of = |image: &str, replicas: i64, label: &str| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"resourceVersion": label, "labels": {"app.kubernetes.io/version": label}},
                "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
                "status": {"replicas": replicas}})
        };
        let found = changes(&of("a:1", 1, "x"), &of("a:2", 2, "y"), true);
        let paths: Vec<&str> = found.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "metadata.labels[app.kubernetes.io/version]",
                "spec.replicas",
                "spec.template.spec.containers[name=app].image"
            ]
        );
        assert_eq!((&found[1].before, &found[1].after), (&json!(1), &json!(2)));
    }

    #[test]
    fn secrets_are_hidden_but_not_that_they_differ() {
        let of = |text: &str| json!({"apiVersion": "v1", "kind": "Secret", "data": {"p": text}});
        let found = changes(&of("YQ=="), &of("Yg=="), true);
        assert_eq!(found, [FieldChange { path: "data.p".into(), before: json!(MASK), after: json!(MASK) }]);
        assert_eq!(changes(&of("YQ=="), &of("Yg=="), false)[0].after, "Yg==");
        let copy = json!({"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":\"Y29weQ==\"}", "a": "b"});
        let whole = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": copy},
            "data": {"p": "YQ=="}, "stringData": {"q": "clear"}});
        for before in [Value::Null, json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}})] {
            let text = serde_json::to_string(&changes(&before, &whole, true)).unwrap();
            assert!(["YQ==", "Y29weQ", "clear"].iter().all(|it| !text.contains(it)), "{text}");
            assert!(text.contains(r#""a":"b""#), "{text}");
        }
    }
}
