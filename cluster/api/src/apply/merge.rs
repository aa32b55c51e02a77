//! Merging what is applied into what is there, and taking out what is no longer applied.

use super::{
    Element, FieldSet,
    node::{Listed, Node, element_of},
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is there, with what is applied laid over it.
pub(super) fn merge(node: Node<'_>, live: Option<&Value>, applied: Option<&Value>) -> Value {
    match (live, applied) {
        (Some(live), None) => live.clone(),
        (Some(Value::Object(live)), Some(Value::Object(applied)))
            if !(node.is_atomic_map() || live.is_empty() && applied.is_empty()) =>
        {
            Value::Object(objects(node, live, applied))
        }
        (Some(Value::Array(live)), Some(Value::Array(applied)))
            if !(matches!(node.list(), Listed::Atomic) || live.is_empty() && applied.is_empty()) =>
        {
            Value::Array(lists(node, live, applied))
        }
        (_, Some(applied)) => applied.clone(),
        (None, None) => Value::Null,
    }
}

fn objects(node: Node<'_>, live: &Map<String, Value>, applied: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = live.clone();
    for (name, value) in applied {
        let value = merge(node.child(name).0, live.get(name), Some(value));
        merged.insert(name.clone(), value);
    }
    merged
}

/// Both in their own order: elements of both stand as the applied list has them, and those that only the live one has
/// stay before the ones that they were before.
fn lists(node: Node<'_>, live: &[Value], applied: &[Value]) -> Vec<Value> {
    let (list, item) = (node.list(), node.item());
    let index = |items: &[Value]| -> Vec<Element> { items.iter().filter_map(|it| element_of(list, it).ok()).collect() };
    let (live_keys, applied_keys) = (index(live), index(applied));
    let mut live_by_key: BTreeMap<&Element, Option<&Value>> = BTreeMap::new();
    for (key, value) in live_keys.iter().zip(live) {
        // An element that is there twice is replaced, not merged.
        live_by_key.entry(key).and_modify(|known| *known = None).or_insert(Some(value));
    }
    let applied_set: BTreeSet<&Element> = applied_keys.iter().collect();
    let mut shared = applied_keys.iter().filter(|key| live_by_key.contains_key(key)).peekable();
    let mut done: BTreeSet<&Element> = BTreeSet::new();
    let mut merged = Vec::with_capacity(live.len().max(applied.len()));
    let (mut at_live, mut at_applied) = (0, 0);
    while at_live < live_keys.len() || at_applied < applied_keys.len() {
        if let Some(key) = live_keys.get(at_live) {
            if !applied_set.contains(key) {
                merged.push(live[at_live].clone());
                at_live += 1;
                continue;
            }
            let awaited = applied_keys.get(at_applied) == Some(key);
            if done.contains(key) || (!awaited && shared.peek().is_some_and(|next| *next != key)) {
                at_live += 1;
                continue;
            }
            if awaited {
                at_live += 1;
            }
        }
        if let Some(key) = applied_keys.get(at_applied) {
            let known = live_by_key.get(key).copied().flatten();
            merged.push(merge(item, known, applied.get(at_applied)));
            done.insert(key);
            shared.next_if(|next| *next == key);
            at_applied += 1;
        }
    }
    merged
}

/// A value without the fields of a set; none if nothing is left of it.
pub(super) fn remove(node: Node<'_>, value: &Value, gone: &FieldSet) -> Option<Value> {
    match value {
        Value::Object(map) if !map.is_empty() => {
            if node.is_atomic_map() {
                return None;
            }
            let mut kept = Map::new();
            for (name, value) in map {
                let element = Element::field(name);
                if gone.has_here(&element) {
                    continue;
                }
                let value = match gone.below(&element) {
                    Some(below) => remove(node.child(name).0, value, below).unwrap_or(Value::Null),
                    None => value.clone(),
                };
                kept.insert(name.clone(), value);
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) if !items.is_empty() => {
            let list = node.list();
            if matches!(list, Listed::Atomic) {
                return None;
            }
            let kept: Vec<Value> = items.iter().filter_map(|item| remove_item(node, list, item, gone)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Object(_) | Value::Array(_) => None,
        scalar => Some(scalar.clone()),
    }
}

fn remove_item(node: Node<'_>, list: Listed<'_>, item: &Value, gone: &FieldSet) -> Option<Value> {
    let Ok(element) = element_of(list, item) else { return Some(item.clone()) };
    if gone.has_here(&element) {
        return None;
    }
    match gone.below(&element) {
        Some(below) => Some(remove(node.item(), item, below).unwrap_or(Value::Null)),
        None => Some(item.clone()),
    }
}
