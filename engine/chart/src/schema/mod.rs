//! Values against `values.schema.json`, with Helm's rules for subcharts and Helm's words.
//!
//! The validator is our own: schemas are small, the words must be those of the library that Helm uses,
//! and nothing here can read a file or reach a network whatever a schema refers to.

mod document;
mod fault;
mod format;
mod meta;
mod number;
mod validate;

use kpkg_yaml::{Map, Value};

use crate::chart::Chart;
use document::Document;
use validate::Validator;

/// Checks a chart's values, and those of its subcharts against their own schemas.
pub(crate) fn check(chart: &Chart, values: &Map) -> Result<(), String> {
    let mut problems = String::new();
    check_chart(chart, values, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn check_chart(chart: &Chart, values: &Map, problems: &mut String) {
    if let Some(schema) = &chart.schema
        && let Err(problem) = check_one(schema, values)
    {
        problems.push_str(&format!("{}:\n{problem}", chart.name()));
    }
    for subchart in &chart.dependencies {
        match values.get(subchart.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Map(inner)) => check_chart(subchart, inner, problems),
            Some(other) => problems.push_str(&format!(
                "{}:\ninvalid type for values: expected object (map), got {}\n",
                subchart.name(),
                go_type(other)
            )),
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
        Value::String(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

/// Checks values against one schema.
pub(crate) fn check_one(schema: &[u8], values: &Map) -> Result<(), String> {
    let schema = parse(schema)?;
    let document = Document::new(&schema)?;
    document.check()?;
    let instance = Value::Map(values.clone());
    let faults = Validator::new(&document).run(&instance);
    if faults.is_empty() { Ok(()) } else { Err(fault::report(&faults) + "\n") }
}

fn parse(bytes: &[u8]) -> Result<serde_json::Value, String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
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
