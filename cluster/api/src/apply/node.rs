//! How the value at a place merges, by the schema: one view of the built-in types and of custom ones.

use super::{Element, element::Scalar};
use crate::{
    schema::{self, Field, ListType, Shape, Type},
    structural::{Form, Structural},
};
use serde_json::Value;

/// A place in the schema. Places that the schema says nothing of merge as their values suggest: maps by key, lists as
/// a whole.
#[derive(Debug, Clone, Copy)]
pub enum Node<'a> {
    /// An object of a built-in type.
    Object(&'static Type),
    /// The value of a field of a built-in type.
    Field(&'static Field),
    /// An element of such a field's list or map.
    Item(&'static Field),
    /// A whole custom object, or one embedded in another.
    Resource(&'a Structural),
    /// A part of a custom object.
    Custom(&'a Structural),
    /// A place that the schema leaves open.
    Open,
    /// A place whose value is applied as a whole.
    Whole,
    /// A place where only a scalar can be.
    Leaf,
}

/// How a list merges.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listed<'a> {
    Atomic,
    Set,
    /// By these key fields, of elements at that place.
    Map(Keys<'a>, Node<'a>),
}

/// Names of key fields.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keys<'a> {
    BuiltIn(&'static [&'static str]),
    Custom(&'a [String]),
}

impl<'a> Keys<'a> {
    pub(super) fn names(self) -> Vec<&'a str> {
        match self {
            Self::BuiltIn(names) => names.to_vec(),
            Self::Custom(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

impl<'a> Node<'a> {
    /// The place below a name, and whether the schema knows the name as a field, not as the key of a map.
    pub(super) fn child(self, name: &str) -> (Node<'a>, bool) {
        match self {
            Self::Object(type_) => match type_.field(name) {
                Some(field) => (Node::Field(field), true),
                None => (Node::Open, false),
            },
            Self::Field(field) => match (field.shape, field.message()) {
                (Shape::Single, Some(type_)) => Self::Object(type_).child(name),
                (Shape::Map, _) => (Node::Item(field), false),
                (Shape::MapOfLists, _) => (Node::Whole, false),
                _ => (Node::Open, false),
            },
            Self::Item(field) => match field.message() {
                Some(type_) => Self::Object(type_).child(name),
                None => (Node::Open, false),
            },
            Self::Resource(schema) => match name {
                "metadata" => (Node::Object(object_meta()), true),
                "apiVersion" | "kind" => (Node::Leaf, true),
                _ => Self::Custom(schema).child(name),
            },
            Self::Custom(schema) => match (schema.properties.get(name), &schema.additional) {
                (Some(property), _) => (Self::custom(property), true),
                (None, Some(values)) => (Self::custom(values), false),
                (None, None) => (Node::Open, false),
            },
            Self::Open | Self::Whole | Self::Leaf => (Node::Open, false),
        }
    }

    fn custom(schema: &'a Structural) -> Self {
        if schema.embedded { Self::Resource(schema) } else { Self::Custom(schema) }
    }

    /// Whether an object here is applied as a whole.
    pub(super) fn is_atomic_map(self) -> bool {
        match self {
            Self::Field(field) => {
                field.atomic_map
                    || field.shape == Shape::MapOfLists
                    || (field.shape == Shape::Single && (is_opaque(field) || is_atomic(field) && !field.granular))
            }
            Self::Item(field) => is_opaque(field) || is_atomic(field),
            Self::Resource(schema) | Self::Custom(schema) => schema.atomic_map,
            Self::Whole => true,
            Self::Object(type_) => type_.atomic,
            Self::Open | Self::Leaf => false,
        }
    }

    /// How a list here merges.
    pub(super) fn list(self) -> Listed<'a> {
        match self {
            Self::Field(field) if field.shape == Shape::List => match field.list_type {
                ListType::Atomic => Listed::Atomic,
                ListType::Set => Listed::Set,
                ListType::Map => Listed::Map(Keys::BuiltIn(&field.map_keys), Node::Item(field)),
            },
            Self::Custom(schema) => match (schema.list_type, &schema.items) {
                (ListType::Set, _) => Listed::Set,
                (ListType::Map, Some(items)) => Listed::Map(Keys::Custom(&schema.map_keys), Self::custom(items)),
                _ => Listed::Atomic,
            },
            _ => Listed::Atomic,
        }
    }

    /// An object here with nothing set: what Go prints of a new one. Objects that are always there are there, and what is
    /// required is null.
    pub(super) fn blank(self) -> Value {
        match self {
            Self::Object(type_) => blank(type_),
            _ => Value::Object(serde_json::Map::new()),
        }
    }

    /// The place of a list's elements.
    pub(super) fn item(self) -> Node<'a> {
        match self.list() {
            Listed::Map(_, item) => item,
            Listed::Set => Node::Leaf,
            Listed::Atomic => match self {
                Self::Field(field) => Node::Item(field),
                Self::Custom(Structural { items: Some(items), .. }) => Self::custom(items),
                _ => Node::Open,
            },
        }
    }

    /// What a key field of elements here is when it is left out.
    fn key_default(self, name: &str) -> Option<Scalar> {
        match self {
            // The one default among the key fields of built-in types.
            Self::Item(field) if name == "protocol" && field.message()?.field(name).is_some() => {
                Some(Scalar::Text("TCP".to_owned()))
            }
            Self::Custom(schema) => Scalar::from_json(schema.properties.get(name)?.default.as_ref()?),
            _ => None,
        }
    }

    /// What an object here may have beside the fields that the schema names.
    pub(super) fn takes_any_field(self) -> bool {
        match self {
            Self::Object(_) => false,
            Self::Field(field) => field.shape != Shape::Single || field.message().is_none(),
            Self::Item(field) => field.message().is_none(),
            // What a custom object's schema does not know is pruned, or kept, later.
            Self::Resource(_) | Self::Custom(_) | Self::Open | Self::Whole | Self::Leaf => true,
        }
    }

    /// Whether only a scalar may stand here.
    pub(super) fn is_scalar(self) -> bool {
        match self {
            Self::Field(field) => field.shape == Shape::Single && !is_opaque(field) && field.message().is_none(),
            Self::Item(field) => !is_opaque(field) && field.message().is_none(),
            Self::Custom(schema) => !matches!(schema.form, Form::Object | Form::Array | Form::Any),
            Self::Leaf => true,
            Self::Object(_) | Self::Resource(_) | Self::Open | Self::Whole => false,
        }
    }
}

/// The element of a merged list's item in a path.
pub(super) fn element_of(list: Listed<'_>, item: &Value) -> Result<Element, String> {
    match list {
        Listed::Atomic => Err("invalid indexing of non-associative list".to_owned()),
        Listed::Set => match Scalar::from_json(item) {
            Some(Scalar::Null) => {
                Err("associative list without keys has an element that's an explicit null".to_owned())
            }
            Some(value) => Ok(Element::Value(value)),
            None if item.is_object() => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            None => Err("not supported: associative list with lists as elements".to_owned()),
        },
        Listed::Map(keys, node) => key_of(&keys.names(), node, item),
    }
}

fn key_of(names: &[&str], node: Node<'_>, item: &Value) -> Result<Element, String> {
    if item.is_null() {
        return Err("associative list with keys may not have a null element".to_owned());
    }
    if !item.is_object() {
        return Err("associative list with keys may not have non-map elements".to_owned());
    }
    let mut key: Vec<(String, Scalar)> = names
        .iter()
        .filter_map(|name| {
            let value = match item.get(*name) {
                Some(value) => Scalar::from_json(value),
                None => node.key_default(name),
            };
            Some(((*name).to_owned(), value?))
        })
        .collect();
    if key.is_empty() {
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            names.iter().map(|name| crate::text::quote(name)).collect::<Vec<_>>().join(" ")
        ));
    }
    key.sort();
    Ok(Element::Key(key))
}

fn blank(type_: &Type) -> Value {
    let field = |field: &Field| {
        let value = match field.message().filter(|_| field.shape == Shape::Single && type_.always.contains(&field.name))
        {
            Some(inner) => blank(inner),
            None if field.required => Value::Null,
            None => return None,
        };
        Some((field.name.to_owned(), value))
    };
    Value::Object(type_.fields.iter().filter_map(field).collect())
}

fn is_opaque(field: &Field) -> bool {
    use schema::Element::{FieldsV1, Json, RawExtension};
    matches!(field.element, RawExtension | FieldsV1 | Json)
}

fn is_atomic(field: &Field) -> bool {
    field.message().is_some_and(|type_| type_.atomic)
}

fn object_meta() -> &'static Type {
    schema::table().by_name("apimachinery.pkg.apis.meta.v1.ObjectMeta").expect("the table has ObjectMeta")
}
