//! Lists that are merged, and the order of their elements.

use super::{Merge, ORDER, PATCH, Result, StrategicError, bad_directive, without_directives};
use crate::{
    schema::{Field, Type},
    text::plain,
};
use serde_json::{Map, Value};

type List = Vec<Value>;

impl Merge {
    /// Merges two lists of a field; elements of the patch keep the patch's order, the others fill in between.
    pub(super) fn list(self, original: List, patch: List, field: &Field) -> Result<List> {
        if original.is_empty() && patch.is_empty() {
            return Ok(original);
        }
        if !holds_objects(&original, &patch)? {
            let order = patch.clone();
            let mut merged = original.clone();
            merged.extend(patch);
            deduplicate(&mut merged);
            return Ok(arrange(merged, &order, &original, None));
        }
        let key = self.merge_key(field).ok_or(StrategicError::NoKeyDeclared(field.name))?;
        let (original, patch) = directives(original, patch, key)?;
        let order = patch.clone();
        let merged = self.pair(original.clone(), patch, key, field.message())?;
        keyed(&merged, key)?;
        Ok(arrange(merged, &order, &original, Some(key)))
    }

    fn pair(self, mut original: List, patch: List, key: &'static str, type_: Option<&Type>) -> Result<List> {
        for element in patch {
            let Value::Object(element) = element else { return Err(mismatch("map", &element)) };
            let value = element.get(key).ok_or_else(|| no_key(&element, key))?;
            match original.iter().position(|old| old.get(key) == Some(value)) {
                Some(at) => {
                    let Value::Object(old) = original[at].take() else { return Err(mismatch("map", &Value::Null)) };
                    original[at] = Value::Object(self.map(old, element, type_)?);
                }
                None => original.push(Value::Object(element)),
            }
        }
        Ok(original)
    }

    /// `$setElementOrder`: merges each list that has one and arranges it, taking both out of the patch.
    pub(super) fn ordered_lists(
        self,
        original: &mut Map<String, Value>,
        patch: &mut Map<String, Value>,
        type_: Option<&Type>,
    ) -> Result<()> {
        let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER)).cloned().collect();
        for directive in directives {
            let order = match patch.remove(&directive) {
                Some(Value::Array(order)) => order,
                other => return Err(mismatch("list", &other.unwrap_or_default())),
            };
            let name = directive.strip_prefix(ORDER).and_then(|rest| rest.strip_prefix('/'));
            let name = name.ok_or(StrategicError::BadElementOrder)?;
            let field = type_.and_then(|type_| type_.field(name)).ok_or(StrategicError::BadElementOrder)?;
            let (old, new) = (take_list(original, name)?, take_list(patch, name)?);
            if let Some(merged) = self.ordered_list(old, new, &order, field)? {
                original.insert(name.to_owned(), Value::Array(merged));
            }
        }
        Ok(())
    }

    fn ordered_list(self, old: Option<List>, new: Option<List>, order: &List, field: &Field) -> Result<Option<List>> {
        let key = self.merge_key(field);
        check_order(new.as_deref().unwrap_or_default(), order, key)?;
        let live = old.clone().unwrap_or_default();
        let merged = match (old, new) {
            (None, None) => return Ok(None),
            (Some(old), None) => old,
            (None, Some(new)) => new.into_iter().filter_map(without_directives).collect(),
            (Some(old), Some(new)) if field.patch_strategy.merge => self.list(old, new, field)?,
            (Some(_), Some(new)) => new,
        };
        if let Some(key) = key {
            keyed(&merged, key)?;
            keyed(order, key)?;
        }
        Ok(Some(arrange(merged, order, &live, key)))
    }
}

/// `$deleteFromPrimitiveList`: takes scalars out of a list.
pub(super) fn delete_from(original: &mut Map<String, Value>, name: &str, deleted: &Value) -> Result<()> {
    let Some(Value::Array(list)) = original.get_mut(name) else { return Ok(()) };
    let Value::Array(deleted) = deleted else { return Ok(()) };
    holds_objects(list, deleted)?;
    list.retain(|item| !deleted.contains(item));
    Ok(())
}

