//! The columns in which custom objects are shown: `additionalPrinterColumns`.

use super::{Custom, json_path::JsonPath};
use crate::{accept::Include, show::partial, tables};
use kpkg_api::meta;
use serde_json::{Value, json};

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    definition: Value,
    kind: String,
    path: Option<JsonPath>,
}

impl Column {
    /// The columns of a version; the age alone if it names none.
    pub(super) fn all_of(columns: &Value) -> Vec<Self> {
        match columns.as_array() {
            Some(columns) if !columns.is_empty() => columns.iter().map(Self::of).collect(),
            _ => vec![Self::of(&json!({
                "name": "Age",
                "type": "date",
                "jsonPath": ".metadata.creationTimestamp",
                "description": "When the object was made.",
            }))],
        }
    }

    fn of(column: &Value) -> Self {
        let text = |key: &str| column[key].as_str().unwrap_or_default();
        Self {
            definition: json!({
                "name": text("name"),
                "type": text("type"),
                "format": text("format"),
                "description": text("description"),
                "priority": column["priority"].as_i64().unwrap_or_default(),
            }),
            kind: text("type").to_owned(),
            path: JsonPath::parse(text("jsonPath")),
        }
    }

    fn cell(&self, object: &Value) -> Value {
        let Some(first) = self.path.as_ref().and_then(|path| path.find(object).into_iter().next()) else {
            return Value::Null;
        };
        match (self.kind.as_str(), first) {
            ("string", Value::String(_) | Value::Null) => first.clone(),
            ("string", other) => other.to_string().into(),
            ("integer", number) => number
                .as_i64()
                .map(Value::from)
                .or_else(|| number.as_f64().map(|number| json!(number.trunc())))
                .unwrap_or(Value::Null),
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => first.clone(),
            ("date", at) => tables::age_of(at),
            _ => Value::Null,
        }
    }
}

/// Custom objects as a table. `metadata` is the list's.
pub(crate) fn table<'a>(
    custom: &Custom,
    objects: impl Iterator<Item = &'a Value>,
    metadata: Value,
    include: Include,
    with_columns: bool,
) -> Value {
    let row = |object: &Value| {
        let name = Value::from(meta::name(object));
        let cells: Vec<Value> =
            [name].into_iter().chain(custom.columns.iter().map(|column| column.cell(object))).collect();
        let mut row = json!({"cells": cells});
        match include {
            Include::None => {}
            Include::Metadata => row["object"] = partial(object),
            Include::Object => row["object"] = object.clone(),
        }
        row
    };
    let rows: Vec<Value> = objects.map(row).collect();
    let mut definitions = Value::Null;
    if with_columns {
        let name = json!({"name": "Name", "type": "string", "format": "name", "description": "The object's name.", "priority": 0});
        definitions = [name].into_iter().chain(custom.columns.iter().map(|column| column.definition.clone())).collect();
    }
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}
