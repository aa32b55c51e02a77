//! The plain value of a document: what is left when styles, comments and anchors are gone.

use crate::entries::Entries;
use crate::number;

/// A mapping; keys are in byte order, as Go prints and ranges over maps.
pub type Map = Entries<String, Value>;

/// A value of the JSON model, with Go's kinds of numbers kept apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`, or nothing.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer; only readers asked to keep integers make these.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// Any other number; Helm's values hold only these.
    Float(f64),
    /// A string.
    String(String),
    /// A string that is not UTF-8; no document holds one, but a file that becomes a value may.
    Binary(Box<Binary>),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping.
    Map(Map),
}

/// Bytes of a string that is not UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    bytes: Vec<u8>,
    text: String,
}

impl Binary {
    fn new(bytes: Vec<u8>) -> Self {
        let text = kpkg_gounicode::lossy(&bytes).into_owned();
        Self { bytes, text }
    }

    /// The bytes as they are.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How JSON and YAML have it: U+FFFD for each byte that is not UTF-8, as Go writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Value {
    /// The mapping, if this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, if this is one, to change it.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Binary(binary) => Some(binary.as_str()),
            _ => None,
        }
    }

    /// The sequence, if this is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What Go's JSON decoder calls it where it wants something else.
    pub fn json_type(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Uint(_) | Self::Float(_) => "number",
            Self::String(_) | Self::Binary(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }

    /// The text of a scalar where a Go struct wants a string, however it was written; `None` for collections.
    pub fn scalar_text(&self) -> Option<String> {
        match self {
            Self::Null => Some(String::new()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Uint(value) => Some(value.to_string()),
            Self::Float(value) => Some(number::format_general_32(*value)),
            Self::String(text) => Some(text.clone()),
            Self::Binary(binary) => Some(binary.as_str().to_owned()),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Looks a dotted path of mapping keys up.
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, key| value.as_map()?.get(key))
    }

    /// The value as `serde_json` holds it; numbers without a fraction become integers.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Uint(value) => (*value).into(),
            Self::Float(value) => float_to_json(*value),
            Self::String(value) => value.as_str().into(),
            Self::Binary(value) => value.as_str().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(map) => {
                map.iter().map(|(key, value)| (key.clone(), value.to_json())).collect::<serde_json::Map<_, _>>().into()
            }
        }
    }

    /// A value from `serde_json`'s; all numbers become floats, as Go's decoder makes them.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or_default()),
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                Self::Map(map.iter().map(|(key, value)| (key.clone(), Self::from_json(value))).collect())
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be integral and in range")]
fn float_to_json(value: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return (value as i64).into();
    }
    serde_json::Number::from_f64(value).map_or(serde_json::Value::Null, Into::into)
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

/// A string of whatever a file holds.
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes)
            .map_or_else(|error| Self::Binary(Box::new(Binary::new(error.into_bytes()))), Self::String)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}
