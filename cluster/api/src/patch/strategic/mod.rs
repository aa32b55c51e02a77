//! Strategic merge patch: a merge patch that knows which lists are merged, and by which key.
//!
//! Objects are merged key by key; null deletes. A list is replaced unless the type table says that it is merged: lists
//! of objects are paired by their merge key, lists of scalars are united. Directives in the patch say more:
//! `$patch: replace|delete|merge` in an object, `$deleteFromPrimitiveList/f`, `$setElementOrder/f` and `$retainKeys`
//! beside the fields. The rules, and which mistakes are errors, are those of Kubernetes' API server ([`Mode`]).

mod list;

use crate::{
    schema::{Field, Shape, Type},
    text::plain,
};
use serde_json::{Map, Value};

pub(super) const PATCH: &str = "$patch";
pub(super) const DELETE_FROM: &str = "$deleteFromPrimitiveList";
pub(super) const ORDER: &str = "$setElementOrder";
pub(super) const RETAIN: &str = "$retainKeys";

/// Whose rules are followed where implementations differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Kubernetes' API server.
    ApiServer,
}

/// Why a strategic merge patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategicError {
    /// The patch is no object.
    #[error("invalid JSON document")]
    BadDocument,
    /// A list holds lists.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// `$deleteFromPrimitiveList` is malformed.
    #[error("invalid patch format of primitive list")]
    BadPrimitiveList,
    /// `$retainKeys` is malformed or leaves out a key of the patch.
    #[error("invalid patch format of retainKeys")]
    BadRetainKeys,
    /// `$setElementOrder` is malformed.
    #[error("invalid patch format of setElementOrder list")]
    BadElementOrder,
    /// The elements of the patch stand in another order than `$setElementOrder` says.
    #[error("The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n")]
    OrderMismatch {
        /// The list in the patch.
        patch: String,
        /// The list in the directive.
        order: String,
    },
    /// An element lacks the key it is paired by.
    #[error("map: {map} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The element.
        map: String,
        /// The key.
        key: &'static str,
    },
    /// A list of objects is to be merged but has no merge key.
    #[error("cannot merge lists without merge key for {0}")]
    NoKeyDeclared(&'static str),
    /// The value of `$patch` is unknown.
    #[error("unknown patch type: {directive} in map: {map}")]
    BadDirective {
        /// The value.
        directive: String,
        /// The object it stands in.
        map: String,
    },
    /// A list mixes objects and scalars, or is no list.
    #[error("expected a {expected}, but received a {actual}")]
    Mismatch {
        /// What should be there.
        expected: &'static str,
        /// What is there.
        actual: &'static str,
    },
    /// `$patch: merge` in an element.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeInList,
}

impl StrategicError {
    /// Whether the patch is malformed (400); else it does not fit the object.
    pub fn is_bad_request(&self) -> bool {
        matches!(self, Self::BadDocument | Self::BadPrimitiveList | Self::BadRetainKeys | Self::BadElementOrder)
    }
}

type Result<T> = std::result::Result<T, StrategicError>;

/// Applies a patch to an object of a type. On failure the object is left half changed: work on a copy.
pub fn apply(mode: Mode, type_: &Type, object: &mut Value, patch: &Value) -> Result<()> {
    let Value::Object(patch) = patch.clone() else { return Err(StrategicError::BadDocument) };
    let original = match object.take() {
        Value::Object(original) => original,
        _ => Map::new(),
    };
    *object = Value::Object(Merge { mode }.map(original, patch, Some(type_))?);
    Ok(())
}

/// One application of a patch.
#[derive(Clone, Copy)]
struct Merge {
    mode: Mode,
}

impl Merge {
    /// Merges a patch into an object. Without a type (free JSON), lists are replaced.
    fn map(
        self,
        mut original: Map<String, Value>,
        mut patch: Map<String, Value>,
        type_: Option<&Type>,
    ) -> Result<Map<String, Value>> {
        if let Some(directive) = patch.remove(PATCH) {
            return whole(&directive, patch);
        }
        retain_keys(&mut original, &mut patch)?;
        self.ordered_lists(&mut original, &mut patch, type_)?;
        for (key, value) in patch {
            if let Some(rest) = key.strip_prefix(DELETE_FROM) {
                let list = rest.strip_prefix('/').ok_or(StrategicError::BadPrimitiveList)?;
                list::delete_from(&mut original, list, &value)?;
            } else if value.is_null() {
                original.remove(&key);
            } else {
                self.field(&mut original, key, value, type_)?;
            }
        }
        Ok(original)
    }

    fn field(self, original: &mut Map<String, Value>, key: String, value: Value, type_: Option<&Type>) -> Result<()> {
        let field = type_.and_then(|type_| type_.field(&key));
        let merged = match (original.remove(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                if field.is_some_and(|field| field.patch_strategy.replace) {
                    Some(Value::Object(new))
                } else {
                    let inner = field.filter(|field| field.shape == Shape::Single).and_then(Field::message);
                    Some(Value::Object(self.map(old, new, inner)?))
                }
            }
            (Some(Value::Array(old)), Value::Array(new)) => match field {
                Some(field) if field.patch_strategy.merge => Some(Value::Array(self.list(old, new, field)?)),
                _ => Some(Value::Array(new)),
            },
            (_, mut new) => {
                discard_nulls(&mut new);
                without_directives(new)
            }
        };
        if let Some(merged) = merged {
            original.insert(key, merged);
        }
        Ok(())
    }

    /// The key by which a list's elements are paired.
    fn merge_key(self, field: &Field) -> Option<&'static str> {
        match self.mode {
            Mode::ApiServer => field.patch_merge_key,
        }
    }
}

/// `$patch` in an object that is merged: the object is replaced or emptied.
fn whole(directive: &Value, patch: Map<String, Value>) -> Result<Map<String, Value>> {
    match directive.as_str() {
        Some("replace") => Ok(patch),
        Some("delete") => Ok(Map::new()),
        _ => Err(bad_directive(directive, &patch)),
    }
}

fn bad_directive(directive: &Value, map: &Map<String, Value>) -> StrategicError {
    let mut map = map.clone();
    map.insert(PATCH.to_owned(), directive.clone());
    StrategicError::BadDirective { directive: plain(directive), map: plain(&Value::Object(map)) }
}

/// `$retainKeys`: what the directive does not name is dropped from the object.
fn retain_keys(original: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<()> {
    let Some(directive) = patch.remove(RETAIN) else { return Ok(()) };
    let Value::Array(keys) = directive else { return Err(StrategicError::BadRetainKeys) };
    let retained = |key: &str| keys.iter().any(|retained| retained == key);
    let is_directive = |key: &str| key.starts_with(DELETE_FROM) || key.starts_with(ORDER);
    if patch.iter().any(|(key, value)| !value.is_null() && !is_directive(key) && !retained(key)) {
        return Err(StrategicError::BadRetainKeys);
    }
    original.retain(|key, _| retained(key));
    Ok(())
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// The value without objects that are directives; `None` if it is one itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(PATCH) => None,
        Value::Object(map) => {
            let kept = map.into_iter().filter_map(|(key, value)| Some((key, without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests;
