//! A schema's text as a tree: strings are borrowed from the text, and keys are in the order of their bytes.

use std::borrow::Cow;
use std::fmt;

use kpkg_yaml::Value;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A part of a schema.
#[derive(Debug, Clone)]
pub(super) enum Json<'s> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'s, str>),
    Array(Vec<Json<'s>>),
    Object(Object<'s>),
}

/// Numbers are the same by what they stand for, however they are written.
impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => left.as_f64() == right.as_f64(),
            (Self::String(left), Self::String(right)) => left == right,
            (Self::Array(left), Self::Array(right)) => left == right,
            (Self::Object(left), Self::Object(right)) => left == right,
            _ => false,
        }
    }
}

/// Keys, each once, with what they hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object<'s>(Vec<(Cow<'s, str>, Json<'s>)>);

impl<'s> Object<'s> {
    /// Of a key that is given twice, the last value counts.
    fn new(mut entries: Vec<(Cow<'s, str>, Json<'s>)>) -> Self {
        if !entries.is_sorted_by(|(left, _), (right, _)| left < right) {
            entries.reverse();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            entries.dedup_by(|(later, _), (kept, _)| later == kept);
        }
        Self(entries)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Json<'s>> {
        /// Few keys are told apart by their lengths, mostly.
        const FEW: usize = 8;
        let at = if self.0.len() <= FEW {
            self.0.iter().position(|(known, _)| known == key)
        } else {
            self.0.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok()
        };
        at.map(|at| &self.0[at].1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'s>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Json<'s>> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl Json<'_> {
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(map) => map.get(key),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// What a JSON pointer that begins with a slash leads to.
    pub(super) fn pointer(&self, pointer: &str) -> Option<&Self> {
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).try_fold(self, |at, step| {
            match at {
                Self::Object(map) => map.get(&step),
                Self::Array(items) => items.get(index(&step)?),
                _ => None,
            }
        })
    }

    /// The same as values have it: for schemas of schemas.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
            Self::String(text) => Value::String(text.as_ref().to_owned()),
            Self::Array(items) => Value::List(items.iter().map(Self::to_value).collect()),
            Self::Object(map) => {
                Value::Map(map.iter().map(|(key, value)| (key.to_owned(), value.to_value())).collect())
            }
        }
    }
}

/// An item's number, as pointers spell it.
fn index(step: &str) -> Option<usize> {
    let is_odd = step.starts_with('+') || step.starts_with('0') && step.len() > 1;
    if is_odd { None } else { step.parse().ok() }
}

impl From<serde_json::Value> for Json<'static> {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::String(text.into()),
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(map) => {
                let entries = map.into_iter().map(|(key, value)| (key.into(), value.into()));
                Self::Object(Object::new(entries.collect()))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Key(key)) = from.next_key()? {
            entries.push((key, from.next_value()?));
        }
        Ok(Json::Object(Object::new(entries)))
    }
}

/// An object's key, borrowed if it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(text.to_owned().into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read as `serde_json` reads a tree of its own.
    #[test]
    fn reads_what_serde_reads() {
        for text in [
            r#"{"b": 1, "a": [null, true, -1, 1.5, 1e3, 18446744073709551615, "x", "\u0078\n"], "b": {"\u0061": {}}}"#,
            r#"{"c": 1, "a": 2, "c": 3, "a": 4, "b": []}"#,
            "[]",
            " 3 ",
            "{",
            "[1,]",
            "{\"a\": 1e999}",
            "{1: 2}",
        ] {
            let ours = serde_json::from_str::<Json<'_>>(text).map_err(|error| error.to_string());
            let theirs = serde_json::from_str::<serde_json::Value>(text).map_err(|error| error.to_string());
            assert_eq!(format!("{ours:?}"), format!("{:?}", theirs.map(Json::from)), "{text}");
        }
        let deep = "[".repeat(200);
        let error = serde_json::from_str::<Json<'_>>(&deep).expect_err("too deep");
        assert_eq!(error.to_string(), serde_json::from_str::<serde_json::Value>(&deep).expect_err("deep").to_string());
    }

    #[test]
    fn points() {
        let tree = serde_json::json!({"a": [{"b/c": 1, "~1": 2}], "": 3});
        let json = Json::from(tree.clone());
        for pointer in ["/a/0/b~1c", "/a/0/~01", "/a/00", "/a/+0", "/a/1", "/a/x", "/", "/a/0", "/x/y"] {
            assert_eq!(json.pointer(pointer), tree.pointer(pointer).cloned().map(Json::from).as_ref(), "{pointer}");
        }
    }
}
