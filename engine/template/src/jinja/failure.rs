//! minijinja's errors as the engine's: the same places, chain and wording as Go templates have.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::ErrorKind;

use crate::error::{Error, Place};

/// What is wrong with a template's text.
pub(super) fn parse(name: &str, text: &str, error: &minijinja::Error) -> Error {
    let line = error.line().unwrap_or(1);
    let problem = error.detail().unwrap_or("syntax error").to_owned();
    let source_line = text.lines().nth(line - 1).unwrap_or_default().to_owned();
    Error::parse(name, line, problem).with_source_line(source_line)
}

/// Why a template failed, with the templates that it called.
pub(super) fn execution(name: &str, sources: &BTreeMap<String, Arc<String>>, error: &minijinja::Error) -> Error {
    let file = error.name().unwrap_or(name);
    let text = sources.get(file).map_or("", |text| text.as_str());
    let cause = std::error::Error::source(error).and_then(|source| {
        let own = source.downcast_ref::<Error>().cloned();
        own.or_else(|| source.downcast_ref::<minijinja::Error>().map(|inner| execution(file, sources, inner)))
    });
    let problem = problem(error, cause.as_ref());
    let range = error.range().filter(|range| text.get(range.clone()).is_some());
    let line = error.line().unwrap_or(1);
    let source_line = text.lines().nth(line - 1).unwrap_or_default().to_owned();
    let (column, expression) = match range {
        Some(range) => {
            let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            (range.start - start, text[range].lines().next().unwrap_or_default().to_owned())
        }
        None => (0, source_line.trim().to_owned()),
    };
    let (file, template): (Arc<str>, Arc<str>) = (file.into(), file.into());
    let place = Place { file, template, line, column, expression, source_line: source_line.clone() };
    Error::execution(place, &problem, cause).with_source_line(source_line)
}

fn problem(error: &minijinja::Error, cause: Option<&Error>) -> String {
    let kind = error.kind();
    match (kind, error.detail(), cause) {
        (ErrorKind::OutOfFuel, ..) => "template runs longer than allowed".to_owned(),
        (ErrorKind::InvalidOperation, Some(detail), _) => detail.to_owned(),
        (_, detail, Some(cause)) => format!("{}: {cause}", detail.unwrap_or(&kind.to_string())),
        (_, Some(detail), None) => format!("{kind}: {detail}"),
        (_, None, None) => kind.to_string(),
    }
}
