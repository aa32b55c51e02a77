//! How values are set in a document: what stays of the value that was there.

use kpkg_yaml::node::{Fields, Node, Scalar};
use kpkg_yaml::{Resolved, Style, resolve};

use crate::error::{Error, Result};

/// The kind of a node, as messages name it.
pub(crate) fn kind_name(node: &Node) -> &'static str {
    match node {
        Node::Scalar(_) => "ScalarNode",
        Node::List(_) => "SequenceNode",
        Node::Map(_) => "MappingNode",
    }
}

/// Replaces a scalar; the quotes of the old one stay.
pub(crate) fn set_scalar(node: &mut Node, value: Scalar) -> Result<()> {
    let Node::Scalar(old) = node else {
        return Err(Error::Shape { expected: "ScalarNode", found: kind_name(node) });
    };
    if !value.is_null() {
        *old = Scalar { style: old.style, line: old.line, ..value };
    }
    Ok(())
}

/// Sets a field of a mapping. Null removes it; the quotes of a scalar that was there stay.
pub(crate) fn set_field(fields: &mut Fields, name: &str, mut value: Node) {
    if value.is_null() {
        fields.remove(name);
        return;
    }
    match fields.get_mut(name) {
        Some(old) => {
            if let Node::Scalar(new) = &mut value {
                new.style = old.as_scalar().map_or(Style::Plain, |old| old.style);
            }
            *old = value;
        }
        None => {
            if let Node::Scalar(new) = &mut value {
                quote(new);
            }
            fields.push(Scalar::bare(name), value);
        }
    }
}

/// Quotes a string that YAML 1.1 would take for something else.
fn quote(scalar: &mut Scalar) {
    if scalar.is_string() && scalar.style == Style::Plain && reads_as_other(&scalar.text) {
        scalar.style = Style::Quoted;
    }
}

fn reads_as_other(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return false;
    }
    if !matches!(resolve(text), Resolved::String | Resolved::Timestamp | Resolved::Merge) {
        return true;
    }
    let structured = text.starts_with(['[', '{', '#', '-', '?', '!', '&', '|', '>', '%', ' ', '~'])
        || text.ends_with(':')
        || text.contains(": ");
    structured && kpkg_yaml::read(text).is_ok_and(|value| value.as_str().is_none())
}

/// A mapping below `key`, made if it is not there or null.
pub(crate) fn map_at<'a>(node: &'a mut Node, key: &str) -> Result<&'a mut Fields> {
    let found = kind_name(node);
    let fields = node.as_map_mut().ok_or(Error::Shape { expected: "MappingNode", found })?;
    let inner = fields.get_or_insert_with(key, Node::map);
    if inner.is_null() {
        *inner = Node::map();
    }
    let found = kind_name(inner);
    inner.as_map_mut().ok_or(Error::Shape { expected: "MappingNode", found })
}

/// The texts of a mapping of strings; what is no scalar counts as empty.
pub(crate) fn string_map(node: Option<&Node>) -> Vec<(&str, &str)> {
    match node {
        Some(Node::Map(fields)) => fields.iter().map(|(key, value)| (key.text.as_str(), value.text())).collect(),
        _ => Vec::new(),
    }
}

/// Follows a path of fields, indices and `[key=value]` selectors; `None` where it ends early.
pub(crate) fn lookup<'a>(node: &'a Node, path: &[String]) -> Result<Option<&'a Node>> {
    let mut at = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        if at.is_null() {
            return Ok(None);
        }
        let next = match step(part)? {
            Step::Index(index) => as_list(at)?.get(index),
            Step::Last => as_list(at)?.last(),
            Step::Element { key: "", value } => as_list(at)?.iter().find(|item| item.text() == value),
            Step::Element { key, value } => {
                as_list(at)?.iter().find(|item| item.get(key).is_some_and(|found| found.text() == value))
            }
            Step::Every => return Err(Error::rule("wildcard is not supported in PathGetter")),
            Step::Field(name) => match at {
                Node::Map(fields) => fields.get(name),
                other => return Err(Error::Shape { expected: "MappingNode", found: kind_name(other) }),
            },
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn as_list(node: &Node) -> Result<&[Node]> {
    node.as_list().ok_or(Error::Shape { expected: "SequenceNode", found: kind_name(node) })
}

/// One part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A field of a mapping.
    Field(&'a str),
    /// An element by its place.
    Index(usize),
    /// The last element (`-`).
    Last,
    /// All elements (`*`).
    Every,
    /// An element by a field of it (`[name=x]`), or a scalar by its text (`[=x]`).
    Element { key: &'a str, value: &'a str },
}

/// What a part of a path means.
pub(crate) fn step(part: &str) -> Result<Step<'_>> {
    if let Ok(index) = part.parse::<i64>() {
        let index = usize::try_from(index);
        return index.map(Step::Index).map_err(|_| Error::rule(format!("array index {part} cannot be negative")));
    }
    if let Some(inner) = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let (key, value) = inner
            .split_once('=')
            .ok_or_else(|| Error::rule("list path element must contain fieldName=fieldValue for element to match"))?;
        return Ok(Step::Element { key, value });
    }
    Ok(match part {
        "-" => Step::Last,
        "*" => Step::Every,
        name => Step::Field(name),
    })
}

/// Splits a path; a backslash before the delimiter takes its meaning.
pub(crate) fn split_path(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut pieces = path.split(delimiter);
    let mut first = pieces.next().unwrap_or_default();
    if first.is_empty()
        && let Some(second) = pieces.next()
    {
        first = second;
    }
    parts.push(first.to_owned());
    for piece in pieces {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// Splits a dotted path; dots within brackets do not split.
pub(crate) fn split_dotted(path: &str) -> Vec<String> {
    let mut result = Vec::new();
    let mut parts = split_path(path, '.').into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            result.push(part);
            continue;
        }
        let mut joined = part;
        for next in parts.by_ref() {
            joined.push('.');
            joined.push_str(&next);
            if joined.ends_with(']') {
                break;
            }
        }
        if joined.contains('=') {
            result.push(joined);
        } else {
            result.push(joined.trim_matches(['[', ']']).to_owned());
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let cases: [(&str, &[&str]); 5] = [
            ("a.b", &["a", "b"]),
            (r"a\.b.c", &["a.b", "c"]),
            ("spec.[name=x.y].z", &["spec", "[name=x.y]", "z"]),
            ("a.[b.c].d", &["a", "b.c", "d"]),
            (".a", &["a"]),
        ];
        for (path, want) in cases {
            assert_eq!(split_dotted(path), want, "{path}");
        }
        assert_eq!(split_path(r"metadata/annotations/x.io\/y", '/'), ["metadata", "annotations", "x.io/y"]);
    }

    #[test]
    fn strings_that_look_like_more_are_quoted() {
        for (text, want) in [("x", false), ("12", true), ("yes", true), ("[a]", true), ("a: b", true), ("1.2.3", false)]
        {
            assert_eq!(reads_as_other(text), want, "{text}");
        }
    }
}
