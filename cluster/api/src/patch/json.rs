//! JSON patch (RFC 6902), with the limits and words of the library that Kubernetes uses.

use crate::text::quote;
use serde_json::Value;

/// How many operations one patch may have.
const MAX_OPERATIONS: usize = 10_000;
/// How many bytes all `copy` operations of one patch may copy.
const MAX_COPIED: usize = 3 * 1024 * 1024;
/// How deep operations may nest the document: what can be parsed again, and dropped without running out of stack.
const MAX_DEPTH: usize = 128;
/// How many values all operations of one patch may move about.
const MAX_MOVED: usize = 10_000_000;

/// Why a JSON patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// It is no list of operations.
    #[error("json: cannot unmarshal {0} into Go value of type jsonpatch.Patch")]
    NotAPatch(&'static str),
    /// There are too many operations.
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooMany(usize),
    /// An operation copies too much.
    #[error(
        "Unable to complete the copy, the accumulated size increase of copy is {0}, exceeding the limit {MAX_COPIED}"
    )]
    TooLarge(usize),
    /// An operation nests the document too deep.
    #[error("exceeded max depth")]
    TooDeep,
    /// An operation does not fit the document.
    #[error("{0}")]
    DoesNotApply(String),
}

impl JsonPatchError {
    /// Whether the document is to blame (422), not the patch itself.
    pub fn is_unprocessable(&self) -> bool {
        matches!(self, Self::DoesNotApply(_) | Self::TooLarge(_) | Self::TooDeep)
    }
}

type Result<T> = std::result::Result<T, JsonPatchError>;

/// Applies a patch to a document. On failure the document is left half changed: work on a copy.
pub fn apply(document: &mut Value, patch: &Value) -> Result<()> {
    let operations = match patch {
        Value::Array(operations) => operations,
        Value::Object(_) => return Err(JsonPatchError::NotAPatch("object")),
        Value::String(_) => return Err(JsonPatchError::NotAPatch("string")),
        Value::Number(_) => return Err(JsonPatchError::NotAPatch("number")),
        Value::Bool(_) => return Err(JsonPatchError::NotAPatch("bool")),
        Value::Null => return Ok(()),
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(JsonPatchError::TooMany(operations.len()));
    }
    let mut spent = Spent::default();
    operations.iter().try_for_each(|operation| apply_one(document, operation, &mut spent))
}

/// What the operations so far have used of the bounds.
#[derive(Default)]
struct Spent {
    copied: usize,
    moved: usize,
}

impl Spent {
    /// Whether a value may be put there: neither too deep nor one move too many.
    fn allow(&mut self, path: &str, value: &Value) -> Result<()> {
        let room = MAX_DEPTH.checked_sub(path.split('/').count()).ok_or(JsonPatchError::TooDeep)?;
        self.moved += size(value, room).ok_or(JsonPatchError::TooDeep)?;
        if self.moved > MAX_MOVED { Err(JsonPatchError::TooLarge(self.moved)) } else { Ok(()) }
    }
}

/// How many values there are in a value; `None` if it is deeper than `room`.
fn size(value: &Value, room: usize) -> Option<usize> {
    let inner = |sum: usize, value: &Value| Some(sum + size(value, room.checked_sub(1)?)?);
    match value {
        Value::Array(items) => items.iter().try_fold(1, inner),
        Value::Object(map) => map.values().try_fold(1, inner),
        _ => Some(1),
    }
}

