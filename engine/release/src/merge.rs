//! What must change in a live object so that it is as a chart wants it: the three-way merge.
//!
//! Compared are what the release applied last, what it wants now, and what lives in the cluster. A
//! field that the chart names gets the chart's value; a field that the chart named before and no
//! longer names goes; everything else belongs to others and stays. Built-in kinds are patched by
//! strategic merge, whose list keys come from the schema table; other kinds by JSON merge patch,
//! where a list is one value.

use kpkg_api::quantity::Quantity;
use kpkg_api::schema::{self, Element, Field, Shape, Type};
use serde_json::{Map, Value};

/// The schema by which objects of a kind merge; `None` for kinds that are not built in.
pub fn schema_of(api_version: &str, kind: &str) -> Option<&'static Type> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    schema::type_of(group, version, kind)
}

/// The patch that takes `live` to `target`; `None` if nothing differs.
pub fn three_way(type_: Option<&'static Type>, original: &Value, target: &Value, live: &Value) -> Option<Value> {
    let empty = Map::new();
    let map = |value: &'_ Value| value.as_object().cloned().unwrap_or_default();
    let original = original.as_object().unwrap_or(&empty);
    let patch = map_patch(Keys::of(type_), original, &map(target), &map(live));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

type Object = Map<String, Value>;

/// What is known about the keys of an object.
#[derive(Clone, Copy)]
enum Keys {
    /// Nothing: the kind is not built in.
    Unknown,
    /// They are the fields of a type.
    Fields(&'static Type),
    /// They are free, and their values alike.
    Free(&'static Field),
}

impl Keys {
    fn of(type_: Option<&'static Type>) -> Self {
        type_.map_or(Self::Unknown, Self::Fields)
    }

    fn field(self, key: &str) -> Option<&'static Field> {
        match self {
            Self::Unknown => None,
            Self::Fields(type_) => type_.field(key),
            Self::Free(field) => Some(field),
        }
    }
}

fn map_patch(keys: Keys, original: &Object, target: &Object, live: &Object) -> Object {
    let mut patch = Object::new();
    for (key, wanted) in target {
        let before = original.get(key).unwrap_or(&Value::Null);
        let field = keys.field(key);
        match live.get(key) {
            None if wanted.is_null() || (is_empty(wanted) && before == wanted) => {}
            None => drop(patch.insert(key.clone(), wanted.clone())),
            Some(_) if wanted.is_null() => drop(patch.insert(key.clone(), Value::Null)),
            Some(have) if field.is_some_and(is_set) => set_patch(key, before, wanted, have, &mut patch),
            Some(have) => {
                if let Some(change) = value_patch(!matches!(keys, Keys::Unknown), field, before, wanted, have) {
                    patch.insert(key.clone(), change);
                }
            }
        }
    }
    for key in original.keys() {
        if !target.contains_key(key) && live.contains_key(key) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    patch
}

/// Servers leave out what is empty: an empty value that was applied before and is absent is no difference.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn value_patch(
    strategic: bool,
    field: Option<&'static Field>,
    before: &Value,
    wanted: &Value,
    have: &Value,
) -> Option<Value> {
    let inner = match field {
        Some(field) if field.shape == Shape::Map && !matches!(field.element, Element::Message(_)) => Keys::Free(field),
        field => Keys::of(field.and_then(message)),
    };
    match (wanted, have) {
        (Value::Object(target), Value::Object(live)) => {
            if field.is_some_and(|it| it.patch_strategy.replace) {
                if covers(field, have, wanted) {
                    return None;
                }
                let mut whole = target.clone();
                whole.insert("$patch".to_owned(), Value::from("replace"));
                return Some(Value::Object(whole));
            }
            let empty = Object::new();
            let mut patch = map_patch(inner, before.as_object().unwrap_or(&empty), target, live);
            if patch.is_empty() {
                return None;
            }
            if field.is_some_and(|it| it.patch_strategy.retain_keys) {
                patch.insert("$retainKeys".to_owned(), retained(target));
            }
            Some(Value::Object(patch))
        }
        (Value::Array(target), Value::Array(live)) if strategic => list_patch(field, before, target, live),
        _ => (!covers(field, have, wanted)).then(|| wanted.clone()),
    }
}

fn retained(target: &Object) -> Value {
    let mut keys: Vec<&String> = target.keys().collect();
    keys.sort();
    keys.into_iter().cloned().map(Value::from).collect()
}

fn message(field: &'static Field) -> Option<&'static Type> {
    match field.element {
        Element::Message(id) if field.shape != Shape::Map => Some(schema::table().get(id)),
        _ => None,
    }
}

fn list_patch(field: Option<&'static Field>, before: &Value, target: &[Value], live: &[Value]) -> Option<Value> {
    let merges = field.is_some_and(|it| it.patch_strategy.merge);
    let whole = || {
        let same = target.len() == live.len() && target.iter().zip(live).all(|(want, have)| covers(field, have, want));
        (!same).then(|| Value::from(target.to_vec()))
    };
    let (Some(field), true) = (field, merges) else {
        return whole();
    };
    let before = before.as_array().map_or(&[][..], Vec::as_slice);
    let Some(key) = field.patch_merge_key else {
        return whole();
    };
    let keyed = |list: &[Value]| list.iter().all(|it| it.get(key).is_some());
    if !keyed(target) || !keyed(live) {
        return whole().map(|_| replaced(target));
    }
    let find = |list: &[Value], value: &Value| list.iter().find(|it| it.get(key) == Some(value)).cloned();
    let mut changes = Vec::new();
    for wanted in target {
        let id = &wanted[key];
        let Some(have) = find(live, id) else {
            changes.push(wanted.clone());
            continue;
        };
        let empty = Object::new();
        let old = find(before, id).unwrap_or_default();
        let (Some(wanted), Some(have)) = (wanted.as_object(), have.as_object()) else { continue };
        let mut patch = map_patch(Keys::of(message(field)), old.as_object().unwrap_or(&empty), wanted, have);
        if !patch.is_empty() {
            if field.patch_strategy.retain_keys {
                patch.insert("$retainKeys".to_owned(), retained(wanted));
            }
            patch.insert(key.to_owned(), id.clone());
            changes.push(Value::Object(patch));
        }
    }
    for old in before {
        let Some(id) = old.get(key) else { continue };
        if find(target, id).is_none() && find(live, id).is_some() {
            changes.push(serde_json::json!({ key: id, "$patch": "delete" }));
        }
    }
    (!changes.is_empty()).then(|| Value::from(changes))
}

fn replaced(target: &[Value]) -> Value {
    let mut list = vec![serde_json::json!({"$patch": "replace"})];
    list.extend_from_slice(target);
    Value::from(list)
}

/// Whether a field is a list of scalars that merges (finalizers).
fn is_set(field: &'static Field) -> bool {
    field.shape == Shape::List && field.patch_strategy.merge && field.patch_merge_key.is_none()
}

fn set_patch(key: &str, before: &Value, target: &Value, live: &Value, patch: &mut Object) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (before, target, live) = (list(before), list(target), list(live));
    let missing: Vec<Value> = target.iter().filter(|it| !live.contains(it)).cloned().collect();
    let gone: Vec<Value> = before.into_iter().filter(|it| !target.contains(it) && live.contains(it)).collect();
    if !missing.is_empty() {
        patch.insert(key.to_owned(), Value::from(missing));
    }
    if !gone.is_empty() {
        patch.insert(format!("$deleteFromPrimitiveList/{key}"), Value::from(gone));
    }
}

/// Whether `live` has everything that `wanted` names; what it has besides are the server's defaults.
fn covers(field: Option<&'static Field>, live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            let inner = match field {
                Some(field) if field.shape == Shape::Map => Some(field),
                Some(field) => message(field).and_then(|it| it.field(key)),
                None => None,
            };
            live.get(key).map_or_else(|| is_empty(value), |have| covers(inner, have, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(have, want)| covers(field, have, want))
        }
        _ => live == wanted || same_amount(field, live, wanted),
    }
}

