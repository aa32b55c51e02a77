//! Values that are given but that no template looks at.

use std::fmt::{self, Display, Formatter};

use kpkg_yaml::{Map, Value};

use super::field::dotted;
use super::{Path, Subject, Watched};
use crate::chart::Chart;
use crate::origin::{self, Origin};

/// A value that is given but that no template looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadValue {
    /// Its path, with dots.
    pub path: String,
    /// Where it was given.
    pub origin: Option<Origin>,
}

impl Display for UnreadValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "no template reads `{}`", self.path)?;
        self.origin.as_ref().map_or(Ok(()), |origin| write!(f, " ({origin})"))
    }
}

/// The values that the user gave and that the rendering did not read. A value whose key some template
/// mentions counts as read: it may be meant for a branch that was not taken.
pub fn unread(watched: &Watched, subject: Subject<'_>) -> Vec<UnreadValue> {
    let mut given = Vec::new();
    leaves(&subject.values.supplied, &mut Vec::new(), &mut given);
    let chart = subject.chart();
    given
        .into_iter()
        .filter(|path| !is_read(watched, path) && !decides(chart, path) && !is_mentioned(chart, path))
        .map(|path| UnreadValue { path: dotted(&path), origin: origin::given(subject.inputs, &path) })
        .collect()
}

/// The paths of all that is no map.
fn leaves(map: &Map, path: &mut Path, found: &mut Vec<Path>) {
    for (key, value) in map {
        path.push(key.clone());
        match value {
            Value::Map(inner) if !inner.is_empty() => leaves(inner, path, found),
            _ => found.push(path.clone()),
        }
        path.pop();
    }
}

fn is_read(watched: &Watched, path: &[String]) -> bool {
    // A global is read under the name of some subchart, too.
    let is_same = |read: &Path| match read.iter().position(|part| part == "global") {
        Some(at) if path.first().is_some_and(|first| first == "global") => read[at..] == *path,
        _ => read == path,
    };
    let parent = &path[..path.len() - 1];
    let is_parent = |read: &Path| match read.iter().position(|part| part == "global") {
        Some(at) if path.first().is_some_and(|first| first == "global") => read[at..] == *parent,
        _ => read == parent,
    };
    watched.read.iter().any(is_same) || watched.read_whole.iter().any(is_parent)
}

/// Whether a value switches a dependency on or off.
fn decides(chart: &Chart, path: &[String]) -> bool {
    let text = path.join(".");
    let own = &chart.metadata.dependencies;
    let is_condition = own.iter().any(|it| it.condition.split(',').any(|condition| condition.trim() == text));
    path.first().is_some_and(|first| first == "tags")
        || is_condition
        || path.split_first().is_some_and(|(first, rest)| {
            let subchart = chart.dependencies.iter().find(|subchart| subchart.name() == first);
            !rest.is_empty() && subchart.is_some_and(|subchart| decides(subchart, rest))
        })
        || text.ends_with(".enabled") && path.len() == 2
}

fn is_mentioned(chart: &Chart, path: &[String]) -> bool {
    let Some(key) = path.last() else { return false };
    let is_word = |text: &str| {
        text.match_indices(key.as_str()).any(|(at, _)| {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
            text[..at].ends_with(['.', '"', '\'']) && !text[at + key.len()..].starts_with(is_part)
        })
    };
    chart.templates.iter().any(|file| is_word(&file.text()))
        || chart.dependencies.iter().any(|subchart| is_mentioned(subchart, path))
}
