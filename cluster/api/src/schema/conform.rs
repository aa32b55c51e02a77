//! Makes a JSON object conform to its type, in one walk: unknown fields are taken out and reported, wrong types are
//! errors, and what remains is what a round trip through Go's types would give (zero values gone, quantities canonical,
//! objects that are always printed present). So stored objects look as Kubernetes would have stored them.

use super::{Element, Field, Shape, Type, table};
use crate::{quantity::Quantity, time};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// How deep objects may be nested; only recursive types and hostile bodies come near.
const MAX_DEPTH: usize = 100;

/// What [`conform`] has to say about an object that it could make conform.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// One message per unknown field: `unknown field "spec.foo"`.
    pub unknown: Vec<String>,
}

/// Why an object cannot be made to conform; the text is that of Kubernetes' decoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// A JSON value of the wrong type.
    #[error("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}")]
    Mismatch {
        /// What is there: `string`.
        found: String,
        /// The type that has the field: `DeploymentSpec`.
        owner: &'static str,
        /// The field, from the top and without list indices: `spec.replicas`.
        path: String,
        /// What should be there: `int32`.
        wanted: String,
    },
    /// The whole value has the wrong type.
    #[error("json: cannot unmarshal {found} into Go value of type {wanted}")]
    Whole {
        /// What is there.
        found: String,
        /// What should be there.
        wanted: String,
    },
    /// A text that is no quantity.
    #[error(transparent)]
    Quantity(#[from] crate::quantity::QuantityError),
    /// A text that is no time.
    #[error("parsing time {} as \"2006-01-02T15:04:05Z07:00\": cannot parse {} as \"2006\"", crate::text::quote(.0), crate::text::quote(.0))]
    Time(String),
    /// A text that is no base64.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
    /// Too many levels.
    #[error("exceeded max depth")]
    TooDeep,
}

/// Makes an object conform to a type; see the module's text.
pub fn conform(type_: &Type, object: &mut Value) -> Result<Findings, TypeError> {
    let mut walk = Walk::default();
    match object {
        Value::Object(map) => walk.object(type_, map)?,
        other => return Err(TypeError::Whole { found: found(other), wanted: type_.go_name().to_owned() }),
    }
    Ok(walk.findings)
}

/// Takes out the fields that a type does not have, as far as types fit.
pub fn prune(type_: &Type, object: &mut Value) {
    for field in &type_.fields {
        let (Some(inner), Some(value)) = (field.message(), object.get_mut(field.name)) else { continue };
        match (field.shape, value) {
            (Shape::Single, value) => prune(inner, value),
            (Shape::List, Value::Array(items)) => items.iter_mut().for_each(|item| prune(inner, item)),
            (Shape::Map, Value::Object(map)) => map.values_mut().for_each(|item| prune(inner, item)),
            _ => {}
        }
    }
    if let Value::Object(map) = object {
        map.retain(|name, _| type_.field(name).is_some());
    }
}

/// The messages for all fields that a type does not have, up to the first wrong type.
pub fn unknown_fields(type_: &Type, object: &Value) -> Vec<String> {
    let mut walk = Walk::default();
    if let Value::Object(map) = object {
        // A wrong type ends the walk; what was found until then stands.
        let _ = walk.object(type_, &mut map.clone());
    }
    walk.findings.unknown
}

/// A step on the way to a value.
enum Step {
    Field(&'static str),
    Index(usize),
    Key(String),
}

#[derive(Default)]
struct Walk {
    path: Vec<Step>,
    findings: Findings,
}

impl Walk {
    fn object(&mut self, type_: &Type, map: &mut Map<String, Value>) -> Result<(), TypeError> {
        if self.path.len() > MAX_DEPTH {
            return Err(TypeError::TooDeep);
        }
        let mut dropped: Vec<String> = Vec::new();
        for (name, value) in map.iter_mut() {
            let Some(field) = type_.field(name) else {
                self.report(name);
                dropped.push(name.clone());
                continue;
            };
            if value.is_null() {
                dropped.push(name.clone());
                continue;
            }
            self.path.push(Step::Field(field.name));
            self.field(type_, field, value)?;
            self.path.pop();
            if !field.required && !field.keeps_zero && is_zero(field, value) {
                dropped.push(name.clone());
            }
        }
        for name in dropped {
            map.remove(&name);
        }
        add_always(type_, map);
        Ok(())
    }

    fn field(&mut self, owner: &Type, field: &Field, value: &mut Value) -> Result<(), TypeError> {
        match (field.shape, value) {
            (Shape::Single, value) => self.element(owner, field, value),
            (Shape::List, Value::Array(items)) => self.list(owner, field, items),
            (Shape::Map, Value::Object(map)) => {
                for (key, item) in map.iter_mut() {
                    self.path.push(Step::Key(key.clone()));
                    self.item(owner, field, item)?;
                    self.path.pop();
                }
                Ok(())
            }
            (Shape::MapOfLists, Value::Object(map)) => map.values_mut().try_for_each(|list| match list {
                Value::Array(items) => self.list(owner, field, items),
                Value::Null => Ok(()),
                other => Err(self.mismatch(owner, field, other)),
            }),
            (_, other) => Err(self.mismatch(owner, field, other)),
        }
    }

