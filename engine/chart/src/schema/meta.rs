//! The form of a schema, as a schema: what each keyword may hold, draft by draft.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::document::Draft;

/// The schemas of schemas, in the order of [`DRAFTS`].
static SCHEMAS: LazyLock<[Value; 5]> = LazyLock::new(|| {
    let sections: Value =
        serde_json::from_str(include_str!("metaschema.json")).expect("the file beside this one is JSON");
    DRAFTS.map(|(draft, year)| schema(draft, year, &sections))
});

/// The drafts, by the numbers that the file beside this one calls them.
const DRAFTS: [(Draft, u64); 5] =
    [(Draft::Four, 4), (Draft::Six, 6), (Draft::Seven, 7), (Draft::Draft2019, 2019), (Draft::Draft2020, 2020)];

/// What a schema of this draft must look like.
pub(super) fn of(draft: Draft) -> &'static Value {
    let at = DRAFTS.iter().position(|(known, _)| *known == draft).expect("the table has every draft");
    &SCHEMAS[at]
}

fn schema(draft: Draft, year: u64, sections: &Value) -> Value {
    let mut properties = Map::new();
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
