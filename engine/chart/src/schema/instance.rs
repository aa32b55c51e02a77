//! Values as schemas see them: JSON's kinds, whatever holds them.

use kpkg_yaml::{Map, Value};

use super::json::Json;

/// A value, or a part of one.
#[derive(Clone, Copy)]
pub(super) struct Instance<'v> {
    pub(super) item: Item<'v>,
    /// Where it lies in memory: which value this is, of several that are equal.
    pub(super) address: *const (),
}

#[derive(Clone, Copy)]
pub(super) enum Item<'v> {
    Null,
    Bool(bool),
    Number(f64),
    String(&'v str),
    Array(&'v [Value]),
    Object(&'v Map),
}

impl<'v> Instance<'v> {
    pub(super) fn of(value: &'v Value) -> Self {
        Self { item: Item::of(value), address: std::ptr::from_ref(value).cast() }
    }

    pub(super) fn of_map(map: &'v Map) -> Self {
        Self { item: Item::Object(map), address: std::ptr::from_ref(map).cast() }
    }

    /// The name of a property.
    pub(super) fn of_name(name: &'v str) -> Self {
        Self { item: Item::String(name), address: name.as_ptr().cast() }
    }
}

impl<'v> Item<'v> {
    fn of(value: &'v Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Number(*value as f64),
            Value::Uint(value) => Self::Number(*value as f64),
            Value::Float(value) if value.is_finite() => Self::Number(*value),
            // JSON has no other numbers.
            Value::Null | Value::Float(_) => Self::Null,
            Value::String(text) => Self::String(text),
            Value::Binary(binary) => Self::String(binary.as_str()),
            Value::List(items) => Self::Array(items),
            Value::Map(map) => Self::Object(map),
        }
    }

    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Whether this is what a schema says; numbers are by what they stand for, however they are written.
    pub(super) fn equals(self, wanted: &Json<'_>) -> bool {
        match (wanted, self) {
            (Json::Null, Self::Null) => true,
            (Json::Bool(wanted), Self::Bool(found)) => *wanted == found,
            (Json::Number(wanted), Self::Number(found)) => wanted.as_f64() == Some(found),
            (Json::String(wanted), Self::String(found)) => wanted == found,
            (Json::Array(wanted), Self::Array(found)) => {
                wanted.len() == found.len()
                    && wanted.iter().zip(found).all(|(wanted, found)| Self::of(found).equals(wanted))
            }
            (Json::Object(wanted), Self::Object(found)) => {
                wanted.keys().count() == found.len()
                    && wanted
                        .iter()
                        .all(|(key, wanted)| found.get(key).is_some_and(|found| Self::of(found).equals(wanted)))
            }
            _ => false,
        }
    }
}