    fn list(&mut self, owner: &Type, field: &Field, items: &mut [Value]) -> Result<(), TypeError> {
        for (at, item) in items.iter_mut().enumerate() {
            self.path.push(Step::Index(at));
            self.item(owner, field, item)?;
            self.path.pop();
        }
        Ok(())
    }

    /// An element of a list or map, where null stands for the zero value.
    fn item(&mut self, owner: &Type, field: &Field, value: &mut Value) -> Result<(), TypeError> {
        if value.is_null() {
            *value = match field.element {
                Element::Message(_) => Value::Object(Map::new()),
                Element::String | Element::Bytes => "".into(),
                Element::Quantity => "0".into(),
                Element::Int32 | Element::Int64 | Element::IntOrString => 0.into(),
                Element::Bool => false.into(),
                _ => Value::Null,
            };
            if value.is_null() {
                return Ok(());
            }
        }
        self.element(owner, field, value)
    }

    fn element(&mut self, owner: &Type, field: &Field, value: &mut Value) -> Result<(), TypeError> {
        match (field.element, &mut *value) {
            (Element::Message(id), Value::Object(map)) => return self.object(table().get(id), map),
            (Element::String | Element::IntOrString, Value::String(_))
            | (Element::Bool, Value::Bool(_))
            | (Element::Double, Value::Number(_))
            | (Element::Json | Element::RawExtension | Element::FieldsV1 | Element::Duration, _) => return Ok(()),
            (Element::Int32 | Element::IntOrString, Value::Number(number)) if is_int32(number) => return Ok(()),
            (Element::Int64, Value::Number(number)) if number.as_i64().is_some() => return Ok(()),
            (Element::IntOrString, other) => {
                return Err(TypeError::Whole { found: found_number(other), wanted: "int32".to_owned() });
            }
            (Element::Quantity, Value::String(_) | Value::Number(_)) => {
                *value = Quantity::from_json(value)?.to_string().into();
                return Ok(());
            }
            (Element::Bytes, Value::String(text)) => return canonical_base64(text),
            (Element::Time, Value::String(text)) => {
                return replace(text, time::parse(text).map(time::seconds));
            }
            (Element::MicroTime, Value::String(text)) => {
                return replace(text, time::parse(text).map(time::micros));
            }
            _ => {}
        }
        Err(self.mismatch(owner, field, value))
    }

    fn report(&mut self, name: &str) {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path = path + "." + name,
                Step::Key(key) => path = path + "." + key,
                Step::Index(at) => write!(path, "[{at}]").expect("writing to a String does not fail"),
            }
        }
        let dot = if path.is_empty() { "" } else { "." };
        self.findings.unknown.push(format!("unknown field \"{path}{dot}{name}\""));
    }

    fn mismatch(&self, owner: &Type, field: &Field, value: &Value) -> TypeError {
        let names: Vec<&str> = self
            .path
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(*name),
                Step::Index(_) | Step::Key(_) => None,
            })
            .collect();
        let inside = matches!(self.path.last(), Some(Step::Index(_) | Step::Key(_)));
        let numeric = matches!(field.element, Element::Int32 | Element::Int64);
        TypeError::Mismatch {
            found: if numeric { found_number(value) } else { found(value) },
            owner: owner.base_name(),
            path: names.join("."),
            wanted: go_type(field, inside),
        }
    }
}

fn add_always(type_: &Type, map: &mut Map<String, Value>) {
    for name in &type_.always {
        if !map.contains_key(*name) {
            let inner = type_.field(name).and_then(Field::message);
            let mut object = Map::new();
            if let Some(inner) = inner {
                add_required_zeros(inner, &mut object);
                add_always(inner, &mut object);
            }
            map.insert((*name).to_owned(), Value::Object(object));
        }
    }
}

/// Numbers that are printed even when zero (`status.replicas`).
fn add_required_zeros(type_: &Type, map: &mut Map<String, Value>) {
    for field in type_.fields.iter().filter(|field| field.required && field.shape == Shape::Single) {
        if matches!(field.element, Element::Int32 | Element::Int64) {
            map.insert(field.name.to_owned(), 0.into());
        }
    }
}

fn is_zero(field: &Field, value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty() && matches!(field.element, Element::String | Element::Bytes),
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0) && field.element != Element::IntOrString,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty() && field.shape != Shape::Single,
        Value::Null => true,
    }
}

fn is_int32(number: &serde_json::Number) -> bool {
    number.as_i64().is_some_and(|value| i32::try_from(value).is_ok())
}

fn replace(text: &mut String, canonical: Option<String>) -> Result<(), TypeError> {
    *text = canonical.ok_or_else(|| TypeError::Time(text.clone()))?;
    Ok(())
}

