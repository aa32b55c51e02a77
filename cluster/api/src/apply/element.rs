//! One step of a path to a field, and how it is written: `f:name`, `k:{"name":"web"}`, `v:"a"`, `i:3`.

use crate::text::quote;
use serde_json::{Map, Value};
use std::{cmp::Ordering, fmt};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// The field of that name, or the key of a map.
    Field(String),
    /// The element of a list that has these key fields, sorted by name.
    Key(Vec<(String, Scalar)>),
    /// The element of a set that is this value.
    Value(Scalar),
    /// The element at that place. Never made here, but kept where others made it.
    Index(i64),
}

/// A value that can be part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar {
    /// A number with a fraction.
    Float(Float),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// Nothing.
    Null,
}

/// A float with a total order.
#[derive(Debug, Clone, Copy)]
pub struct Float(f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Float {}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Scalar {
    /// A JSON value, if it is a scalar.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(Float(number.as_f64()?)),
            },
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) => number.0.into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quote(text)),
            other => write!(f, "{}", other.to_json()),
        }
    }
}

impl Element {
    /// A field's or map key's element.
    pub fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    /// Reads a key of the wire format; none if it is of a kind that is not known or malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (tag, rest) = text.split_once(':')?;
        match tag {
            "f" => Some(Self::field(rest)),
            "v" => Scalar::from_json(&serde_json::from_str(rest).ok()?).map(Self::Value),
            "i" => rest.parse().ok().map(Self::Index),
            "k" => {
                let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
                let mut keys = keys
                    .into_iter()
                    .map(|(name, value)| Some((name, Scalar::from_json(&value)?)))
                    .collect::<Option<Vec<_>>>()?;
                keys.sort();
                Some(Self::Key(keys))
            }
            _ => None,
        }
    }

    /// The key in the wire format.
    pub(super) fn wire(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Value(value) => format!("v:{}", value.to_json()),
            Self::Index(at) => format!("i:{at}"),
            Self::Key(keys) => {
                let fields: Vec<String> = keys
                    .iter()
                    .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.to_json()))
                    .collect();
                format!("k:{{{}}}", fields.join(","))
            }
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(at) => write!(f, "[{at}]"),
            Self::Key(keys) => {
                let fields: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", fields.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_go_over_the_wire_and_back() {
        let cases = [
            ("f:spec", ".spec"),
            ("f:example.com/a", ".example.com/a"),
            (r#"k:{"containerPort":80,"protocol":"TCP"}"#, r#"[containerPort=80,protocol="TCP"]"#),
            (r#"v:"foregroundDeletion""#, r#"[="foregroundDeletion"]"#),
            ("v:3", "[=3]"),
            ("i:3", "[3]"),
        ];
        for (wire, shown) in cases {
            let element = Element::parse(wire).expect(wire);
            assert_eq!((element.wire().as_str(), element.to_string().as_str()), (wire, shown));
        }
        for bad in ["", "x", "q:a", "k:[]", "v:{", "i:x"] {
            assert_eq!(Element::parse(bad), None, "{bad}");
        }
    }
}
