//! Why rendering failed, in more words than Helm's: source lines, who included whom, the values involved.

use std::fmt::{self, Display, Formatter};

use kpkg_template::Place;
use kpkg_yaml::Value;

use super::field::dotted;
use super::lines::writers;
use super::trace::{Step, UsedValue, step, used};
use super::{Path, Subject, Watched, named_values, template};
use crate::error::RenderError;
use crate::origin;

/// What is known about a failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The line to blame, and which part of it.
    pub place: Option<Source>,
    /// What that line wrote, where it is the output that is wrong: lines by number.
    pub output: Vec<(usize, String)>,
    /// Who included the template, the nearest first.
    pub callers: Vec<Step>,
    /// The values that it read.
    pub values: Vec<UsedValue>,
    /// What may help.
    pub hint: Option<String>,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The line.
    pub step: Step,
    /// Where the part begins, in characters from 0.
    pub column: usize,
    /// How many characters it has.
    pub width: usize,
}

/// How many values are shown.
const MAX_VALUES: usize = 3;

/// Explains a failure of a rendering that was watched; nothing for failures that say all there is.
pub fn explain(error: &RenderError, watched: &Watched, subject: Subject<'_>) -> Option<Explanation> {
    match error {
        RenderError::Template { places, problem, .. } => template_failure(places, problem, watched, subject),
        RenderError::Manifest { source_file, line, text, .. } => {
            manifest_failure(source_file, *line, text, watched, subject)
        }
        _ => None,
    }
}

fn template_failure(places: &[Place], problem: &str, watched: &Watched, subject: Subject<'_>) -> Option<Explanation> {
    let (innermost, outer) = places.split_last()?;
    let scope = places.iter().rev().find_map(|place| Some(template(subject.chart(), &place.file)?.1));
    let scope = scope.unwrap_or_default();
    let mut paths = named_values(&innermost.expression, &scope);
    if paths.is_empty() {
        paths = last_read(&watched.last);
    }
    let callers = outer.iter().rev().map(|place| step(subject, &place.file, place.line)).collect();
    let hint = missing_key(subject, &paths, &scope).or_else(|| general_hint(problem, subject));
    let values = paths.iter().take(MAX_VALUES).map(|path| used(subject, existing(subject, path))).collect();
    Some(Explanation { place: Some(source(subject, innermost)), output: Vec::new(), callers, values, hint })
}

fn source(subject: Subject<'_>, place: &Place) -> Source {
    let mut step = step(subject, &place.file, place.line);
    if step.text.is_empty() {
        step.text.clone_from(&place.source_line);
    }
    // Go names the place of a chain of fields by its end or its beginning: the text itself is more telling.
    let wanted = place.expression.lines().next().unwrap_or_default();
    let near = |(at, _): &(usize, &str)| at.abs_diff(place.column);
    let found = Some(wanted).filter(|it| !it.is_empty()).and_then(|it| step.text.match_indices(it).min_by_key(near));
    let (byte, width) = match found {
        Some((at, text)) => (at, text.chars().count()),
        None => (place.column.min(step.text.len()), 1),
    };
    let column = step.text.char_indices().take_while(|(at, _)| *at < byte).count();
    Source { step, column, width }
}

/// The values read last, without the maps on the way to them.
fn last_read(reads: &[Path]) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    for path in reads.iter().rev().take(10) {
        if paths.len() < MAX_VALUES && !paths.iter().any(|known| known.starts_with(path)) {
            paths.push(path.clone());
        }
    }
    paths.truncate(1);
    paths
}

/// The longest part of a path that there is; the whole if there is none of it.
fn existing<'a>(subject: Subject<'_>, path: &'a [String]) -> &'a [String] {
    let all = subject.values.all();
    let depth = (1..=path.len()).rev().find(|depth| origin::get(all, &path[..*depth]).is_some());
    depth.map_or(path, |depth| &path[..depth])
}

/// A key that is not there, and the nearest one that is.
fn missing_key(subject: Subject<'_>, paths: &[Path], scope: &[String]) -> Option<String> {
    let all = subject.values.all();
    paths.iter().find_map(|path| {
        let missing = (1..=path.len()).find(|depth| origin::get(all, &path[..*depth]).is_none())? - 1;
        let siblings: Vec<&str> = match (missing, origin::get(all, &path[..missing])) {
            (0, _) => all.keys().map(String::as_str).collect(),
            (_, Some(Value::Map(map))) => map.keys().map(String::as_str).collect(),
            (_, Some(Value::Null)) => {
                let name = dotted(path[..missing].strip_prefix(scope).unwrap_or(&path[..missing]));
                return Some(format!("`{name}` is null: give it a value, or test it before its keys are read"));
            }
            _ => return None,
        };
        let own = |path: &[String]| dotted(path.strip_prefix(scope).unwrap_or(path));
        let name = own(&path[..=missing]);
        Some(match crate::similar::nearest(&path[missing], siblings) {
            Some(near) => {
                let mut near_path = path[..missing].to_vec();
                near_path.push(near.to_owned());
                format!("there is no value `{name}`; did you mean `{}`?", own(&near_path))
            }
            None if missing + 1 < path.len() => {
                format!(
                    "there is no value `{name}`: give it one, or write `({}{name}).{}` to accept that",
                    ".Values.",
                    path[missing + 1..].join(".")
                )
            }
            None => format!("there is no value `{name}`"),
        })
    })
}

