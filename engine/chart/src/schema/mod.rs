//! Values against `values.schema.json`, with Helm's rules for subcharts and Helm's words.
//!
//! The validator is our own: schemas are small, the words must be those of the library that Helm uses,
//! and nothing here can read a file or reach a network whatever a schema refers to.

mod document;
mod fault;
mod format;
mod instance;
mod json;
mod meta;
mod number;
mod validate;

use std::borrow::Cow;

use kpkg_template::in_parallel;
use kpkg_yaml::{Map, Value};

use crate::chart::Chart;
use document::Document;
use instance::Instance;
use json::Json;
use validate::Validator;

/// Checks a chart's values, and those of its subcharts against their own schemas.
pub(crate) fn check(chart: &Chart, values: &Map) -> Result<(), String> {
    let mut subjects = Vec::new();
    collect(chart, values, &mut subjects);
    let size = |subject: &Subject<'_>| match subject {
        Subject::Schema { schema, .. } => schema.len(),
        Subject::NoTable { .. } => 0,
    };
    let problems: String = in_parallel(&subjects, size, problem).concat();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A chart whose values are to be checked.
enum Subject<'c> {
    Schema {
        chart: &'c str,
        schema: &'c [u8],
        values: &'c Map,
    },
    /// Its values are something else than a table.
    NoTable {
        chart: &'c str,
        found: &'c Value,
    },
}

fn collect<'c>(chart: &'c Chart, values: &'c Map, subjects: &mut Vec<Subject<'c>>) {
    if let Some(schema) = &chart.schema {
        subjects.push(Subject::Schema { chart: chart.name(), schema: schema.data(), values });
    }
    for subchart in &chart.dependencies {
        match values.get(subchart.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Map(inner)) => collect(subchart, inner, subjects),
            Some(found) => subjects.push(Subject::NoTable { chart: subchart.name(), found }),
        }
    }
}

/// What is wrong with a chart's values; nothing, if nothing is.
fn problem(subject: &Subject<'_>) -> String {
    match subject {
        Subject::Schema { chart, schema, values } => {
            check_one(schema, values).err().map(|problem| format!("{chart}:\n{problem}")).unwrap_or_default()
        }
        Subject::NoTable { chart, found } => {
            format!("{chart}:\ninvalid type for values: expected object (map), got {}\n", go_type(found))
        }
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Uint(_) => "uint64",
        Value::Float(_) => "float64",
        Value::String(_) | Value::Binary(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

/// Checks values against one schema.
pub(crate) fn check_one(schema: &[u8], values: &Map) -> Result<(), String> {
    let text = std::str::from_utf8(schema).map_or_else(|_| String::from_utf8_lossy(schema), Cow::Borrowed);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let schema = parse(text)?;
    let document = Document::new(&schema, text)?;
    document.check()?;
    let faults = Validator::new(&document).run(Instance::of_map(values));
    if faults.is_empty() { Ok(()) } else { Err(fault::report(&faults) + "\n") }
}

fn parse(text: &str) -> Result<Json<'_>, String> {
    if text.trim().is_empty() {
        return Err("EOF".to_owned());
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => "unexpected EOF".to_owned(),
        _ if error.to_string().starts_with("trailing characters") => {
            "invalid character after top-level value".to_owned()
        }
        _ => kpkg_template::json_problem(text.as_bytes()).unwrap_or_else(|| error.to_string()),
    })
}

#[cfg(test)]
mod tests;
