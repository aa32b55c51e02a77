//! The form of a schema, as a schema: what each keyword may hold, draft by draft.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::document::Draft;
use super::format;
use super::json::{Json, Object};

/// The schemas of schemas, in the order of [`DRAFTS`].
static SCHEMAS: LazyLock<[Json<'static>; 5]> = LazyLock::new(|| {
    let sections: Value =
        serde_json::from_str(include_str!("metaschema.json")).expect("the file beside this one is JSON");
    DRAFTS.map(|(draft, year)| schema(draft, year, &sections).into())
});

/// The drafts, by the numbers that the file beside this one calls them.
const DRAFTS: [(Draft, u64); 5] =
    [(Draft::Four, 4), (Draft::Six, 6), (Draft::Seven, 7), (Draft::Draft2019, 2019), (Draft::Draft2020, 2020)];

/// What a schema of this draft must look like.
pub(super) fn of(draft: Draft) -> &'static Json<'static> {
    let at = DRAFTS.iter().position(|(known, _)| *known == draft).expect("the table has every draft");
    &SCHEMAS[at]
}

fn schema(draft: Draft, year: u64, sections: &Value) -> Value {
    let mut properties = serde_json::Map::new();
    for section in sections.as_array().into_iter().flatten() {
        let covers = |key: &str| section[key].as_u64().unwrap_or_default();
        if (covers("from")..=covers("to")).contains(&year) {
            properties.extend(section["properties"].as_object().cloned().unwrap_or_default());
        }
    }
    let mut schema = json!({"type": ["boolean", "object"], "properties": properties});
    if draft == Draft::Four {
        schema["type"] = "object".into();
        schema["dependentRequired"] = json!({"exclusiveMaximum": ["maximum"], "exclusiveMinimum": ["minimum"]});
    }
    let names = json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true});
    let mut names_at_least_one = names.clone();
    names_at_least_one["minItems"] = 1.into();
    json!({"$ref": "#/$defs/schema", "$defs": {
        "schema": schema,
        "schemas": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/schema"}},
        "schemasByName": {"type": "object", "additionalProperties": {"$ref": "#/$defs/schema"}},
        "names": names,
        "namesAtLeastOne": names_at_least_one,
        "count": {"type": "integer", "minimum": 0},
        "anchor": {"type": "string", "pattern": "^[A-Za-z_][-A-Za-z0-9._]*$"},
        "kind": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
    }})
}

const KINDS: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
/// Keywords that some draft knows and [`is_plain`] leaves to it; it leaves the wrong values of others too.
const RARE: [&str; 38] = [
    "$anchor",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
    "$vocabulary",
    "allOf",
    "anyOf",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "definitions",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "items",
    "maxContains",
    "minContains",
    "multipleOf",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "additionalProperties",
];
/// How deep schemas may nest for [`is_plain`] to follow them.
const MAX_DEPTH: usize = 100;

/// Whether a schema is surely right in every draft: what is common in the schemas of schemas once more, as code, because
/// to apply those to a large schema takes longer than to render a chart. What this refuses, they decide, and word.
pub(super) fn is_plain(schema: &Json<'_>, depth: usize) -> bool {
    let Json::Object(map) = schema else { return false };
    depth < MAX_DEPTH && map.iter().all(|(keyword, value)| is_plain_keyword(keyword, value, depth + 1))
}

fn is_plain_keyword(keyword: &str, value: &Json<'_>, depth: usize) -> bool {
    let schemas = |map: &Object<'_>| map.values().all(|schema| is_plain(schema, depth));
    let is_regex = |text: &str| format::check("regex", text).is_ok();
    match (keyword, value) {
        ("$schema" | "$ref" | "$comment" | "title" | "description" | "format", value) => value.as_str().is_some(),
        ("$id" | "id", value) => value.as_str().is_some_and(|id| !id.contains('#')),
        ("type", Json::Array(kinds)) => !kinds.is_empty() && are_distinct(kinds) && kinds.iter().all(is_kind),
        ("type", value) => is_kind(value),
        ("enum", Json::Array(values)) => !values.is_empty() && are_distinct(values),
        ("required", Json::Array(names)) => {
            !names.is_empty() && names.iter().all(|name| name.as_str().is_some()) && are_distinct(names)
        }
        ("maximum" | "minimum", value) => matches!(value, Json::Number(_)),
        ("maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties", value) => {
            matches!(value, Json::Number(number) if number.is_u64())
        }
        ("uniqueItems" | "readOnly" | "writeOnly" | "deprecated", value) => matches!(value, Json::Bool(_)),
        ("examples", value) => value.as_array().is_some(),
        ("pattern", value) => value.as_str().is_some_and(is_regex),
        ("patternProperties", Json::Object(map)) => map.keys().all(is_regex) && schemas(map),
        ("properties" | "definitions" | "$defs", Json::Object(map)) => schemas(map),
        ("allOf" | "anyOf" | "oneOf", Json::Array(all)) => {
            !all.is_empty() && all.iter().all(|schema| is_plain(schema, depth))
        }
        ("additionalProperties" | "additionalItems", Json::Bool(_)) | ("default" | "const", _) => true,
        ("items" | "additionalProperties" | "additionalItems" | "not" | "if" | "then" | "else", schema) => {
            is_plain(schema, depth)
        }
        _ => !RARE.contains(&keyword),
    }
}

fn is_kind(value: &Json<'_>) -> bool {
    value.as_str().is_some_and(|name| KINDS.contains(&name))
}

/// Whether no two of some values are the same; few are more than a handful.
fn are_distinct(items: &[Json<'_>]) -> bool {
    const FEW: usize = 64;
    items.len() <= FEW && items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::super::instance::Instance;
    use super::super::validate::Validator;
    use super::*;

    /// What is plain is right by the schema of schemas of every draft, keyword by keyword.
    #[test]
    fn what_is_plain_is_right() {
        let values = [
            json!(null),
            json!(true),
            json!(-1),
            json!(0),
            json!(2),
            json!(1.5),
            json!("x"),
            json!("#x"),
            json!("string"),
            json!("("),
            json!([]),
            json!({}),
            json!(["x"]),
            json!(["x", "x"]),
            json!([1, 1.0]),
            json!(["string", "null"]),
            json!(["null", "null"]),
            json!([true]),
            json!([{}]),
            json!([{"type": "x"}]),
            json!([3]),
            json!({"x": {}}),
            json!({"x": 3}),
            json!({"x": true}),
            json!({"(": {}}),
            json!({"x": ["y"]}),
            json!({"type": "object"}),
            json!({"type": 3}),
        ];
        let mut plain = 0;
        for (draft, _) in DRAFTS {
            let schemas = of(draft);
            let Some(Json::Object(keywords)) = schemas.pointer("/$defs/schema/properties") else { panic!("an object") };
            let rules = Document::trusted(schemas);
            for keyword in keywords.keys().chain(["default", "x-unknown"]) {
                for value in &values {
                    let schema = Json::from(json!({ keyword: value }));
                    if is_plain(&schema, 0) {
                        let faults = Validator::new(&rules).run(Instance::of(&schema.to_value()));
                        assert!(faults.is_empty(), "{schema:?} in {draft:?}");
                        plain += 1;
                    }
                }
            }
        }
        assert!(plain > 300, "{plain}");
    }
}
