//! `values.yaml`, its schema, and the values that the user gives.

use kpkg_yaml::{Map, Value};

use super::Linter;
use super::message::Severity::{Error, Info, Warning};
use crate::chart::Chart;
use crate::coalesce::{coalesce_tables, from_plain, new_map, to_plain};
use crate::origin;
use crate::values::supplied;
use crate::{load, schema};

const FILE: &str = "values.yaml";

/// A problem in the words of Helm's linter, whose reader of values is not the one that loads charts.
fn of_linter(problem: &str) -> String {
    let problem = problem.strip_prefix("cannot unmarshal yaml document: ").unwrap_or(problem);
    match problem.strip_suffix("map[string]interface {}") {
        Some(problem) => format!("{problem}common.Values"),
        None => problem.to_owned(),
    }
}

impl Linter<'_> {
    /// Helm's rules: only the chart's own values against its own schema.
    pub(super) fn values(&mut self) {
        let Some(file) = self.file(FILE).cloned() else {
            self.check("values-file", Info, FILE, Err("file does not exist".to_owned()));
            return;
        };
        let defaults = match load::read_values(file.data()) {
            Ok(defaults) => defaults,
            Err(problem) => {
                self.check("values-file", Error, FILE, Err(format!("unable to parse YAML: {}", of_linter(&problem))));
                return;
            }
        };
        let schema = self.file("values.schema.json").map(crate::File::data).filter(|data| !data.is_empty());
        let (Some(schema), false) = (schema, self.settings.skip_schema) else { return };
        let Ok(supplied) = supplied(self.settings.inputs) else { return };
        let all = new_map();
        coalesce_tables(&all, &from_plain(&supplied), false);
        coalesce_tables(&all, &from_plain(&defaults), false);
        self.check("values-schema", Error, FILE, schema::check_one(schema, &to_plain(&all)));
    }

    /// Values that are given but that the chart's defaults do not have.
    pub(super) fn unknown_values(&mut self, chart: &Chart) {
        for unknown in unknown(chart, self.settings.inputs) {
            let severity = if self.settings.strict_values { Error } else { Warning };
            self.check("unknown-values", severity, FILE, Err(unknown.to_string()));
        }
    }
}

impl Linter<'_> {
    /// Values that are given but that no template reads; not those that are unknown as well.
    pub(super) fn unread_values(&mut self, values: &crate::Values, watched: &crate::provenance::Watched) {
        let inputs = self.settings.inputs;
        let unknown = unknown(values.chart(), inputs);
        let subject = crate::provenance::Subject { values, inputs };
        for unread in crate::provenance::unread(watched, subject) {
            if !unknown.iter().any(|it| unread.path == it.path || unread.path.starts_with(&format!("{}.", it.path))) {
                self.check("unread-values", Error, FILE, Err(unread.to_string()));
            }
        }
    }
}

/// A value that is given but that the chart's defaults do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValue {
    /// The path, with dots.
    pub path: String,
    /// Where it was given.
    pub origin: String,
    /// The key that was probably meant.
    pub nearest: Option<String>,
}

impl std::fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no default declares `{}` ({})", self.path, self.origin)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// The values that are given but that neither `values.yaml`, its comments nor the schema declare.
pub fn unknown(chart: &Chart, inputs: &[crate::values::Input]) -> Vec<UnknownValue> {
    let Ok(supplied) = supplied(inputs) else { return Vec::new() };
    let mut paths = Vec::new();
    walk(chart, &chart.values, &supplied, &mut Vec::new(), true, &mut paths);
    paths
        .into_iter()
        .map(|(path, nearest)| UnknownValue {
            path: path.join("."),
            origin: origin::given(inputs, &path).map_or_else(String::new, |origin| origin.to_string()),
            nearest,
        })
        .collect()
}

type Found = Vec<(Vec<String>, Option<String>)>;

fn walk(chart: &Chart, defaults: &Map, given: &Map, path: &mut Vec<String>, is_top: bool, found: &mut Found) {
    for (key, value) in given {
        path.push(key.clone());
        let subchart = chart.dependencies.iter().find(|sub| is_top && answers_to(chart, sub, key));
        match (defaults.get(key), value) {
            _ if is_top && ["global", "tags", "exports"].contains(&key.as_str()) => {}
            (default, Value::Map(given)) if subchart.is_some() => {
                let subchart = subchart.expect("the guard has looked");
                let mut declared = (*subchart.values).clone();
                if let Some(Value::Map(default)) = default {
                    load::merge_maps(&mut declared, default.clone());
                }
                walk(subchart, &declared, given, path, true, found);
            }
            (Some(Value::Map(default)), Value::Map(given)) if !default.is_empty() => {
                walk(chart, default, given, path, false, found);
            }
            (Some(_), _) => {}
            (None, _) if subchart.is_some() || is_mentioned(chart, key) => {}
            (None, _) => {
                let subcharts = chart.dependencies.iter().map(Chart::name).filter(|_| is_top);
                let known = defaults.keys().map(String::as_str).chain(subcharts);
                let nearest = crate::similar::nearest(key, known).map(|name| {
                    let mut full = path.clone();
                    full.pop();
                    full.push(name.to_owned());
                    full.join(".")
                });
                found.push((path.clone(), nearest));
            }
        }
        path.pop();
    }
}

/// Whether a subchart goes by a name in its parent's values.
fn answers_to(chart: &Chart, subchart: &Chart, name: &str) -> bool {
    let declared = chart.metadata.dependencies.iter().filter(|wanted| wanted.name == subchart.name());
    subchart.name() == name || declared.into_iter().any(|wanted| wanted.alias == name)
}

/// Whether a comment in `values.yaml`, the schema or a condition speaks of a key.
fn is_mentioned(chart: &Chart, key: &str) -> bool {
    let in_comment = |line: &str| {
        let text = line.trim_start();
        text.starts_with('#')
            && text
                .trim_start_matches(['#', ' ', '-', '@', '*'])
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(':'))
    };
    let values = chart.raw.iter().find(|file| file.name == FILE);
    let quoted = format!("\"{key}\"");
    values.is_some_and(|file| file.text().lines().any(in_comment))
        || chart.schema.as_ref().is_some_and(|schema| schema.text().contains(&quoted))
        || chart.metadata.dependencies.iter().any(|wanted| wanted.condition.split(['.', ',']).any(|part| part == key))
}
