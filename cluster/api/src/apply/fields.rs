//! What a value has (its field set), and what differs between two.

use super::{
    Element, FieldSet,
    node::{Listed, Node, element_of},
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields that a value has, as its applier owns them.
pub(super) fn of(node: Node<'_>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| add_field(node, name, value, &mut set)),
        Value::Array(items) => add_items(node, items, &mut set),
        _ => {}
    }
    set
}

/// Whether a value is owned as a whole.
fn is_leaf(node: Node<'_>, value: &Value) -> bool {
    match value {
        Value::Object(_) => node.is_atomic_map(),
        Value::Array(_) => matches!(node.list(), Listed::Atomic),
        _ => true,
    }
}

fn add_field(node: Node<'_>, name: &str, value: &Value, set: &mut FieldSet) {
    let (child, named) = node.child(name);
    let element = Element::field(name);
    let leaf = is_leaf(child, value);
    if leaf || !named || value.as_object().is_some_and(Map::is_empty) {
        set.insert_here(element.clone());
    }
    if !leaf {
        set.insert_below(element, of(child, value));
    }
}

fn add_items(node: Node<'_>, items: &[Value], set: &mut FieldSet) {
    let (list, item_node) = (node.list(), node.item());
    let mut by_element: BTreeMap<Element, Vec<&Value>> = BTreeMap::new();
    for item in items {
        if let Ok(element) = element_of(list, item) {
            by_element.entry(element).or_default().push(item);
        }
    }
    for (element, items) in by_element {
        set.insert_here(element.clone());
        // Elements that are there twice are owned as one.
        if let [item] = items[..]
            && !matches!(list, Listed::Set)
            && !is_leaf(item_node, item)
        {
            set.insert_below(element, of(item_node, item));
        }
    }
}

/// What became of a value's fields.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) changed: FieldSet,
    pub(super) removed: FieldSet,
}

impl Comparison {
    /// What differs between two objects.
    pub(super) fn of(node: Node<'_>, before: &Value, after: &Value) -> Self {
        let mut comparison = Self::default();
        comparison.walk(node, Some(before), Some(after), &mut Vec::new());
        comparison
    }

    fn walk(&mut self, node: Node<'_>, before: Option<&Value>, after: Option<&Value>, path: &mut Vec<Element>) {
        if before == after {
            return;
        }
        if let (None, Some(value)) = (before, after) {
            self.added.insert_tree(path, everything(node, value));
            return;
        }
        let alike = match (before, after) {
            (Some(before), Some(after)) => shape(before) == shape(after) || before.is_null() || after.is_null(),
            _ => true,
        };
        let is_object = |value: Option<&Value>| value.is_some_and(Value::is_object);
        let is_array = |value: Option<&Value>| value.is_some_and(Value::is_array);
        let length = |value: Option<&Value>| match value {
            Some(Value::Object(map)) => map.len(),
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        };
        let empty = length(before) == 0 && length(after) == 0;
        let whole = !alike
            || empty
            || (is_object(before) || is_object(after)) && node.is_atomic_map()
            || (is_array(before) || is_array(after)) && matches!(node.list(), Listed::Atomic);
        if !whole {
            if is_object(before) || is_object(after) {
                self.objects(node, before, after, path);
            } else {
                self.lists(node, before, after, path);
            }
        }
        match (before, after) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            _ if whole => self.changed.insert(path),
            _ => {}
        }
    }

    fn objects(&mut self, node: Node<'_>, before: Option<&Value>, after: Option<&Value>, path: &mut Vec<Element>) {
        let none = Map::new();
        let before = before.and_then(Value::as_object).unwrap_or(&none);
        let after = after.and_then(Value::as_object).unwrap_or(&none);
        for (name, value) in before {
            let other = after.get(name);
            if other != Some(value) {
                self.step(node.child(name).0, Some(value), other, Element::field(name), path);
            }
        }
        for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            self.step(node.child(name).0, None, Some(value), Element::field(name), path);
        }
    }

    fn step(
        &mut self,
        node: Node<'_>,
        before: Option<&Value>,
        after: Option<&Value>,
        element: Element,
        path: &mut Vec<Element>,
    ) {
        path.push(element);
        self.walk(node, before, after, path);
        path.pop();
    }

    fn lists(&mut self, node: Node<'_>, before: Option<&Value>, after: Option<&Value>, path: &mut Vec<Element>) {
        let (list, item) = (node.list(), node.item());
        let mut by_element: BTreeMap<Element, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for value in before.and_then(Value::as_array).into_iter().flatten() {
            if let Ok(element) = element_of(list, value) {
                by_element.entry(element).or_default().0.push(value);
            }
        }
        for value in after.and_then(Value::as_array).into_iter().flatten() {
            if let Ok(element) = element_of(list, value) {
                by_element.entry(element).or_default().1.push(value);
            }
        }
        for (element, (before, after)) in by_element {
            match (&before[..], &after[..]) {
                ([] | [_], [] | [_]) => {
                    self.step(item, before.first().copied(), after.first().copied(), element, path);
                }
                (several, same) if several == same => {}
                ([_, _, ..], [_, _, ..]) => self.mark(path, element, |own| &mut own.changed),
                ([_, _, ..], rest) => {
                    if let [one] = rest {
                        self.step(item, None, Some(one), element.clone(), path);
                    }
                    self.mark(path, element, |own| &mut own.removed);
                }
                (rest, _) => {
                    if let [one] = rest {
                        self.step(item, Some(one), None, element.clone(), path);
                    }
                    self.mark(path, element, |own| &mut own.added);
                }
            }
        }
    }

    fn mark(&mut self, path: &mut Vec<Element>, element: Element, set: impl FnOnce(&mut Self) -> &mut FieldSet) {
        path.push(element);
        set(self).insert(path);
        path.pop();
    }
}

/// All that is below a value, each with its parents: what came to be with it. Built from below, which costs a new object
/// far less than adding path by path.
fn everything(node: Node<'_>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    match value {
        Value::Object(map) if !node.is_atomic_map() => {
            for (name, value) in map {
                set.insert_branch(Element::field(name), everything(node.child(name).0, value));
            }
        }
        Value::Array(items) if !matches!(node.list(), Listed::Atomic) => {
            let (list, item_node) = (node.list(), node.item());
            for item in items {
                let Ok(element) = element_of(list, item) else { continue };
                // Of elements that are there twice, nothing below is told apart.
                let below = if set.has_here(&element) { FieldSet::default() } else { everything(item_node, item) };
                set.insert_branch(element, below);
            }
        }
        _ => {}
    }
    set
}

/// 0: scalar, 1: list, 2: map.
fn shape(value: &Value) -> u8 {
    match value {
        Value::Array(_) => 1,
        Value::Object(_) => 2,
        _ => 0,
    }
}

/// A set in which fields that the schema names are members wherever something below them is.
pub(super) fn with_named(node: Node<'_>, set: &FieldSet) -> FieldSet {
    set.with_members(&mut |element, below| match element {
        Element::Field(name) => {
            let (child, named) = node.child(name);
            (named, with_named(child, below))
        }
        _ => (false, with_named(node.item(), below)),
    })
}
