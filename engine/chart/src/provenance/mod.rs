//! Where output comes from: a rendering that is watched, and what can be told from it.
//!
//! [`watch`] renders once more and remembers which line of which template wrote what, and which values
//! were read for it; this costs time and memory, so it is done only for an answer: [`trace()`] for one
//! field of an object, [`explain()`] for a failure, [`unread()`] for values that no template looks at.

mod explain;
mod field;
mod lines;
mod trace;
mod unread;

use std::collections::{BTreeMap, BTreeSet};

use kpkg_template::{Ambient, Map, Read, Trace, Value, with_stack};

use crate::chart::Chart;
use crate::render::Job;
use crate::rendered::{ClusterFacts, ReleaseInfo, Values};
use crate::values::Input;

pub use explain::{Explanation, explain};
pub use field::{BadField, FieldPath};
pub use trace::{Step, TraceError, Traced, UsedValue, trace};
pub use unread::{UnreadValue, unread};

/// The path of a value: keys, and numbers of list items.
pub(crate) type Path = Vec<String>;

/// A rendering and how it came about.
#[derive(Debug, Default)]
pub struct Watched {
    /// What each template wrote, by path.
    pub(crate) files: BTreeMap<String, WatchedFile>,
    /// The values that were read by the template that failed, the last one last.
    pub(crate) last: Vec<Path>,
    /// Values that were read.
    pub(crate) read: BTreeSet<Path>,
    /// Maps of values that were read with all that is in them.
    pub(crate) read_whole: BTreeSet<Path>,
    /// The path of each map of values, by its identity while it lives.
    maps: BTreeMap<usize, Path>,
}

/// What a template wrote.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    pub(crate) text: String,
    pub(crate) trace: Trace,
    /// The paths of the trace's reads; none for maps that are no values.
    pub(crate) reads: Vec<Option<Path>>,
}

/// The texts and values that answers refer to.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The values, and the chart that they switch on.
    pub values: &'a Values,
    /// What the user gave.
    pub inputs: &'a [Input],
}

impl<'a> Subject<'a> {
    pub(crate) fn chart(&self) -> &'a Chart {
        self.values.chart()
    }
}

/// Renders, and remembers how; a failure is part of the answer.
pub fn watch(values: &Values, release: &ReleaseInfo, facts: &ClusterFacts, ambient: &Ambient) -> Watched {
    run(Job::new(values, release, facts, ambient))
}

/// As [`watch`], when `required` and `fail` let everything pass.
pub(crate) fn watch_leniently(values: &Values, release: &ReleaseInfo, facts: &ClusterFacts) -> Watched {
    let ambient = Ambient::seeded(0, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    run(Job { lenient: true, ..Job::new(values, release, facts, &ambient) })
}

fn run(job: Job<'_>) -> Watched {
    with_stack(|| {
        let mut watched = Watched::default();
        // What failed is known already; what was done until then is what is asked for.
        let _ = job.run_watched(Some(&mut watched));
        watched
    })
}

impl Watched {
    /// Learns the paths of the maps that templates see as values.
    pub(crate) fn learn(&mut self, values: &Map) {
        let mut queue = vec![(Vec::new(), Value::Map(values.clone()))];
        while let Some((path, value)) = queue.pop() {
            let inner = |key: String| path.iter().cloned().chain([key]).collect::<Path>();
            match &value {
                Value::Map(map) => {
                    // What is shared goes by its shortest path.
                    let known = self.maps.entry(map.identity()).or_insert_with(|| path.clone());
                    if known.len() > path.len() {
                        known.clone_from(&path);
                    } else if *known != path {
                        continue;
                    }
                    queue.extend(map.entries().iter().map(|(key, value)| (inner(key.to_string()), value.clone())));
                }
                Value::List(list) => {
                    queue.extend(
                        list.items().iter().enumerate().map(|(at, item)| (inner(at.to_string()), item.clone())),
                    );
                }
                _ => {}
            }
        }
    }

    /// Takes over what a template did.
    pub(crate) fn note(&mut self, path: &str, text: Option<&str>, trace: Trace) {
        let mut reads = Vec::with_capacity(trace.reads.len());
        for Read { map, key } in &trace.reads {
            let Some(owner) = self.maps.get(map) else {
                reads.push(None);
                continue;
            };
            match key {
                Some(key) => {
                    let full: Path = owner.iter().cloned().chain([key.to_string()]).collect();
                    self.read.insert(full.clone());
                    reads.push(Some(full));
                }
                None => {
                    self.read_whole.insert(owner.clone());
                    reads.push(Some(owner.clone()));
                }
            }
        }
        match text {
            Some(text) => {
                self.files.insert(path.to_owned(), WatchedFile { text: text.to_owned(), trace, reads });
            }
            None => self.last = reads.into_iter().flatten().collect(),
        }
    }
}

/// A template of a chart or its subcharts, by its path with the names of the charts it is in: the file's
/// text, and the path of its chart's values.
pub(crate) fn template<'a>(chart: &'a Chart, path: &str) -> Option<(std::borrow::Cow<'a, str>, Path)> {
    let mut rest = path.strip_prefix(chart.name())?.strip_prefix('/')?;
    let (mut chart, mut scope) = (chart, Path::new());
    while let Some((name, inner)) = rest.strip_prefix("charts/").and_then(|rest| rest.split_once('/')) {
        chart = chart.dependencies.iter().find(|subchart| subchart.name() == name)?;
        scope.push(name.to_owned());
        rest = inner;
    }
    let file = chart.templates.iter().find(|file| file.name == rest)?;
    Some((file.text(), scope))
}

/// The paths of the values that an expression names, below the values of its chart.
pub(crate) fn named_values(expression: &str, scope: &[String]) -> Vec<Path> {
    let mut found: Vec<Path> = Vec::new();
    for (at, word) in expression.match_indices("alues.") {
        let starts = expression[..at].ends_with(['V', 'v'])
            && !expression[..at - 1].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if !starts {
            continue;
        }
        let rest = &expression[at + word.len()..];
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && !"_.".contains(letter)).unwrap_or(rest.len());
        let parts = rest[..end].split('.').filter(|part| !part.is_empty()).map(str::to_owned);
        let path: Path = scope.iter().cloned().chain(parts).collect();
        if path.len() > scope.len() && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests;
