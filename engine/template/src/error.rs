//! What goes wrong in templates, worded as Go and Helm word it.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// Where in a template something went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<str>,
    /// The template: the file, or a `define` in it.
    pub template: Arc<str>,
    /// Counted from 1.
    pub line: usize,
    /// In bytes, counted from 0 as Go does; 0 where only the line is known.
    pub column: usize,
    /// The expression.
    pub expression: String,
    /// The text of the line.
    pub source_line: String,
}

/// Why a template could not be parsed or executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Detail>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    /// Go's text, causes included.
    text: String,
    kind: ErrorKind,
    place: Option<Place>,
    cause: Option<Error>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The template's text is wrong.
    Parse,
    /// A template failed as it ran.
    Execution,
    /// Anything below: a function's complaint.
    Plain,
    /// A limit on output, time or depth was reached.
    Limit,
}

impl Error {
    /// An error without a place.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(Box::new(Detail { text: text.into(), kind: ErrorKind::Plain, place: None, cause: None }))
    }

    pub(crate) fn parse(file: &str, line: usize, problem: String) -> Self {
        let name: Arc<str> = file.into();
        let place = Place {
            file: name.clone(),
            template: name,
            line,
            column: 0,
            expression: String::new(),
            source_line: String::new(),
        };
        let text = format!("template: {file}:{line}: {problem}");
        Self(Box::new(Detail { text, kind: ErrorKind::Parse, place: Some(place), cause: None }))
    }

    pub(crate) fn execution(place: Place, problem: &str, cause: Option<Error>) -> Self {
        let Place { file, template, line, column, expression, .. } = &place;
        let quoted = crate::quote::quote(template.as_bytes());
        let text = format!("template: {file}:{line}:{column}: executing {quoted} at <{expression}>: {problem}");
        let limit = cause.as_ref().is_some_and(|cause| cause.kind() == ErrorKind::Limit);
        let kind = if limit { ErrorKind::Limit } else { ErrorKind::Execution };
        Self(Box::new(Detail { text, kind, place: Some(place), cause }))
    }

    /// A text around an inner error, which stays its cause.
    pub(crate) fn wrap(text: String, cause: Error) -> Self {
        Self(Box::new(Detail { text, kind: ErrorKind::Plain, place: None, cause: Some(cause) }))
    }

    pub(crate) fn with_source_line(mut self, line: String) -> Self {
        if let Some(place) = &mut self.0.place {
            place.source_line = line;
        }
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it happened, if it happened in a template.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The error inside this one.
    pub fn cause(&self) -> Option<&Error> {
        self.0.cause.as_ref()
    }

    /// Go's text, causes included.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The places from the outermost call to the innermost.
    pub fn places(&self) -> Vec<&Place> {
        std::iter::successors(Some(self), |error| error.cause()).filter_map(Error::place).collect()
    }

    /// The innermost complaint.
    pub fn root_text(&self) -> &str {
        let mut error = self;
        while let Some(cause) = error.cause() {
            error = cause;
        }
        match &error.0.place {
            Some(_) => error.problem(),
            None => error.text(),
        }
    }

    /// The text after the place.
    fn problem(&self) -> &str {
        match self.0.kind {
            ErrorKind::Parse => self.0.text.splitn(3, ": ").nth(2).unwrap_or(&self.0.text),
            _ => self.0.text.split_once(">: ").map_or(self.0.text.as_str(), |(_, problem)| problem),
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None // the text already holds the causes'
    }
}

/// Why a function or method refused.
#[derive(Debug, Clone)]
pub struct Failure(pub(crate) Error);

impl Failure {
    /// More was written than allowed.
    pub(crate) const TOO_LONG: &str = "output exceeds the limit";

    /// A complaint.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Error::plain(text))
    }

    /// A limit was reached.
    pub fn limit(text: impl Into<String>) -> Self {
        let mut error = Error::plain(text);
        error.0.kind = ErrorKind::Limit;
        Self(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Helm marks texts of `fail` and `required` with these, to print them without their place.
pub(crate) const WARN_START: &str = "HELM_ERR_START";
pub(crate) const WARN_END: &str = "HELM_ERR_END";

/// The text that Helm prints for an error in a template.
pub fn helm_text(file: &str, error: &Error) -> String {
    match error.kind() {
        ErrorKind::Parse => parse_text(file, error.text()),
        _ if error.place().is_some() => execution_text(file, error),
        _ => error.text().to_owned(),
    }
}

fn parse_text(file: &str, text: &str) -> String {
    let tokens: Vec<&str> = text.split(": ").collect();
    match tokens.as_slice() {
        [_] | [] => format!("parse error in ({file}): {text}"),
        [_, location, .., message] => format!("parse error at ({location}): {message}"),
        [_, location] => format!("parse error at ({location}): {location}"),
    }
}

fn execution_text(file: &str, error: &Error) -> String {
    let text = error.text();
    let tokens: Vec<&str> = text.splitn(3, ": ").collect();
    let [_, location, rest] = tokens.as_slice() else {
        return format!("execution error in ({file}): {text}");
    };
    if let (Some(start), Some(end)) = (rest.find(WARN_START), rest.rfind(WARN_END))
        && start + WARN_START.len() <= end
    {
        return format!("execution error at ({location}): {}", &rest[start + WARN_START.len()..end]);
    }
    let mut traces: Vec<Trace> = Vec::new();
    let mut current = Some(error);
    while let Some(error) = current {
        let Some(trace) = Trace::of(error.text()) else { return text.to_owned() };
        if traces.last() != Some(&trace) {
            traces.push(trace);
        }
        current = error.cause();
    }
    let joined: String = traces.iter().map(ToString::to_string).collect();
    joined.trim().to_owned()
}

/// One level of an error as Helm prints it.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    location: String,
    executing: String,
    message: String,
}

impl Trace {
    fn of(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self { location: String::new(), executing: String::new(), message: text.to_owned() });
        }
        if let Some(trace) = Self::executing(rest) {
            return Some(trace);
        }
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Self { location: location.to_owned(), executing: String::new(), message: cut(message) })
    }

    fn executing(rest: &str) -> Option<Self> {
        let (location, after) = rest.split_once(": executing ")?;
        let after = after.strip_prefix('"')?;
        let (function, after) = after.split_once('"')?;
        let after = after.strip_prefix(" at <")?;
        let (expression, message) = after.split_once(">: ")?;
        Some(Self {
            location: location.to_owned(),
            executing: format!("executing \"{function}\" at <{expression}>:"),
            message: cut(message),
        })
    }
}

fn cut(message: &str) -> String {
    message.find(" template:").map_or(message, |end| &message[..end]).to_owned()
}

impl Display for Trace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.location.is_empty() {
            write!(f, "{}\n  ", self.location)?;
        }
        if !self.executing.is_empty() {
            write!(f, "{}\n    ", self.executing)?;
        }
        if !self.message.is_empty() {
            writeln!(f, "{}", self.message)?;
        }
        Ok(())
    }
}
