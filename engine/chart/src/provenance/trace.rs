//! What made a field of an object: template lines, and values with their files.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use kpkg_yaml::Value;
use thiserror::Error;

use super::field::dotted;
use super::lines::{Writer, writers};
use super::{FieldPath, Path, Subject, Watched, WatchedFile, named_values, template};
use crate::manifests::{Head, split_manifests};
use crate::origin::{self, Origin};
use crate::positions::Positions;

/// A line of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The template's file, with the names of the charts it is in.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// A value that went into a field.
#[derive(Debug, Clone, PartialEq)]
pub struct UsedValue {
    /// Its path, with dots.
    pub path: String,
    /// What it is.
    pub value: Option<Value>,
    /// Where it was given.
    pub origin: Option<Origin>,
}

/// What made a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The field.
    pub field: String,
    /// What it is.
    pub value: Value,
    /// The line that wrote it, then those that included it.
    pub steps: Vec<Step>,
    /// The values that were read for it.
    pub values: Vec<UsedValue>,
}

/// Why a field cannot be traced.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// No template writes the object.
    #[error("the chart writes no {kind}/{name}; it writes {}", others.join(", "))]
    NoObject {
        /// The kind asked for.
        kind: String,
        /// The name asked for.
        name: String,
        /// What there is.
        others: Vec<String>,
    },
    /// The object has no such field.
    #[error("{object} has no field `{path}`{}", nearest.as_ref().map(|it| format!("; did you mean `{it}`?")).unwrap_or_default())]
    NoField {
        /// The object.
        object: String,
        /// The field asked for.
        path: String,
        /// A field that was probably meant.
        nearest: Option<String>,
    },
}

/// Finds what made a field.
pub fn trace(watched: &Watched, subject: Subject<'_>, field: &FieldPath) -> Result<Traced, TraceError> {
    let (path, file, document) = object(watched, field)?;
    let value = match kpkg_yaml::read(&file.text[document.clone()]) {
        Ok(Value::Map(map)) if field.path.is_empty() => Value::Map(map),
        Ok(Value::Map(map)) => origin::get(&map, &field.path).cloned().ok_or_else(|| no_field(field, &map))?,
        _ => Value::Null,
    };
    let bytes = bytes_of(&file.text, document, field);
    let found = writers(file, bytes.clone());
    let (steps, mut read) = match found.as_slice() {
        [] => by_text(subject, path, file, &bytes),
        found => (steps(subject, found), reads(file, found)),
    };
    read.iter_mut().for_each(|path| refine(subject, path, &field.path));
    let values = read.into_iter().map(|path| used(subject, &path)).collect();
    Ok(Traced { field: field.to_string(), value, steps, values })
}

/// The document of an object: the template's path, what it wrote, and which bytes of it.
fn object<'a>(watched: &'a Watched, field: &FieldPath) -> Result<(&'a str, &'a WatchedFile, Range<usize>), TraceError> {
    let mut others = Vec::new();
    for (path, file) in &watched.files {
        for document in split_manifests(&file.text) {
            let Ok(head) = Head::read(document) else { continue };
            if head.kind.eq_ignore_ascii_case(&field.kind) && head.name == field.name {
                let start = document.as_ptr().addr() - file.text.as_ptr().addr();
                return Ok((path, file, start..start + document.len()));
            }
            if !head.kind.is_empty() {
                others.push(format!("{}/{}", head.kind, head.name));
            }
        }
    }
    Err(TraceError::NoObject { kind: field.kind.clone(), name: field.name.clone(), others })
}