fn general_hint(problem: &str, subject: Subject<'_>) -> Option<String> {
    let quoted = |after: &str| {
        let rest = problem.split_once(after)?.1;
        rest.split_once('"')?.1.split('"').next().map(str::to_owned)
    };
    if problem.contains("no template") || problem.contains("not defined") && problem.starts_with("template ") {
        let name = quoted("template")?;
        let mut known = Vec::new();
        defined(subject.chart(), &mut known);
        let near = crate::similar::nearest(&name, known.iter().map(String::as_str))?;
        return Some(format!("there is a template `{near}`"));
    }
    if problem.contains("function") && problem.contains("not defined") {
        let name = quoted("function")?;
        let near = crate::similar::nearest(&name, kpkg_template::function_names())?;
        return Some(format!("there is a function `{near}`"));
    }
    if problem.contains("wrong type for value; expected string; got") {
        return Some("`toString` or `quote` make a text of it".to_owned());
    }
    None
}

/// The names that templates define.
fn defined(chart: &crate::Chart, found: &mut Vec<String>) {
    for file in &chart.templates {
        let text = file.text();
        let names = text.split("define \"").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(names.map(str::to_owned));
    }
    chart.dependencies.iter().for_each(|subchart| defined(subchart, found));
}

/// Go's parser often names the line before the mistake: the first line with which the text is no YAML.
fn first_bad(document: &str, named: usize) -> usize {
    let is_bad = |lines: usize| {
        let end: usize = document.split_inclusive('\n').take(lines).map(str::len).sum();
        kpkg_yaml::read(&document[..end]).is_err()
    };
    if !is_bad(named) && is_bad(named + 1) { named + 1 } else { named }
}

/// How many lines of output are shown before and after the one to blame.
const AROUND: usize = 2;

fn manifest_failure(
    path: &str,
    line: Option<usize>,
    document: &str,
    watched: &Watched,
    subject: Subject<'_>,
) -> Option<Explanation> {
    let file = watched.files.get(path)?;
    let before = file.text.find(document).map_or(0, |at| file.text[..at].matches('\n').count());
    // A document that is YAML, but not of an object, is wrong from its first line on.
    let line = before + line.map_or(1, |line| first_bad(document, line.saturating_sub(before).max(1)));
    let start: usize = file.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let text = file.text.get(start..)?.lines().next().unwrap_or_default();
    let indent = text.len() - text.trim_start().len();
    let found = writers(file, start + indent..start + text.len());
    let mut steps = found.iter().map(|writer| step(subject, &writer.file, writer.line));
    let place = steps.next().map(|step| {
        let column = step.text.chars().take_while(|letter| letter.is_whitespace()).count();
        Source { column, width: step.text.trim().chars().count().max(1), step }
    });
    let from = line.saturating_sub(AROUND + 1);
    let output = file.text.lines().enumerate().skip(from).take(line + AROUND - from);
    let values = found.first().map(|writer| file.reads.get(writer.reads.clone()).unwrap_or_default());
    let mut values: Vec<Path> = values.unwrap_or_default().iter().flatten().cloned().collect();
    let all = values.clone();
    values.retain(|path| !all.iter().any(|other| other.len() > path.len() && other.starts_with(path)));
    values.dedup();
    Some(Explanation {
        place,
        output: output.map(|(at, text)| (at + 1, text.to_owned())).collect(),
        callers: steps.collect(),
        values: values.iter().take(MAX_VALUES).map(|path| used(subject, path)).collect(),
        hint: None,
    })
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(Source { step, column, width }) = &self.place {
            writeln!(f, "  --> {}:{}:{}", step.file, step.line, column + 1)?;
            let number = step.line.to_string();
            let margin = " ".repeat(number.len());
            writeln!(f, " {margin} |\n {number} | {}", step.text.replace('\t', " "))?;
            writeln!(f, " {margin} | {}{}", " ".repeat(*column), "^".repeat(*width))?;
        }
        if !self.output.is_empty() {
            writeln!(f, "  it wrote:")?;
            for (number, text) in &self.output {
                writeln!(f, "    {number:>4} | {text}")?;
            }
        }
        for step in &self.callers {
            writeln!(f, "  included by {}:{}: {}", step.file, step.line, step.text.trim())?;
        }
        for value in &self.values {
            writeln!(f, "  value {value}")?;
        }
        Ok(())
    }
}
