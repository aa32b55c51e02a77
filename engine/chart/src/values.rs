//! What the user gives, merged: files in order, then the `--set` family in Helm's order.

use std::sync::{Arc, OnceLock};

use kpkg_yaml::{Map, Value};

use crate::chart::Chart;
use crate::coalesce::{coalesce_asked, from_plain, to_plain};
use crate::dependencies;
use crate::error::ValuesError;
use crate::imports;
use crate::load::{merge_maps, read_values};
use crate::rendered::Values;
use crate::schema;
use crate::strvals::{Reading, parse_into};

/// One way in which the user gives values.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A values file (`-f`), with the name that messages show.
    File {
        /// Its name.
        name: String,
        /// Its contents.
        text: String,
    },
    /// Values at hand.
    Map(Map),
    /// `--set`
    Set(String),
    /// `--set-string`
    SetString(String),
    /// `--set-file`, with the contents of the files that it names.
    SetFile {
        /// The assignments.
        text: String,
        /// Names and contents, which need not be UTF-8.
        files: Vec<(String, Vec<u8>)>,
    },
    /// `--set-json`
    SetJson(String),
    /// `--set-literal`
    SetLiteral(String),
}

impl Input {
    /// Helm's order of precedence, whatever order the options came in.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::File { .. } | Self::Map(_) => 0,
            Self::SetJson(_) => 1,
            Self::Set(_) => 2,
            Self::SetString(_) => 3,
            Self::SetFile { .. } => 4,
            Self::SetLiteral(_) => 5,
        }
    }
}

/// Merges what the user gives, resolves the dependencies that it switches on, and checks schemas.
pub fn merge(chart: &Chart, inputs: &[Input]) -> Result<Values, ValuesError> {
    merge_with(chart, inputs, Checks { schema: true })
}

/// What [`merge_with`] checks.
#[derive(Debug, Clone, Copy)]
pub struct Checks {
    /// Check values against `values.schema.json`.
    pub schema: bool,
}

/// As [`merge`], with a choice of checks.
pub fn merge_with(chart: &Chart, inputs: &[Input], checks: Checks) -> Result<Values, ValuesError> {
    let supplied = supplied(inputs)?;
    let shared = from_plain(&supplied);
    let mut active = dependencies::resolve(chart, &shared).map_err(ValuesError::Dependencies)?;
    imports::resolve(&mut active, &supplied).map_err(ValuesError::Dependencies)?;
    let asked = dependencies::Asked::by_schemas(&active);
    let checked = coalesce_asked(&active, &shared, &asked).map_err(ValuesError::Dependencies)?;
    if checks.schema {
        schema::check(&active, &to_plain(&checked)).map_err(ValuesError::Schema)?;
    }
    Ok(Values { supplied, chart: Arc::new(active), all: OnceLock::new(), compiled: Arc::default() })
}

/// Merges what the user gives, without a chart.
pub fn supplied(inputs: &[Input]) -> Result<Map, ValuesError> {
    let mut ordered: Vec<&Input> = inputs.iter().collect();
    ordered.sort_by_key(|input| input.rank());
    let mut base = Map::new();
    for input in ordered {
        apply(input, &mut base)?;
    }
    Ok(base)
}

fn apply(input: &Input, base: &mut Map) -> Result<(), ValuesError> {
    let failed = |option: &'static str| move |problem: String| ValuesError::Set { option, problem };
    match input {
        Input::File { name, text } => {
            let map =
                read_values(text.as_bytes()).map_err(|problem| ValuesError::File { file: name.clone(), problem })?;
            merge_maps(base, map);
            Ok(())
        }
        Input::Map(map) => {
            merge_maps(base, map.clone());
            Ok(())
        }
        Input::Set(text) => parse_into(text, base, &Reading::Typed).map_err(failed("--set")),
        Input::SetString(text) => parse_into(text, base, &Reading::Text).map_err(failed("--set-string")),
        Input::SetFile { text, files } => {
            let read = |name: &str| {
                let found = files.iter().find(|(known, _)| known == name);
                found
                    .map(|(_, bytes)| bytes.clone().into())
                    .ok_or_else(|| format!("open {name}: no such file or directory"))
            };
            parse_into(text, base, &Reading::File(&read)).map_err(failed("--set-file"))
        }
        Input::SetJson(text) if text.trim_start().starts_with('{') => {
            let json: serde_json::Value = serde_json::from_str(text.trim())
                .map_err(|error| ValuesError::SetJson { text: format!("JSON: {text}"), problem: error.to_string() })?;
            if let Value::Map(map) = Value::from_json(&json) {
                merge_maps(base, map);
            }
            Ok(())
        }
        Input::SetJson(text) => parse_into(text, base, &Reading::Json)
            .map_err(|problem| ValuesError::SetJson { text: text.clone(), problem }),
        Input::SetLiteral(text) => parse_into(text, base, &Reading::Literal).map_err(failed("--set-literal")),
    }
}

/// The file names that a `--set-file` mentions, for the caller to read.
pub fn files_named(text: &str) -> Vec<String> {
    let names = std::cell::RefCell::new(Vec::new());
    let record = |name: &str| {
        names.borrow_mut().push(name.to_owned());
        Ok(Value::Null)
    };
    // A mistake in the text is reported when it is merged.
    let _ = parse_into(text, &mut Map::new(), &Reading::File(&record));
    names.into_inner()
}
