//! JSON that tells of fields given twice.

use super::Decoded;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::RefCell, fmt};

/// Reads a document. Of a field given twice the last value counts. Depth is bounded by the parser.
pub(super) fn decode(body: &[u8]) -> Result<Decoded, String> {
    let found = RefCell::default();
    let mut parser = serde_json::Deserializer::from_slice(body);
    let value = Node { path: &Path::Top, found: &found }.deserialize(&mut parser).map_err(|error| error.to_string())?;
    parser.end().map_err(|error| error.to_string())?;
    Ok(Decoded { value, duplicates: found.into_inner() })
}

/// Where a value stands; only spelt out if there is something to say.
enum Path<'a> {
    Top,
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::Field(Self::Top, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

struct Node<'a> {
    path: &'a Path<'a>,
    found: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) =
            items.next_element_seed(Node { path: &Path::Index(self.path, list.len()), found: self.found })?
        {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = Path::Field(self.path, &key);
            let value = entries.next_value_seed(Node { path: &path, found: self.found })?;
            if map.contains_key(&key) {
                self.found.borrow_mut().push(format!("duplicate field {:?}", path.to_string()));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tells_of_duplicates_with_their_path() {
        let body = br#"{"a": 1, "b": [{"c": 1, "c": 2}], "a": {"d": null}}"#;
        let decoded = decode(body).expect("JSON");
        assert_eq!(decoded.value, json!({"a": {"d": null}, "b": [{"c": 2}]}));
        assert_eq!(decoded.duplicates, [r#"duplicate field "b[0].c""#, r#"duplicate field "a""#]);
    }

    // GHSA-74fp-r6jw-h4mp: unbounded recursion.
    #[test]
    fn refuses_deep_nesting() {
        for open in ["[", r#"{"a":"#] {
            assert!(decode(open.repeat(1_000_000).as_bytes()).is_err());
        }
    }
}
