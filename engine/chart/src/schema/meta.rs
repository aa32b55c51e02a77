//! The form of a schema, as a schema: what each keyword may hold, for all drafts at once.

use std::sync::LazyLock;

use serde_json::Value;

use super::format;

/// The schema of schemas.
pub(super) static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("metaschema.json")).expect("the file beside this one is JSON"));

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
/// How deep schemas may nest for [`is_right`] to follow them.
const MAX_DEPTH: usize = 100;

/// Whether a schema surely obeys the schema of schemas: its rules once more, as code, because to apply it to a large
/// schema takes longer than to render a chart. Whatever this refuses, the schema of schemas decides, and words.
pub(super) fn is_right(schema: &Value, depth: usize) -> bool {
    let inner = |schema: &Value| depth < MAX_DEPTH && is_right(schema, depth + 1);
    let all = |schemas: &[Value]| !schemas.is_empty() && schemas.iter().all(inner);
    let is_regex = |text: &str| format::check("regex", text).is_ok();
    let keyword = |(keyword, value): (&String, &Value)| match (keyword.as_str(), value) {
        ("$schema" | "$id" | "$ref" | "$anchor" | "$comment" | "title" | "description" | "format", value) => {
            value.is_string()
        }
        ("type", Value::Array(types)) => !types.is_empty() && are_distinct(types) && types.iter().all(is_type),
        ("type", value) => is_type(value),
        ("enum", value) => value.is_array(),
        ("multipleOf", value) => value.as_f64().is_some_and(|number| number > 0.0),
        ("maximum" | "minimum", value) => value.is_number(),
        ("exclusiveMaximum" | "exclusiveMinimum", value) => value.is_number() || value.is_boolean(),
        (
            "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties" | "maxContains"
            | "minContains",
            value,
        ) => value.is_u64(),
        ("pattern", value) => value.as_str().is_some_and(is_regex),
        ("uniqueItems", value) => value.is_boolean(),
        ("required", Value::Array(names)) => names.iter().all(Value::is_string) && are_distinct(names),
        ("patternProperties", Value::Object(schemas)) => {
            schemas.keys().all(|key| is_regex(key)) && schemas.values().all(inner)
        }
        ("properties" | "definitions" | "$defs" | "dependentSchemas", Value::Object(schemas)) => {
            schemas.values().all(inner)
        }
        ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(schemas)) => all(schemas),
        ("items", Value::Array(schemas)) => schemas.iter().all(inner),
        (
            "items"
            | "additionalItems"
            | "additionalProperties"
            | "contains"
            | "propertyNames"
            | "not"
            | "if"
            | "then"
            | "else"
            | "unevaluatedItems"
            | "unevaluatedProperties",
            schema,
        ) => inner(schema),
        (
            "required" | "patternProperties" | "properties" | "definitions" | "$defs" | "dependentSchemas"
            | "dependentRequired" | "allOf" | "anyOf" | "oneOf" | "prefixItems",
            _,
        ) => false,
        _ => true,
    };
    match schema {
        Value::Bool(_) => true,
        Value::Object(map) => map.iter().all(keyword),
        _ => false,
    }
}

fn is_type(value: &Value) -> bool {
    value.as_str().is_some_and(|name| TYPES.contains(&name))
}

/// Whether no two of some texts are the same; few are more than a handful.
fn are_distinct(items: &[Value]) -> bool {
    const FEW: usize = 64;
    items.len() <= FEW && items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::document::Document;
    use super::super::validate::Validator;
    use super::*;

    /// What is right here is right by the schema of schemas, keyword by keyword.
    #[test]
    fn agrees_with_the_schema_of_schemas() {
        let rules = Document::trusted(&SCHEMA);
        let keywords = SCHEMA["$defs"]["schema"]["properties"].as_object().expect("an object");
        let values = [
            json!(null),
            json!(true),
            json!(-1),
            json!(0),
            json!(2),
            json!(1.5),
            json!("x"),
            json!("string"),
            json!("("),
            json!([]),
            json!({}),
            json!(["x"]),
            json!(["x", "x"]),
            json!(["string", "null"]),
            json!(["null", "null"]),
            json!([true]),
            json!([{}]),
            json!([{"type": "x"}]),
            json!([3]),
            json!({"x": {}}),
            json!({"x": 3}),
            json!({"(": {}}),
            json!({"x": ["y"]}),
            json!({"type": "object"}),
            json!({"type": 3}),
        ];
        let mut right = 0;
        for keyword in keywords.keys().map(String::as_str).chain(["x-unknown"]) {
            for value in &values {
                let schema = json!({ keyword: value });
                if is_right(&schema, 0) {
                    assert!(Validator::new(&rules).run(&schema).is_empty(), "{schema}");
                    right += 1;
                } else {
                    let known = matches!(keyword, "dependentRequired");
                    assert!(known || !Validator::new(&rules).run(&schema).is_empty(), "{schema} is right");
                }
            }
        }
        assert!(right > 100);
    }
}