/// Go's decoder ignores line breaks in base64.
fn canonical_base64(text: &mut String) -> Result<(), TypeError> {
    if text.contains(['\r', '\n']) {
        text.retain(|c| c != '\r' && c != '\n');
    }
    match BASE64_STANDARD.decode(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
            Err(TypeError::Base64(at))
        }
        Err(_) => Err(TypeError::Base64(text.len() / 4 * 4)),
    }
}

fn found(value: &Value) -> String {
    let word = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    word.to_owned()
}

/// As [`found`], but a number that does not fit is shown.
fn found_number(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("number {number}"),
        other => found(other),
    }
}

fn go_type(field: &Field, inside: bool) -> String {
    let element = match field.element {
        Element::String | Element::Duration => "string",
        Element::Bytes => "[]uint8",
        Element::Bool => "bool",
        Element::Int32 => "int32",
        Element::Int64 => "int64",
        Element::Double => "float64",
        Element::Quantity => "resource.Quantity",
        Element::IntOrString => "intstr.IntOrString",
        Element::Time => "v1.Time",
        Element::MicroTime => "v1.MicroTime",
        Element::RawExtension => "runtime.RawExtension",
        Element::FieldsV1 => "v1.FieldsV1",
        Element::Json => "interface {}",
        Element::Message(id) => table().get(id).go_name(),
    };
    match field.shape {
        _ if inside => element.to_owned(),
        Shape::Single => element.to_owned(),
        Shape::List => format!("[]{element}"),
        Shape::Map if field.element == Element::Quantity => "v1.ResourceList".to_owned(),
        Shape::Map => format!("map[string]{element}"),
        Shape::MapOfLists => format!("map[string][]{element}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::type_of;
    use serde_json::json;

    fn deployment() -> &'static Type {
        type_of("apps", "v1", "Deployment").expect("Deployment")
    }

    #[test]
    fn reports_and_drops_unknown_fields() {
        let mut object = json!({"foo": 1, "spec": {"bar": {}, "template": {"spec": {"containers": [{"name": "a"}, {"name": "b", "imagee": "x"}]}}}});
        let findings = conform(deployment(), &mut object).expect("conforms");
        assert_eq!(
            findings.unknown,
            [
                "unknown field \"foo\"",
                "unknown field \"spec.bar\"",
                "unknown field \"spec.template.spec.containers[1].imagee\""
            ]
        );
        assert!(object.get("foo").is_none());
        assert_eq!(unknown_fields(deployment(), &json!({"x": 1})), ["unknown field \"x\""]);
    }

    #[test]
    fn wrong_types_read_as_go_says_them() {
        let cases = [
            (
                json!({"spec": {"replicas": "3"}}),
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                json!({"spec": {"replicas": 1.5}}),
                "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                json!({"spec": {"template": {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}}}),
                "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
            ),
            (
                json!({"spec": {"template": {"spec": {"containers": {}}}}}),
                "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
            ),
            (
                json!({"metadata": {"labels": {"a": 1}}}),
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                json!({"metadata": {"creationTimestamp": "yesterday"}}),
                r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#,
            ),
            (json!([]), "json: cannot unmarshal array into Go value of type v1.Deployment"),
        ];
        for (mut object, want) in cases {
            assert_eq!(conform(deployment(), &mut object).map_err(|e| e.to_string()), Err(want.to_owned()));
        }
        let secret = type_of("", "v1", "Secret").expect("Secret");
        let error = conform(secret, &mut json!({"data": {"a": "a*b="}})).expect_err("no base64");
        assert_eq!(error.to_string(), "illegal base64 data at input byte 1");
    }

    #[test]
    fn gives_what_go_would_print() {
        let mut object = json!({
            "metadata": {"name": "x", "labels": {}, "namespace": "", "creationTimestamp": null},
            "spec": {"replicas": 0, "minReadySeconds": 0, "paused": false, "template": {"spec": {
                "containers": [{"name": "a", "args": [], "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}],
                "hostNetwork": false, "enableServiceLinks": false,
                "volumes": [{"name": "v", "emptyDir": {}}],
            }}},
        });
        conform(deployment(), &mut object).expect("conforms");
        let want = json!({
            "metadata": {"name": "x"},
            "spec": {"replicas": 0, "strategy": {}, "template": {"spec": {
                "containers": [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}],
                "enableServiceLinks": false,
                "volumes": [{"name": "v", "emptyDir": {}}],
            }}},
            "status": {},
        });
        assert_eq!(object, want);
        let mut set = json!({});
        conform(type_of("apps", "v1", "ReplicaSet").expect("ReplicaSet"), &mut set).expect("conforms");
        assert_eq!(set, json!({"spec": {}, "status": {"replicas": 0}}));
    }

    #[test]
    fn prunes_without_judging() {
        let mut object = json!({"x": 1, "spec": {"replicas": "wrong", "y": 2}});
        prune(deployment(), &mut object);
        assert_eq!(object, json!({"spec": {"replicas": "wrong"}}));
    }
}