/// Carries out `$patch` in elements: deleting pairs, or replacing the whole list.
fn directives(mut original: List, patch: List, key: &'static str) -> Result<(List, List)> {
    let mut plain = List::new();
    let mut replace = false;
    for element in patch {
        let Value::Object(map) = &element else { return Err(mismatch("map", &element)) };
        match map.get(PATCH).map(|directive| (directive, directive.as_str())) {
            None => plain.push(element),
            Some((_, Some("delete"))) => {
                let value = map.get(key).ok_or_else(|| no_key(map, key))?;
                original.retain(|old| old.get(key) != Some(value));
            }
            Some((_, Some("replace"))) => replace = true,
            Some((_, Some("merge"))) => return Err(StrategicError::MergeInList),
            Some((directive, _)) => return Err(bad_directive(directive, map)),
        }
    }
    Ok(if replace { (plain, List::new()) } else { (original, plain) })
}

/// Puts the elements that `order` names into its order, and the others between them as the live list has them.
fn arrange(merged: List, order: &[Value], live: &[Value], key: Option<&str>) -> List {
    let place = |list: &[Value], item: &Value| list.iter().position(|other| same(item, other, key));
    let (mut named, mut others): (List, List) = merged.into_iter().partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    others.sort_by_key(|item| place(live, item));
    let mut arranged = List::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(right), Some(left)) = (named.peek(), others.peek()) {
        let before = matches!((place(live, left), place(live, right)), (Some(left), Some(right)) if left < right);
        arranged.extend(if before { others.next() } else { named.next() });
    }
    arranged.extend(named);
    arranged.extend(others);
    arranged
}

fn same(a: &Value, b: &Value, key: Option<&str>) -> bool {
    match key {
        Some(key) if a.is_object() => a.get(key) == b.get(key),
        _ => a == b,
    }
}

/// The elements of the patch must stand in the order that the directive gives.
fn check_order(patch: &[Value], order: &[Value], key: Option<&'static str>) -> Result<()> {
    if order.is_empty() || patch.is_empty() {
        return Ok(());
    }
    let mut wanted = order.iter();
    for element in patch.iter().filter(|element| element.get(PATCH).is_none()) {
        if let (Some(key), Value::Object(map)) = (key, element) {
            map.get(key).ok_or_else(|| no_key(map, key))?;
        }
        if !wanted.any(|other| same(element, other, key)) {
            let text = |list: &[Value]| plain(&Value::from(list.to_vec()));
            return Err(StrategicError::OrderMismatch { patch: text(patch), order: text(order) });
        }
    }
    Ok(())
}

/// Whether the elements are objects; all must be of one sort.
fn holds_objects(a: &[Value], b: &[Value]) -> Result<bool> {
    let mut all = a.iter().chain(b).map(|item| match item {
        Value::Array(_) => Err(StrategicError::ListOfLists),
        other => Ok(other.is_object()),
    });
    let first = all.next().unwrap_or(Ok(false))?;
    for other in all {
        if other? != first {
            return Err(StrategicError::Mismatch { expected: "map", actual: "string" });
        }
    }
    Ok(first)
}

fn keyed(list: &[Value], key: &'static str) -> Result<()> {
    for item in list {
        match item {
            Value::Object(map) if map.contains_key(key) => {}
            Value::Object(map) => return Err(no_key(map, key)),
            other => return Err(mismatch("map", other)),
        }
    }
    Ok(())
}

fn take_list(map: &mut Map<String, Value>, name: &str) -> Result<Option<List>> {
    match map.remove(name) {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(other) => Err(mismatch("list", &other)),
    }
}

fn deduplicate(list: &mut List) {
    let mut at = 0;
    while at < list.len() {
        let (before, rest) = list.split_at(at);
        if before.contains(&rest[0]) {
            list.remove(at);
        } else {
            at += 1;
        }
    }
}

fn no_key(map: &Map<String, Value>, key: &'static str) -> StrategicError {
    StrategicError::NoMergeKey { map: plain(&Value::Object(map.clone())), key }
}

fn mismatch(expected: &'static str, actual: &Value) -> StrategicError {
    let actual = match actual {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    };
    StrategicError::Mismatch { expected, actual }
}
