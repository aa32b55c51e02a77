//! Whether what is applied has the types that the schema wants.

use super::node::{Listed, Node, element_of};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Everything that is wrong with an applied object, each with its path: `.spec.foo: field not declared in schema`.
pub(super) fn faults(node: Node<'_>, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(node, value, &mut String::new(), &mut found);
    found
}

fn walk(node: Node<'_>, value: &Value, path: &mut String, found: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(_) if node.is_scalar() => found.push(format!("{path}: expected scalar, got map")),
        Value::Array(_) if node.is_scalar() => found.push(format!("{path}: expected scalar, got list")),
        Value::Object(map) => {
            if wants_list(node) {
                found.push(format!("{path}: expected list, got map"));
                return;
            }
            for (name, value) in map {
                let (child, named) = node.child(name);
                let length = path.len();
                write!(path, ".{name}").expect("writing to a String does not fail");
                if named || node.takes_any_field() {
                    walk(child, value, path, found);
                } else {
                    found.push(format!("{path}: field not declared in schema"));
                }
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            if wants_map(node) {
                found.push(format!("{path}: expected map, got list"));
                return;
            }
            list(node, items, path, found);
        }
        scalar => {
            if wants_map(node) || wants_list(node) {
                let wanted = if wants_map(node) { "map" } else { "list" };
                found.push(format!("{path}: expected {wanted}, got &{{{}}}", crate::text::plain(scalar)));
            }
        }
    }
}

fn list(node: Node<'_>, items: &[Value], path: &mut String, found: &mut Vec<String>) {
    let (kind, item_node) = (node.list(), node.item());
    let mut seen = BTreeSet::new();
    for (at, item) in items.iter().enumerate() {
        let step = match kind {
            Listed::Atomic => format!("[{at}]"),
            _ => match element_of(kind, item) {
                Err(why) => {
                    found.push(format!("{path}: element {at}: {why}"));
                    continue;
                }
                Ok(element) => {
                    let text = element.to_string();
                    if !seen.insert(element) {
                        found.push(format!("{path}: duplicate entries for key {text}"));
                        continue;
                    }
                    text
                }
            },
        };
        let length = path.len();
        path.push_str(&step);
        walk(item_node, item, path, found);
        path.truncate(length);
    }
}

fn wants_list(node: Node<'_>) -> bool {
    use crate::{schema::Shape, structural::Form};
    match node {
        Node::Field(field) => field.shape == Shape::List,
        Node::Custom(schema) => schema.form == Form::Array,
        _ => false,
    }
}

fn wants_map(node: Node<'_>) -> bool {
    use crate::{schema::Shape, structural::Form};
    match node {
        Node::Object(_) | Node::Resource(_) => true,
        Node::Field(field) => match field.shape {
            Shape::Single => field.message().is_some(),
            Shape::Map | Shape::MapOfLists => true,
            Shape::List => false,
        },
        Node::Item(field) => field.message().is_some(),
        Node::Custom(schema) => schema.form == Form::Object,
        Node::Open | Node::Whole | Node::Leaf => false,
    }
}