fn apply_one(document: &mut Value, operation: &Value, spent: &mut Spent) -> Result<()> {
    let name = operation["op"].as_str().unwrap_or("unknown");
    if !["add", "remove", "replace", "move", "test", "copy"].contains(&name) {
        return Err(fails(format!("Unexpected kind: {name}")));
    }
    let path = operation["path"]
        .as_str()
        .ok_or_else(|| fails(format!("{name} operation failed to decode path: missing value")))?;
    let from = || {
        operation["from"]
            .as_str()
            .ok_or_else(|| fails(format!("{name} operation failed to decode from: missing value")))
    };
    let value = || operation.get("value").cloned().unwrap_or_default();
    match name {
        "add" => {
            let value = value();
            spent.allow(path, &value)?;
            add(document, path, value)
        }
        "remove" => remove(document, path).map(drop),
        "replace" => {
            let value = value();
            spent.allow(path, &value)?;
            replace(document, path, value)
        }
        "test" => test(document, path, operation.get("value").unwrap_or(&Value::Null)),
        "move" => {
            let from = from()?;
            let missing = format!("move operation does not apply: doc is missing from path: {from}: missing value");
            find(document, from).ok_or_else(|| fails(missing))?;
            let moved = remove(document, from)?;
            let missing =
                format!("move operation does not apply: doc is missing destination path: {path}: missing value");
            find(document, path).ok_or_else(|| fails(missing))?;
            spent.allow(path, &moved)?;
            add(document, path, moved)
        }
        _ => {
            let from = from()?;
            let missing =
                || fails(format!("copy operation does not apply: doc is missing from path: {from}: missing value"));
            let (container, key) = find(document, from).ok_or_else(missing)?;
            let value =
                get(container, &key).map_err(|why| fails(format!("error in copy for from: '{from}': {why}")))?;
            let value = value.cloned().unwrap_or_default();
            spent.copied += value.to_string().len();
            if spent.copied > MAX_COPIED {
                return Err(JsonPatchError::TooLarge(spent.copied));
            }
            let missing =
                format!("copy operation does not apply: doc is missing destination path: {path}: missing value");
            find(document, path).ok_or_else(|| fails(missing))?;
            spent.allow(path, &value)?;
            add(document, path, value)
        }
    }
}

fn fails(why: String) -> JsonPatchError {
    JsonPatchError::DoesNotApply(why)
}

/// The container that a path's last part is a key of, and that key.
fn find<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let mut parts: Vec<String> = path.split('/').skip(1).map(unescape).collect();
    let key = parts.pop()?;
    let mut container = document;
    for part in parts {
        container = match container {
            Value::Object(map) => map.get_mut(&part)?,
            Value::Array(items) => {
                let at = position(&part, items.len()).ok()?;
                items.get_mut(at)?
            }
            _ => return None,
        };
    }
    (container.is_object() || container.is_array()).then_some((container, key))
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// An index into a list of that length; negative ones count from the end.
fn position(key: &str, length: usize) -> std::result::Result<usize, String> {
    let index: i64 = key.parse().map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", quote(key)))?;
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if index < 0 { index + length } else { index };
    usize::try_from(at)
        .ok()
        .filter(|_| at < length)
        .ok_or_else(|| format!("Unable to access invalid index: {index}: invalid index referenced"))
}

