//! What is wrong with a chart, or could be better: Helm's rules in Helm's words, and kpkg's own.
//!
//! Helm's rules run in Helm's order and its messages are equal byte for byte. Each rule has a [name](rules())
//! by which it is switched off: for a run by [`Settings::disabled`], for a chart by the annotation
//! `kpkg/lint-disable` of its `Chart.yaml`, for a file by a comment in it that says
//! `kpkg-lint: disable=NAME,...`.

mod chartfile;
mod dependencies;
mod deprecations;
mod manifests;
mod message;
mod names;
mod rules;
mod templates;
mod values;
mod workloads;

use std::path::Path;

use crate::chart::{Chart, File};
use crate::error::LoadError;
use crate::load;
use crate::rendered::KubeVersion;
use crate::values::Input;

pub use message::{Message, Severity};
pub use rules::{Rule, rules};
pub use values::{UnknownValue, unknown as unknown_values};

/// The annotation of `Chart.yaml` that switches rules off.
const ANNOTATION: &str = "kpkg/lint-disable";

/// How to check.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    /// What the user gives for values.
    pub inputs: &'a [Input],
    /// The namespace that templates see.
    pub namespace: &'a str,
    /// The version of Kubernetes that templates see, and that decides what is deprecated.
    pub kube_version: Option<KubeVersion>,
    /// Leave `values.schema.json` alone.
    pub skip_schema: bool,
    /// Values that do nothing are errors, and those that no template reads are looked for.
    pub strict_values: bool,
    /// Names of rules that are off.
    pub disabled: &'a [String],
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order of the rules.
    pub messages: Vec<Message>,
    /// Why there was nothing to check.
    pub refused: Option<String>,
}

impl Report {
    /// Whether anything weighs this much.
    pub fn has(&self, severity: Severity) -> bool {
        self.refused.is_some() || self.messages.iter().any(|message| message.severity >= severity)
    }
}

/// Checks a chart in a folder or an archive.
pub fn lint(path: &Path, settings: &Settings<'_>) -> Report {
    let files = match files(path) {
        Ok(files) => files,
        Err(problem) => return Report { messages: Vec::new(), refused: Some(problem) },
    };
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let mut linter = Linter { files: &files, settings, folder: shown, messages: Vec::new() };
    let chart = load::load_files(files.clone());
    let metadata = linter.chartfile();
    linter.values();
    linter.templates(chart.as_ref());
    linter.dependencies(chart.as_ref());
    linter.crds(chart.as_ref());
    if let Ok(chart) = &chart {
        linter.unknown_values(chart);
    }
    let mut off = settings.disabled.to_vec();
    if let Some(names) = metadata.as_ref().and_then(|metadata| metadata.annotations.get(ANNOTATION)) {
        off.extend(names.split(',').map(|name| name.trim().to_owned()));
    }
    let mut messages = linter.messages;
    messages.retain(|message| !is_off(message, &off, &files));
    Report { messages, refused: None }
}

/// The files of a chart, or why there is none. What is an archive is told by its name (Helm's rule).
fn files(path: &Path) -> Result<Vec<File>, String> {
    let name = path.to_string_lossy();
    let is_archive = name.ends_with(".tgz") || name.ends_with(".tar.gz");
    let found = path.metadata();
    let missing = |why: &str| {
        let file = kpkg_gopath::join([&*name, "Chart.yaml"]);
        Err(format!("unable to check Chart.yaml file in chart: stat {file}: {why}"))
    };
    match &found {
        Err(_) if is_archive => return Err(format!("unable to open tarball: open {name}: no such file or directory")),
        Err(_) => return missing("no such file or directory"),
        Ok(found) if found.is_file() && !is_archive => return missing("not a directory"),
        Ok(_) => {}
    }
    let has_chart = |files: &[File]| files.iter().any(|file| file.name == "Chart.yaml");
    match load::read_files(path) {
        Ok(files) if has_chart(&files) => Ok(files),
        Ok(_) if is_archive => Err("unable to extract tarball: chart name not specified".to_owned()),
        Ok(_) => missing("no such file or directory"),
        Err(LoadError::NotAnArchive { .. }) => {
            let what = match found.map_or(0, |found| found.len()) {
                0 => "EOF",
                1..GZIP_HEADER => "unexpected EOF",
                _ => "gzip: invalid header",
            };
            Err(format!("unable to extract tarball: {what}"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// How many bytes a gzip file begins with before its data.
const GZIP_HEADER: u64 = 10;

/// Whether a message's rule is switched off, for all or for its file.
fn is_off(message: &Message, off: &[String], files: &[File]) -> bool {
    if off.iter().any(|name| name == message.rule) {
        return true;
    }
    let Some(file) = files.iter().find(|file| *file.name == message.path) else { return false };
    file.text().lines().filter_map(|line| line.split_once("kpkg-lint: disable=")).any(|(_, names)| {
        let names = names.split(|letter: char| letter.is_whitespace() || letter == '*' || letter == '#').next();
        names.is_some_and(|names| names.split(',').any(|name| name == message.rule || name == "all"))
    })
}

/// A check under way.
struct Linter<'a> {
    files: &'a [File],
    settings: &'a Settings<'a>,
    /// The chart's folder, as Helm shows it.
    folder: String,
    messages: Vec<Message>,
}

type Loaded<'a> = Result<&'a Chart, &'a LoadError>;

impl Linter<'_> {
    fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Notes what a rule found; whether it found nothing.
    fn check(&mut self, rule: &'static str, severity: Severity, path: &str, result: Result<(), String>) -> bool {
        match result {
            Ok(()) => true,
            Err(text) => {
                self.messages.push(Message { severity, path: path.to_owned(), text, rule });
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
