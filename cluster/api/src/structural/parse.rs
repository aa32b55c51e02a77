//! Reading a schema as a `CustomResourceDefinition` has it.

use super::{Checks, Form, Pattern, Structural, cel::Rule};
use crate::schema::ListType;
use serde_json::Value;
use std::collections::BTreeMap;

impl Structural {
    /// Reads `openAPIV3Schema`. What is malformed is left out: [`super::faults`] tells of it.
    pub fn parse(schema: &Value) -> Self {
        let flag = |key: &str| schema[key] == true;
        let text = |key: &str| schema[key].as_str().unwrap_or_default();
        let boxed = |schema: &Value| Box::new(Self::parse(schema));
        Self {
            form: form(schema),
            nullable: flag("nullable"),
            default: schema.get("default").cloned(),
            properties: properties(&schema["properties"]),
            additional: match &schema["additionalProperties"] {
                Value::Bool(true) => Some(Box::new(Self { preserve: true, ..Self::default() })),
                schema @ Value::Object(_) => Some(boxed(schema)),
                _ => None,
            },
            items: schema.get("items").filter(|items| items.is_object()).map(boxed),
            preserve: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            atomic_map: text("x-kubernetes-map-type") == "atomic",
            list_type: match text("x-kubernetes-list-type") {
                "map" => ListType::Map,
                "set" => ListType::Set,
                _ => ListType::Atomic,
            },
            map_keys: strings(&schema["x-kubernetes-list-map-keys"]),
            checks: checks(schema),
        }
    }
}

fn form(schema: &Value) -> Form {
    if schema["x-kubernetes-int-or-string"] == true {
        return Form::IntOrString;
    }
    match schema["type"].as_str().unwrap_or_default() {
        "object" => Form::Object,
        "array" => Form::Array,
        "string" => Form::String,
        "integer" => Form::Integer,
        "number" => Form::Number,
        "boolean" => Form::Boolean,
        _ => Form::Any,
    }
}

fn properties(value: &Value) -> BTreeMap<String, Structural> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, schema)| (name.clone(), Structural::parse(schema))).collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn checks(schema: &Value) -> Checks {
    let several = |key: &str| schema[key].as_array().into_iter().flatten().map(Structural::parse).collect();
    let count = |key: &str| schema[key].as_u64();
    let limit = |key: &str, exclusive: &str| schema[key].as_f64().map(|limit| (limit, schema[exclusive] == true));
    let pattern = schema["pattern"].as_str().filter(|pattern| !pattern.is_empty());
    Checks {
        required: strings(&schema["required"]),
        allowed: schema["enum"].as_array().cloned().unwrap_or_default(),
        format: schema["format"].as_str().unwrap_or_default().to_owned(),
        pattern: pattern.map(Pattern::new),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        unique_items: schema["uniqueItems"] == true,
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        minimum: limit("minimum", "exclusiveMinimum"),
        maximum: limit("maximum", "exclusiveMaximum"),
        multiple_of: schema["multipleOf"].as_f64(),
        all_of: several("allOf"),
        any_of: several("anyOf"),
        one_of: several("oneOf"),
        not: schema.get("not").filter(|not| not.is_object()).map(|not| Box::new(Structural::parse(not))),
        rules: schema["x-kubernetes-validations"].as_array().into_iter().flatten().map(Rule::parse).collect(),
    }
}