fn get<'a>(container: &'a Value, key: &str) -> std::result::Result<Option<&'a Value>, String> {
    match container {
        Value::Array(items) => position(key, items.len()).map(|at| items.get(at)),
        other => Ok(other.get(key)),
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<()> {
    let missing = || fails(format!("add operation does not apply: doc is missing path: \"{path}\": missing value"));
    let (container, key) = find(document, path).ok_or_else(missing)?;
    match container {
        Value::Object(map) => {
            map.insert(key, value);
        }
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let at = position(&key, items.len() + 1).map_err(|why| {
                let no_index = if why.starts_with("strconv") {
                    format!("value was not a proper array index: '{key}': ")
                } else {
                    String::new()
                };
                fails(format!("error in add for path: '{path}': {no_index}{why}"))
            })?;
            items.insert(at, value);
        }
        _ => return Err(missing()),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Result<Value> {
    let missing = || fails(format!("remove operation does not apply: doc is missing path: \"{path}\": missing value"));
    let (container, key) = find(document, path).ok_or_else(missing)?;
    let removed = match container {
        Value::Object(map) => {
            map.remove(&key).ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value"))
        }
        Value::Array(items) => position(&key, items.len()).map(|at| items.remove(at)),
        _ => return Err(missing()),
    };
    removed.map_err(|why| fails(format!("error in remove for path: '{path}': {why}")))
}

fn replace(document: &mut Value, path: &str, value: Value) -> Result<()> {
    if path.is_empty() {
        if !value.is_object() && !value.is_array() {
            return Err(fails("replace operation value must be object or array".to_owned()));
        }
        *document = value;
        return Ok(());
    }
    let missing =
        |what: &str| fails(format!("replace operation does not apply: doc is missing {what}: {path}: missing value"));
    let (container, key) = find(document, path).ok_or_else(|| missing("path"))?;
    match container {
        // The library sets a key that is not there, against the RFC; so does Kubernetes.
        Value::Object(map) => {
            map.insert(key, value);
        }
        Value::Array(items) => {
            let at = position(&key, items.len()).map_err(|_| missing("key"))?;
            items[at] = value;
        }
        _ => return Err(missing("path")),
    }
    Ok(())
}

fn test(document: &mut Value, path: &str, value: &Value) -> Result<()> {
    let failed = || fails(format!("testing value {path} failed: test failed"));
    if path.is_empty() {
        return if document == value { Ok(()) } else { Err(failed()) };
    }
    let missing = || fails(format!("test operation does not apply: is missing path: {path}: missing value"));
    let (container, key) = find(document, path).ok_or_else(missing)?;
    let found = get(container, &key).map_err(|why| fails(format!("error in test for path: '{path}': {why}")))?;
    if found.unwrap_or(&Value::Null) == value { Ok(()) } else { Err(failed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(document: &Value, patch: &Value) -> std::result::Result<Value, String> {
        let mut document = document.clone();
        apply(&mut document, patch).map_err(|why| why.to_string())?;
        Ok(document)
    }

    #[test]
    fn applies_all_operations() {
        let cases = [
            (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
            (json!({"a": [1, 3]}), json!([{"op": "add", "path": "/a/1", "value": 2}]), json!({"a": [1, 2, 3]})),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/-1"}]), json!({"a": [1]})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/a", "value": 2}]), json!({"a": 2})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
            (json!({"a": {"b": 1}}), json!([{"op": "move", "from": "/a/b", "path": "/c"}]), json!({"a": {}, "c": 1})),
            (json!({"a": 1}), json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"a": 1, "b": 1})),
            (
                json!({"a/b": 1, "c~d": 2}),
                json!([{"op": "remove", "path": "/a~1b"}, {"op": "test", "path": "/c~0d", "value": 2}]),
                json!({"c~d": 2}),
            ),
            (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {"b": 1}}]), json!({"b": 1})),
        ];
        for (document, patch, want) in cases {
            assert_eq!(patched(&document, &patch), Ok(want), "{patch}");
        }
    }

    #[test]
    fn explains_what_does_not_apply() {
        let document = json!({"a": [1], "s": "x"});
        let cases = [
            (
                json!([{"op": "remove", "path": "/b"}]),
                "error in remove for path: '/b': Unable to remove nonexistent key: b: missing value",
            ),
            (
                json!([{"op": "add", "path": "/b/c", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/b/c\": missing value",
            ),
            (
                json!([{"op": "add", "path": "/a/9", "value": 1}]),
                "error in add for path: '/a/9': Unable to access invalid index: 9: invalid index referenced",
            ),
            (
                json!([{"op": "replace", "path": "/a/9", "value": 1}]),
                "replace operation does not apply: doc is missing key: /a/9: missing value",
            ),
            (json!([{"op": "test", "path": "/s", "value": "y"}]), "testing value /s failed: test failed"),
            (
                json!([{"op": "move", "from": "/q/r", "path": "/b"}]),
                "move operation does not apply: doc is missing from path: /q/r: missing value",
            ),
            (json!([{"op": "dance", "path": "/a"}]), "Unexpected kind: dance"),
            (json!([{"op": "add"}]), "add operation failed to decode path: missing value"),
            (json!({"op": "add"}), "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
        ];
        for (patch, want) in cases {
            assert_eq!(patched(&document, &patch), Err(want.to_owned()), "{patch}");
        }
    }

    #[test]
    fn is_bounded() {
        let many = Value::Array(vec![json!({"op": "test", "path": "/a", "value": 1}); MAX_OPERATIONS + 1]);
        assert!(patched(&json!({"a": 1}), &many).expect_err("too many").contains("got 10001"));
        // Each copy doubles the depth.
        let deep: Vec<Value> = (0..20)
            .scan("/a".to_owned(), |path, _| {
                let copy = json!({"op": "copy", "from": "/a", "path": format!("{path}/b")});
                *path = format!("{path}{}", &path.replacen("/a", "/b", 1));
                Some(copy)
            })
            .collect();
        assert_eq!(patched(&json!({"a": {}}), &deep.into()), Err("exceeded max depth".to_owned()));
        // Moving puts each value below the next.
        let wide: serde_json::Map<String, Value> = (0..300).map(|n| (format!("k{n}"), json!({}))).collect();
        let chain: Vec<Value> = (1..300)
            .map(|n| json!({"op": "move", "from": format!("/k{}", n - 1), "path": format!("/k{n}/x")}))
            .collect();
        assert_eq!(patched(&wide.into(), &chain.into()), Err("exceeded max depth".to_owned()));
        // Each copy doubles the document.
        let bomb =
            Value::Array((0..40).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/a/x{n}")})).collect());
        assert!(
            patched(&json!({"a": {"b": "some text"}}), &bomb).expect_err("too large").contains("exceeding the limit")
        );
    }
}