fn same_amount(field: Option<&'static Field>, live: &Value, wanted: &Value) -> bool {
    match field.map(|it| it.element) {
        Some(Element::Quantity) => match (Quantity::from_json(live), Quantity::from_json(wanted)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        _ => live.as_f64().is_some() && live.as_f64() == wanted.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(kind: &str, original: &Value, target: &Value, live: &Value) -> Option<Value> {
        let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        three_way(schema_of(version, kind), original, target, live)
    }

    #[test]
    fn defaults_and_foreign_fields_are_no_difference() {
        let target = json!({"spec": {"strategy": {}, "template": {"spec": {"containers": [
            {"name": "a", "image": "x:1", "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1000m"}}}]}}}});
        let live = json!({"spec": {"replicas": 3, "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
            {"name": "side", "image": "mesh"},
            {"name": "a", "image": "x:1", "imagePullPolicy": "IfNotPresent",
             "ports": [{"containerPort": 80, "protocol": "TCP"}], "resources": {"limits": {"cpu": "1"}}}]}}}});
        assert_eq!(patch("Deployment", &target, &target, &live), None);
    }

    #[test]
    fn only_what_differs_is_sent() {
        let original = json!({"metadata": {"labels": {"a": "1", "gone": "x"}}, "spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "x:1", "env": [{"name": "K", "value": "v"}]}, {"name": "old", "image": "y"}]}}}});
        let target = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "x:2"}, {"name": "new", "image": "z"}]}}}});
        assert_eq!(
            patch("Deployment", &original, &target, &original),
            Some(json!({"metadata": {"labels": {"gone": null}}, "spec": {"template": {"spec": {"containers": [
                {"name": "a", "image": "x:2", "env": null},
                {"name": "new", "image": "z"},
                {"name": "old", "$patch": "delete"}]}}}}))
        );
    }

    #[test]
    fn fields_that_exclude_each_other_name_what_stays() {
        let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let target = json!({"spec": {"strategy": {"type": "Recreate"}}});
        assert_eq!(
            patch("Deployment", &json!({}), &target, &live),
            Some(json!({"spec": {"strategy": {"type": "Recreate", "$retainKeys": ["type"]}}}))
        );
    }

    #[test]
    fn drift_is_set_right() {
        let target = json!({"data": {"a": "1"}});
        let live = json!({"data": {"a": "2", "b": "theirs"}});
        assert_eq!(patch("ConfigMap", &target, &target, &live), Some(json!({"data": {"a": "1"}})));
    }

    #[test]
    fn kinds_without_schema_replace_lists() {
        let original = json!({"spec": {"list": [{"name": "a"}], "gone": 1}});
        let target = json!({"spec": {"list": [{"name": "b"}]}});
        assert_eq!(
            three_way(None, &original, &target, &original),
            Some(json!({"spec": {"list": [{"name": "b"}], "gone": null}}))
        );
    }

    #[test]
    fn sets_of_scalars_lose_only_what_was_ours() {
        let of = |list: &[&str]| json!({"metadata": {"finalizers": list}});
        assert_eq!(
            patch("ConfigMap", &of(&["a", "b"]), &of(&["a"]), &of(&["a", "b", "c"])),
            Some(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}}))
        );
        assert_eq!(patch("ConfigMap", &of(&["a"]), &of(&["a", "d"]), &of(&["a"])), Some(of(&["d"])));
    }
}
