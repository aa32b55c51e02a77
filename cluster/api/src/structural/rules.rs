//! Whether a schema is structural.

use super::Structural;
use crate::validate::FieldError;
use serde_json::Value;

/// What keeps a schema at a path from being structural.
pub fn faults(schema: &Value, path: &str) -> Vec<FieldError> {
    let mut found = Vec::new();
    let kind = schema["type"].as_str().unwrap_or_default();
    if kind.is_empty() {
        found.push(FieldError::required(format!("{path}.type"), "must not be empty at the root"));
    } else if kind != "object" {
        found.push(FieldError::invalid(format!("{path}.type"), kind, "must be object at the root"));
    }
    walk(schema, path, &mut found);
    found
}

/// A place that needs a type of its own.
fn typed(schema: &Value, path: &str, what: &str, found: &mut Vec<FieldError>) {
    let free = schema["x-kubernetes-preserve-unknown-fields"] == true || schema["x-kubernetes-int-or-string"] == true;
    if schema["type"].as_str().unwrap_or_default().is_empty() && !free {
        found.push(FieldError::required(format!("{path}.type"), format!("must not be empty for specified {what}")));
    }
    walk(schema, path, found);
}

fn walk(schema: &Value, path: &str, found: &mut Vec<FieldError>) {
    own(schema, path, found);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        typed(property, &format!("{path}.properties[{name}]"), "object fields", found);
    }
    if schema["additionalProperties"].is_object() {
        typed(&schema["additionalProperties"], &format!("{path}.additionalProperties"), "object fields", found);
    }
    match &schema["items"] {
        Value::Null if schema["type"] == "array" => {
            found.push(FieldError::required(format!("{path}.items"), "must be specified"));
        }
        items @ Value::Object(_) => typed(items, &format!("{path}.items"), "array items", found),
        Value::Array(_) => {
            found
                .push(FieldError::forbidden(format!("{path}.items"), "items must be a schema object and not an array"));
        }
        _ => {}
    }
}

fn own(schema: &Value, path: &str, found: &mut Vec<FieldError>) {
    let at = |key: &str| format!("{path}.{key}");
    if schema.get("$ref").is_some_and(|target| !target.is_null()) {
        found.push(FieldError::forbidden(at("$ref"), "$ref is not supported"));
    }
    for key in ["definitions", "dependencies", "patternProperties", "additionalItems", "id"] {
        let used = match &schema[key] {
            Value::Null => false,
            Value::Object(map) => !map.is_empty(),
            Value::String(text) => !text.is_empty(),
            _ => true,
        };
        if used {
            found.push(FieldError::forbidden(at(key), format!("{key} is not supported")));
        }
    }
    if schema["additionalProperties"] == false {
        found.push(FieldError::forbidden(at("additionalProperties"), "additionalProperties cannot be set to false"));
    }
    if schema["properties"].as_object().is_some_and(|map| !map.is_empty()) && schema["additionalProperties"].is_object()
    {
        found.push(FieldError::forbidden(
            at("additionalProperties"),
            "additionalProperties and properties are mutual exclusive",
        ));
    }
    if schema["uniqueItems"] == true {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        found.push(FieldError::forbidden(at("uniqueItems"), why));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && let Err(error) = regex::Regex::new(pattern)
    {
        found.push(FieldError::invalid(
            at("pattern"),
            pattern,
            format!("must be a valid regular expression, but isn't: {error}"),
        ));
    }
    lists(schema, path, found);
    defaults(schema, path, found);
}

fn lists(schema: &Value, path: &str, found: &mut Vec<FieldError>) {
    let at = |key: &str| format!("{path}.{key}");
    let list_type = schema["x-kubernetes-list-type"].as_str().unwrap_or_default();
    if !list_type.is_empty() && schema["type"] != "array" {
        let kind = schema["type"].as_str().unwrap_or_default();
        found.push(FieldError::invalid(at("type"), kind, "must be array if x-kubernetes-list-type is specified"));
    }
    if !matches!(list_type, "" | "atomic" | "set" | "map") {
        found.push(FieldError::not_supported(at("x-kubernetes-list-type"), list_type, &["atomic", "set", "map"]));
    }
    let keys: Vec<&str> =
        schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if list_type == "map" && keys.is_empty() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        found.push(FieldError::required(at("x-kubernetes-list-map-keys"), why));
    }
    for (number, key) in keys.iter().enumerate() {
        let property = &schema["items"]["properties"][*key];
        if property.is_null() {
            let why = "entries must all be names of item properties";
            found.push(FieldError::invalid(format!("{}[{number}]", at("x-kubernetes-list-map-keys")), *key, why));
        }
    }
}

/// A default must be what the schema itself allows.
fn defaults(schema: &Value, path: &str, found: &mut Vec<FieldError>) {
    let Some(default) = schema.get("default").filter(|default| !default.is_null()) else { return };
    let parsed = Structural::parse(schema);
    let mut value = default.clone();
    parsed.set_defaults(&mut value);
    for mut error in parsed.validate_at(&value, "") {
        let below =
            if error.path.is_empty() || error.path == "<nil>" { String::new() } else { format!(".{}", error.path) };
        error.path = format!("{path}.default{below}");
        found.push(error);
    }
}