fn no_field(field: &FieldPath, map: &kpkg_yaml::Map) -> TraceError {
    let depth =
        (0..field.path.len()).rev().find(|depth| *depth == 0 || origin::get(map, &field.path[..*depth]).is_some());
    let depth = depth.unwrap_or_default();
    let siblings = if depth == 0 {
        map.keys().map(String::as_str).collect()
    } else {
        match origin::get(map, &field.path[..depth]) {
            Some(Value::Map(inner)) => inner.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    };
    let nearest = crate::similar::nearest(&field.path[depth], siblings).map(|name| {
        let mut path = field.path[..depth].to_vec();
        path.push(name.to_owned());
        dotted(&path)
    });
    TraceError::NoField { object: format!("{}/{}", field.kind, field.name), path: dotted(&field.path), nearest }
}

/// The bytes of a field's value on its first line; of the whole line if the value begins below its key.
fn bytes_of(text: &str, document: Range<usize>, field: &FieldPath) -> Range<usize> {
    let own = &text[document.clone()];
    let Some(lines) = Positions::of(own).get(&field.path) else { return document };
    let start: usize = own.split_inclusive('\n').take(lines.key - 1).map(str::len).sum();
    let line = own[start..].lines().next().unwrap_or_default();
    let key = field.path.last().map(String::as_str).unwrap_or_default();
    let after = line.find(key).map_or(0, |at| at + key.len());
    let value = line[after..].find(|letter: char| !": \"'".contains(letter)).map_or(0, |at| after + at);
    let value = if lines.value > lines.key { 0 } else { value };
    let from = document.start + start;
    from + value..from + line.len()
}

fn steps(subject: Subject<'_>, found: &[Writer]) -> Vec<Step> {
    found.iter().map(|writer| step(subject, &writer.file, writer.line)).collect()
}

pub(super) fn step(subject: Subject<'_>, file: &str, line: usize) -> Step {
    let text = template(subject.chart(), file)
        .and_then(|(text, _)| text.lines().nth(line - 1).map(str::to_owned))
        .unwrap_or_default();
    Step { file: file.to_owned(), line, text }
}

/// The values that were read for the innermost writer that read any.
fn reads(file: &WatchedFile, found: &[Writer]) -> Vec<Path> {
    let of = |writer: &Writer| -> Vec<Path> {
        let mut paths: Vec<Path> =
            file.reads.get(writer.reads.clone()).unwrap_or_default().iter().flatten().cloned().collect();
        paths.sort();
        paths.dedup();
        // On the way to a value its maps are read.
        let all = paths.clone();
        paths.retain(|path| !all.iter().any(|other| other.len() > path.len() && other.starts_with(path)));
        paths
    };
    found.iter().map(of).find(|paths| !paths.is_empty()).unwrap_or_default()
}

/// Without a trace, which Jinja does not give: the line of the template that begins as the line of output.
fn by_text(subject: Subject<'_>, path: &str, file: &WatchedFile, bytes: &Range<usize>) -> (Vec<Step>, Vec<Path>) {
    let start = file.text[..bytes.start].rfind('\n').map_or(0, |at| at + 1);
    let wanted = file.text[start..].lines().next().unwrap_or_default();
    let beginning = wanted.trim().split_inclusive(':').next().unwrap_or_default();
    let before = file.text[..start].lines().filter(|line| line.trim().starts_with(beginning)).count();
    let Some((text, scope)) = template(subject.chart(), path) else { return Default::default() };
    let same = || text.lines().enumerate().filter(|(_, line)| line.trim().starts_with(beginning));
    let indent = |line: &str| line.len() - line.trim_start().len();
    let found = same().find(|(_, line)| indent(line) == indent(wanted)).or_else(|| same().nth(before));
    let Some((at, line)) = found else { return Default::default() };
    (vec![step(subject, path, at + 1)], named_values(line, &scope))
}

/// A map that was written as a whole: the part of it that became the field.
fn refine(subject: Subject<'_>, path: &mut Path, field: &[String]) {
    for at in 0..field.len() {
        let full: Path = path.iter().chain(&field[at..]).cloned().collect();
        if origin::get(subject.values.all(), &full).is_some() {
            *path = full;
            return;
        }
    }
}

pub(super) fn used(subject: Subject<'_>, path: &[String]) -> UsedValue {
    UsedValue {
        path: dotted(path),
        value: origin::get(subject.values.all(), path).cloned(),
        origin: origin::of(subject.chart(), subject.inputs, path),
    }
}

/// How long a value may be to be shown.
const MAX_SHOWN: usize = 100;

/// A value on one line.
pub(super) fn shown(value: &Value) -> String {
    let json = json(value).to_string();
    match json.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &json[..end]),
        None => json,
    }
}

/// Whole numbers of YAML files are floats; they are shown as the user wrote them.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => (*value as i64).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.as_str().into(),
        Value::Binary(binary) => binary.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

impl Display for Traced {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} = {}", self.field, shown(&self.value))?;
        for (at, step) in self.steps.iter().enumerate() {
            let word = if at == 0 { "written by" } else { "included by" };
            writeln!(f, "  {word:<12} {}:{}", step.file, step.line)?;
            writeln!(f, "               {}", step.text.trim())?;
        }
        for value in &self.values {
            writeln!(f, "  {:<12} {value}", "from value")?;
        }
        Ok(())
    }
}

impl Display for UsedValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {}", self.path, shown(value))?,
            None => write!(f, "{} is not set", self.path)?,
        }
        self.origin.as_ref().map_or(Ok(()), |origin| write!(f, " ({origin})"))
    }
}
