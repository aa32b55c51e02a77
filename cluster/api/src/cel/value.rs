//! Values, and how they compare.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{Budget, CelError};
use crate::quantity::Quantity;

/// A value. What is of the object itself is borrowed from it.
#[derive(Debug, Clone)]
pub enum Cel<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that is not negative.
    Uint(u64),
    /// A number.
    Double(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list of the object.
    Array(&'a [Value]),
    /// A list that was made.
    List(Rc<Vec<Cel<'a>>>),
    /// A map of the object.
    Object(&'a Map<String, Value>),
    /// A map that was made.
    Map(Rc<Vec<(Cel<'a>, Cel<'a>)>>),
    /// A length of time.
    Duration(SignedDuration),
    /// A point in time.
    Time(Timestamp),
    /// An amount.
    Quantity(Quantity),
    /// The type of a value.
    Type(&'static str),
}

pub(super) fn fault<T>(text: impl Into<String>) -> Result<T, CelError> {
    Err(CelError::Value(text.into()))
}

impl<'a> Cel<'a> {
    /// A value of the object.
    pub fn from_json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Double(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(items) => Self::Array(items),
            Value::Object(map) => Self::Object(map),
        }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(items))
    }

    /// The name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Array(_) | Self::List(_) => "list",
            Self::Object(_) | Self::Map(_) => "map",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Type(_) => "type",
        }
    }

    /// The elements of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) => Some(items.iter().map(Self::from_json).collect()),
            Self::List(items) => Some(items.to_vec()),
            _ => None,
        }
    }

    /// How many elements or characters it has.
    pub(super) fn size(&self) -> Option<usize> {
        Some(match self {
            Self::Text(text) => text.chars().count(),
            Self::Array(items) => items.len(),
            Self::List(items) => items.len(),
            Self::Object(map) => map.len(),
            Self::Map(pairs) => pairs.len(),
            _ => return None,
        })
    }

    /// What a key of a map leads to.
    pub(super) fn get(&self, key: &Self) -> Option<Self> {
        match (self, key) {
            (Self::Object(map), Self::Text(key)) => map.get(&**key).map(Self::from_json),
            (Self::Map(pairs), key) => {
                pairs.iter().find(|(own, _)| own.same_scalar(key)).map(|(_, value)| value.clone())
            }
            _ => None,
        }
    }

    fn same_scalar(&self, other: &Self) -> bool {
        self.order(other) == Some(Ordering::Equal)
    }

    /// How scalars of comparable types are ordered.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of different types are compared as doubles")]
        let double = |value: &Self| match value {
            Self::Int(value) => Some(*value as f64),
            Self::Uint(value) => Some(*value as f64),
            Self::Double(value) => Some(*value),
            _ => None,
        };
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Uint(a), Self::Uint(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            // Texts of the object that are times by their format.
            (Self::Text(a), Self::Time(b)) => Some(a.parse::<Timestamp>().ok()?.cmp(b)),
            (Self::Time(a), Self::Text(b)) => Some(a.cmp(&b.parse::<Timestamp>().ok()?)),
            (Self::Quantity(a), Self::Quantity(b)) => Some(a.cmp(b)),
            _ => double(self)?.partial_cmp(&double(other)?),
        }
    }

    /// Whether two values are the same, at a cost.
    pub(super) fn equals(&self, other: &Self, budget: &mut Budget) -> Result<bool, CelError> {
        budget.spend(1)?;
        if let (Self::Text(a), Self::Text(b)) = (self, other) {
            budget.spend(a.len().min(b.len()) / 10)?;
            return Ok(a == b);
        }
        if let (Some(a), Some(b)) = (self.items(), other.items()) {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(&b) {
                if !a.equals(b, budget)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        match (self, other) {
            (Self::Null, Self::Null) => Ok(true),
            (Self::Type(a), Self::Type(b)) => Ok(a == b),
            (Self::Object(_) | Self::Map(_), Self::Object(_) | Self::Map(_)) => self.same_map(other, budget),
            _ => Ok(self.order(other) == Some(Ordering::Equal)),
        }
    }

    fn same_map(&self, other: &Self, budget: &mut Budget) -> Result<bool, CelError> {
        if self.size() != other.size() {
            return Ok(false);
        }
        for key in self.keys() {
            budget.spend(1)?;
            let (Some(a), Some(b)) = (self.get(&key), other.get(&key)) else { return Ok(false) };
            if !a.equals(&b, budget)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The keys of a map.
    pub(super) fn keys(&self) -> Vec<Self> {
        match self {
            Self::Object(map) => map.keys().map(|key| Self::Text(Cow::Borrowed(key))).collect(),
            Self::Map(pairs) => pairs.iter().map(|(key, _)| key.clone()).collect(),
            _ => Vec::new(),
        }
    }
}
