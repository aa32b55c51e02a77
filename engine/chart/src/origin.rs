//! Where a value came from: a values file, a flag, or the defaults of a chart.

use std::fmt::{self, Display, Formatter};

use kpkg_yaml::{Map, Value};

use crate::chart::Chart;
use crate::positions::Positions;
use crate::values::{Input, supplied};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A values file.
    File {
        /// Its name.
        name: String,
        /// The line of the key, from 1.
        line: Option<usize>,
    },
    /// A flag, as given.
    Flag(String),
    /// Values that no file or flag gave.
    Given,
    /// A chart's `values.yaml`.
    Default {
        /// The path of the file, with the names of the charts it is in.
        file: String,
        /// The line of the key, from 1.
        line: Option<usize>,
    },
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } | Self::Default { file: name, line } => {
                f.write_str(name)?;
                line.map_or(Ok(()), |line| write!(f, ":{line}"))
            }
            Self::Flag(flag) => f.write_str(flag),
            Self::Given => f.write_str("given values"),
        }
    }
}

/// Which of the user's inputs decides a value; the path's parts are keys and numbers of list items.
pub fn given(inputs: &[Input], path: &[String]) -> Option<Origin> {
    let mut ordered: Vec<&Input> = inputs.iter().collect();
    ordered.sort_by_key(|input| input.rank());
    // What comes last wins; a map may be put together from several, and the last that touches it is named.
    ordered.into_iter().rev().find_map(|input| {
        let map = supplied(std::slice::from_ref(input)).ok()?;
        get(&map, path)?;
        Some(match input {
            Input::File { name, text } => Origin::File { name: name.clone(), line: line(text, path) },
            Input::Map(_) => Origin::Given,
            Input::Set(text) => Origin::Flag(format!("--set {text}")),
            Input::SetString(text) => Origin::Flag(format!("--set-string {text}")),
            Input::SetFile { text, .. } => Origin::Flag(format!("--set-file {text}")),
            Input::SetJson(text) => Origin::Flag(format!("--set-json {text}")),
            Input::SetLiteral(text) => Origin::Flag(format!("--set-literal {text}")),
        })
    })
}

/// What decides a value of a chart: the user, or the outermost chart whose defaults have it.
pub fn of(chart: &Chart, inputs: &[Input], path: &[String]) -> Option<Origin> {
    given(inputs, path).or_else(|| default(chart, chart.name(), path)).or_else(|| {
        // Globals reach subcharts under their own name.
        let at = path.iter().position(|part| part == "global").filter(|at| *at > 0)?;
        of(chart, inputs, &path[at..])
    })
}

fn default(chart: &Chart, shown: &str, path: &[String]) -> Option<Origin> {
    if get(&chart.values, path).is_some() {
        let file = chart.raw.iter().find(|file| file.name == "values.yaml");
        let line = file.and_then(|file| line(&file.text(), path));
        return Some(Origin::Default { file: format!("{shown}/values.yaml"), line });
    }
    let (first, rest) = path.split_first()?;
    let subchart = chart.dependencies.iter().find(|subchart| subchart.name() == first)?;
    default(subchart, &format!("{shown}/charts/{first}"), rest)
}

fn line(text: &str, path: &[String]) -> Option<usize> {
    Positions::of(text).get(path).map(|lines| lines.key)
}

/// The value at a path.
pub(crate) fn get<'a>(map: &'a Map, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(map.get(first)?, |value, part| match value {
        Value::Map(map) => map.get(part),
        Value::List(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_named() {
        let inputs = [
            Input::Set("a.b=2".to_owned()),
            Input::File { name: "one.yaml".to_owned(), text: "a:\n  b: 1\n  c: [x, {d: 1}]\n".to_owned() },
            Input::File { name: "two.yaml".to_owned(), text: "e: 1\n\na: {f: 1}\n".to_owned() },
        ];
        let cases: [(&[&str], Option<&str>); 6] = [
            (&["a", "b"], Some("--set a.b=2")),
            (&["a", "c"], Some("one.yaml:3")),
            (&["a", "c", "1", "d"], Some("one.yaml:3")),
            (&["a", "f"], Some("two.yaml:3")),
            (&["e"], Some("two.yaml:1")),
            (&["g"], None),
        ];
        for (path, want) in cases {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            assert_eq!(given(&inputs, &path).map(|origin| origin.to_string()).as_deref(), want, "{path:?}");
        }
    }
}
