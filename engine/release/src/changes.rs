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
    let keys = field.map_or(&[][..], |it| &it.map_keys);
    let null = Value::Null;
    for (old, new) in paired(old, new, key, keys) {
        let element = old.or(new).unwrap_or(&null);
        let path = format!("{path}[{}]", named(element, key, keys));
        walk(type_, &path, old.unwrap_or(&null), new.unwrap_or(&null), found);
    }
}

/// Elements of two lists that stand for the same. Some have more than one key: ports may share a number. Where the
/// further keys are not spelt out on both sides, those left over with the same first key belong together.
fn paired<'v>(
    old: &'v [Value],
    new: &'v [Value],
    key: &str,
    keys: &[&str],
) -> Vec<(Option<&'v Value>, Option<&'v Value>)> {
    let mut pairs: Vec<(Option<&Value>, Option<&Value>)> = old.iter().map(|it| (Some(it), None)).collect();
    let mut left: Vec<&Value> = new.iter().collect();
    for keys in [keys, &[]] {
        for (old, twin) in &mut pairs {
            let fits = |it: &&Value| {
                old.is_some_and(|old| it[key] == old[key] && keys.iter().all(|key| it[*key] == old[*key]))
            };
            if twin.is_none() {
                *twin = left.iter().position(fits).map(|at| left.remove(at));
            }
        }
    }
    pairs.extend(left.into_iter().map(|it| (None, Some(it))));
    pairs
}

/// An element by its key, and by further ones that it spells out.
fn named(element: &Value, key: &str, keys: &[&str]) -> String {
    let further = keys.iter().copied().filter(|it| *it != key && element.get(it).is_some());
    let all = [key].into_iter().chain(further);
    let shown = |key: &str| {
        let value = &element[key];
        format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    all.map(shown).collect::<Vec<_>>().join(",")
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
    fn ports_may_share_a_number() {
        let of = |ports: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "ports": ports}]}});
        let port = |name: &str, protocol: &str| json!({"containerPort": 53, "name": name, "protocol": protocol});
        let both = of(json!([port("tcp", "TCP"), port("udp", "UDP")]));
        assert!(changes(&both, &both, true).is_empty());
        assert!(changes(&both, &of(json!([port("udp", "UDP"), port("tcp", "TCP")])), true).is_empty());
        let found = changes(&both, &of(json!([port("tcp", "TCP"), port("dns", "UDP")])), true);
        let path = "spec.containers[name=a].ports[containerPort=53,protocol=UDP].name";
        assert_eq!(found, [FieldChange { path: path.into(), before: json!("udp"), after: json!("dns") }]);
        // One side leaves the default out.
        let found = changes(&of(json!([{"containerPort": 53, "name": "x"}])), &of(json!([port("x", "TCP")])), true);
        let path = "spec.containers[name=a].ports[containerPort=53].protocol";
        assert_eq!(found, [FieldChange { path: path.into(), before: Value::Null, after: json!("TCP") }]);
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
