//! Reading and writing `metadata` of objects that are JSON values.

use serde_json::{Map, Value};

/// An owner reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerRef<'a> {
    /// The owner's apiVersion.
    pub api_version: &'a str,
    /// The owner's kind.
    pub kind: &'a str,
    /// The owner's name.
    pub name: &'a str,
    /// The owner's uid.
    pub uid: &'a str,
    /// Whether the owner is the managing controller.
    pub controller: bool,
    /// Whether the owner's foreground deletion waits for this object.
    pub block_owner_deletion: bool,
}

/// A text of `metadata`, empty if absent.
fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

/// The object's apiVersion.
pub fn api_version(object: &Value) -> &str {
    object["apiVersion"].as_str().unwrap_or_default()
}

/// The object's kind.
pub fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// The object's name, empty if absent.
pub fn name(object: &Value) -> &str {
    text(object, "name")
}

/// The object's namespace, empty if absent.
pub fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}

/// The object's uid, empty if absent.
pub fn uid(object: &Value) -> &str {
    text(object, "uid")
}

/// The object's generateName, empty if absent.
pub fn generate_name(object: &Value) -> &str {
    text(object, "generateName")
}

/// The object's resourceVersion, empty if absent.
pub fn resource_version(object: &Value) -> &str {
    text(object, "resourceVersion")
}

/// The object's generation, 0 if absent.
pub fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or_default()
}

/// When the object's deletion was asked for.
pub fn deletion_timestamp(object: &Value) -> Option<&str> {
    object["metadata"]["deletionTimestamp"].as_str()
}

/// The object's labels.
pub fn labels(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    strings(&object["metadata"]["labels"])
}

/// The object's annotations.
pub fn annotations(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    strings(&object["metadata"]["annotations"])
}

/// One annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["annotations"].get(key).and_then(Value::as_str)
}

/// One label.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(key).and_then(Value::as_str)
}

/// The pairs of a map of strings.
pub fn strings(map: &Value) -> impl Iterator<Item = (&str, &str)> {
    map.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// The object's finalizers.
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The object's owners.
pub fn owner_refs(object: &Value) -> impl Iterator<Item = OwnerRef<'_>> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten().map(|owner| OwnerRef {
        api_version: owner["apiVersion"].as_str().unwrap_or_default(),
        kind: owner["kind"].as_str().unwrap_or_default(),
        name: owner["name"].as_str().unwrap_or_default(),
        uid: owner["uid"].as_str().unwrap_or_default(),
        controller: owner["controller"].as_bool().unwrap_or_default(),
        block_owner_deletion: owner["blockOwnerDeletion"].as_bool().unwrap_or_default(),
    })
}

/// The owner that manages the object.
pub fn controller(object: &Value) -> Option<OwnerRef<'_>> {
    owner_refs(object).find(|owner| owner.controller)
}

/// `metadata` for writing; made if absent or not an object. An object that is no JSON object becomes one.
pub fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    child_mut(object, "metadata")
}

/// The object under a key, for writing; made if absent or not an object.
pub fn child_mut<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let child = as_map(object).entry(key).or_insert(Value::Null);
    as_map(child)
}

fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was just made an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_metadata() {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "p", "namespace": "n", "labels": {"a": "b"}, "finalizers": ["f"],
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true}],
        }});
        assert_eq!((name(&object), namespace(&object), uid(&object), generation(&object)), ("p", "n", "", 0));
        assert_eq!(labels(&object).collect::<Vec<_>>(), [("a", "b")]);
        assert_eq!(label(&object, "a"), Some("b"));
        assert_eq!(finalizers(&object).collect::<Vec<_>>(), ["f"]);
        assert_eq!(controller(&object).map(|owner| (owner.kind, owner.uid)), Some(("ReplicaSet", "u")));
        assert_eq!(name(&json!([])), "");
    }

    #[test]
    fn makes_what_is_missing() {
        let mut object = Value::Null;
        metadata_mut(&mut object).insert("name".to_owned(), json!("x"));
        assert_eq!(object, json!({"metadata": {"name": "x"}}));
    }
}
