//! What a merge needs to know of a document, so that it works on JSON and on trees that keep how they were written.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Null; in an object it counts as absent, in a patch it deletes.
    Null,
    /// Any other scalar.
    Scalar,
    /// A list.
    List,
    /// An object.
    Map,
}

/// A form of documents. It is a type of its own and not the node's, so that crates can describe nodes of others.
pub trait Tree {
    /// A value.
    type Node: Clone;
    /// How a scalar was written.
    type Style;
    /// The name of a field, with all that is kept of how it was written.
    type Name;

    /// What a node is.
    fn kind(node: &Self::Node) -> Kind;
    /// The text of a scalar; of anything else, nothing.
    fn text(node: &Self::Node) -> Cow<'_, str>;
    /// Whether two nodes are equal.
    fn is_equal(a: &Self::Node, b: &Self::Node) -> bool;
    /// The node as messages show it.
    fn to_json(node: &Self::Node) -> Value;

    /// An object without fields.
    fn empty() -> Self::Node;
    /// A name that was written nowhere.
    fn name(text: &str) -> Self::Name;
    /// The text of a name.
    fn name_text(name: &Self::Name) -> &str;
    /// A scalar of which only its text is known, in the place of `old`.
    fn scalar(text: &str, old: Option<&Self::Node>) -> Self::Node;
    /// How a scalar was written; `None` of anything else.
    fn style(node: &Self::Node) -> Option<Self::Style>;
    /// Writes a scalar so; anything else stays.
    fn restyle(node: &mut Self::Node, style: Self::Style);

    /// The elements of a list.
    fn elements(node: &Self::Node) -> Option<&[Self::Node]>;
    /// The elements of a list, to change them.
    fn elements_mut(node: &mut Self::Node) -> Option<&mut Vec<Self::Node>>;

    /// How many fields an object has.
    fn len(node: &Self::Node) -> usize;
    /// A field of an object.
    fn get<'n>(node: &'n Self::Node, name: &str) -> Option<&'n Self::Node>;
    /// A field of an object, to change it.
    fn get_mut<'n>(node: &'n mut Self::Node, name: &str) -> Option<&'n mut Self::Node>;
    /// Takes a field out of an object.
    fn remove(node: &mut Self::Node, name: &str) -> Option<Self::Node>;
    /// Adds a field to an object that lacks it.
    fn insert(node: &mut Self::Node, name: Self::Name, value: Self::Node);
    /// The fields of an object.
    fn fields(node: &Self::Node) -> impl Iterator<Item = (&str, &Self::Node)>;
    /// Drops the fields of an object for which `keep` says no.
    fn retain(node: &mut Self::Node, keep: impl FnMut(&str, &mut Self::Node) -> bool);
    /// The fields of an object, taken out of it.
    fn into_fields(node: Self::Node) -> Vec<(Self::Name, Self::Node)>;

    /// Takes a node out and leaves an empty one.
    fn take(node: &mut Self::Node) -> Self::Node {
        std::mem::replace(node, Self::empty())
    }
}

/// Documents of JSON.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl Tree for Json {
    type Node = Value;
    type Style = ();
    type Name = String;

    fn kind(node: &Value) -> Kind {
        match node {
            Value::Null => Kind::Null,
            Value::Array(_) => Kind::List,
            Value::Object(_) => Kind::Map,
            _ => Kind::Scalar,
        }
    }

    fn text(node: &Value) -> Cow<'_, str> {
        match node {
            Value::String(text) => text.into(),
            Value::Array(_) | Value::Object(_) => "".into(),
            other => other.to_string().into(),
        }
    }

    fn is_equal(a: &Value, b: &Value) -> bool {
        a == b
    }

    fn to_json(node: &Value) -> Value {
        node.clone()
    }

    fn empty() -> Value {
        Value::Object(Map::new())
    }

    fn name(text: &str) -> String {
        text.to_owned()
    }

    fn name_text(name: &String) -> &str {
        name
    }

    fn scalar(text: &str, old: Option<&Value>) -> Value {
        old.filter(|old| Self::text(old) == text).cloned().unwrap_or_else(|| text.into())
    }

    fn style(_: &Value) -> Option<()> {
        None
    }

    fn restyle(_: &mut Value, (): ()) {}

    fn elements(node: &Value) -> Option<&[Value]> {
        node.as_array().map(Vec::as_slice)
    }

    fn elements_mut(node: &mut Value) -> Option<&mut Vec<Value>> {
        node.as_array_mut()
    }

    fn len(node: &Value) -> usize {
        node.as_object().map_or(0, Map::len)
    }

    fn get<'n>(node: &'n Value, name: &str) -> Option<&'n Value> {
        node.get(name)
    }

    fn get_mut<'n>(node: &'n mut Value, name: &str) -> Option<&'n mut Value> {
        node.get_mut(name)
    }

    fn remove(node: &mut Value, name: &str) -> Option<Value> {
        node.as_object_mut()?.remove(name)
    }

    fn insert(node: &mut Value, name: String, value: Value) {
        if let Some(map) = node.as_object_mut() {
            map.insert(name, value);
        }
    }

    fn fields(node: &Value) -> impl Iterator<Item = (&str, &Value)> {
        node.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    fn retain(node: &mut Value, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        if let Some(map) = node.as_object_mut() {
            map.retain(|name, value| keep(name, value));
        }
    }

    fn into_fields(node: Value) -> Vec<(String, Value)> {
        match node {
            Value::Object(map) => map.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn take(node: &mut Value) -> Value {
        node.take()
    }
}
