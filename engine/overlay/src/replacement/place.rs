//! The places that a target's path leads to, made on the way if that is asked for.

use kpkg_yaml::node::{Node, NodeOptions, Scalar, read_node};

use super::comments::carried_over;
use crate::error::{Error, Result};
use crate::selector::compile;
use crate::tree::{Step, kind_name, lookup, step};

/// What is made where a path ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    Nothing,
    Scalar,
    List,
    Map,
}

impl Making {
    /// A new node for a path that goes on with `next`.
    fn node(self, next: Option<&str>) -> Node {
        match next {
            Some(part) if matches!(step(part), Ok(Step::Index(_) | Step::Element { .. })) => Node::List(Vec::new()),
            Some(_) => Node::map(),
            None => match self {
                Self::List => Node::List(Vec::new()),
                Self::Map => Node::map(),
                Self::Scalar | Self::Nothing => Node::bare(""),
            },
        }
    }
}

/// Calls `set` for every place.
pub(super) fn for_each_place(
    node: &mut Node,
    path: &[String],
    making: Making,
    set: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    let Some((first, rest)) = path.split_first() else { return set(node) };
    let next = rest.first().map(String::as_str);
    match step(first)? {
        Step::Index(at) => {
            let items = list(node)?;
            if items.len() == at && making != Making::Nothing {
                items.push(making.node(next));
            }
            let count = items.len();
            let item = items
                .get_mut(at)
                .ok_or_else(|| Error::rule(format!("index {at} specified but only {count} elements found")))?;
            for_each_place(item, rest, making, set)
        }
        Step::Every => list(node)?.iter_mut().try_for_each(|item| for_each_place(item, rest, making, set)),
        Step::Element { key, value } => elements(node, key, value, rest, making, set),
        Step::Field(_) | Step::Last => field(node, first, rest, making, set),
    }
}

fn list(node: &mut Node) -> Result<&mut Vec<Node>> {
    let found = kind_name(node);
    match node {
        Node::List(items) => Ok(items),
        _ => Err(Error::Shape { expected: "SequenceNode", found }),
    }
}

/// Elements whose field, or themselves, match a pattern; one is made if none does.
fn elements(
    node: &mut Node,
    key: &str,
    value: &str,
    rest: &[String],
    making: Making,
    set: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    let pattern = compile(value)?;
    let fits = |item: &Node| {
        let found = if key.is_empty() { Some(item) } else { item.get(key) };
        found.is_some_and(|found| pattern.is_match(found.print().trim()))
    };
    let items = list(node)?;
    let mut reached = 0;
    for item in items.iter_mut().filter(|item| fits(item)) {
        if key.is_empty() {
            reached += 1;
            set(item)?;
        } else {
            for_each_place(item, rest, making, &mut |place| {
                reached += 1;
                set(place)
            })?;
        }
    }
    if reached > 0 || making == Making::Nothing {
        return Ok(());
    }
    let new = if key.is_empty() {
        Node::bare(value)
    } else {
        Node::Map([(Scalar::bare(key), Node::bare(value))].into_iter().collect())
    };
    if !fits(&new) {
        return Err(Error::rule(format!("failed to create element for \"[{key}={value}]\"")));
    }
    items.push(new);
    let made = items.last_mut().expect("just pushed");
    if key.is_empty() { set(made) } else { for_each_place(made, rest, making, set) }
}

fn field(
    node: &mut Node,
    name: &str,
    rest: &[String],
    making: Making,
    set: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    let found = kind_name(node);
    let fields = node.as_map_mut().ok_or(Error::Shape { expected: "MappingNode", found })?;
    let next = rest.first().map(String::as_str);
    let inner = match making {
        Making::Nothing => fields.get_mut(name),
        making => Some(fields.get_or_insert_with(name, || making.node(next))),
    };
    match inner {
        None => Ok(()),
        // What a text holds is changed by `set_within_text`. Where that failed, a change is lost, but no failure.
        Some(Node::Scalar(scalar)) if !rest.is_empty() && !scalar.is_null() => {
            let invalid = |source| Error::Yaml { place: format!("the text of {name}"), source };
            match read_node(&scalar.text, NodeOptions::default()).map_err(invalid)? {
                Some(mut document) => for_each_place(&mut document, rest, making, set),
                None => Ok(()),
            }
        }
        Some(inner) => for_each_place(inner, rest, making, set),
    }
}

/// Where a path leads into the YAML or JSON that a text holds, changes the text; whether it did.
pub(super) fn set_within_text(node: &mut Node, path: &[String], value: &Node, making: Making) -> Result<bool> {
    for length in 1..path.len() {
        let Ok(Some(Node::Scalar(scalar))) = lookup(node, &path[..length]) else { continue };
        let text = scalar.text.clone();
        let Ok(Some(mut document)) = read_node(&text, NodeOptions::default()) else { continue };
        let mut found = 0;
        let outcome = for_each_place(&mut document, &path[length..], making, &mut |place| {
            found += 1;
            match place {
                Node::Scalar(old) => value.text().clone_into(&mut old.text),
                other => *other = value.clone(),
            }
            Ok(())
        });
        if outcome.is_err() || found == 0 {
            return Ok(false);
        }
        let Some(written) = written_like(&text, &document)? else { return Ok(false) };
        if let Some(Node::Scalar(scalar)) = place_of(node, &path[..length]) {
            scalar.text = written;
        }
        return Ok(true);
    }
    Ok(false)
}

/// The document as text, in JSON if the old text was JSON.
fn written_like(old: &str, document: &Node) -> Result<Option<String>> {
    if !old.trim_start().starts_with(['{', '[']) {
        let written = kpkg_yaml::node::source_text(document).trim().to_owned();
        return Ok(Some(carried_over(old, written)));
    }
    let Ok(json) = document.to_json() else { return Ok(None) };
    let text = if old.contains('\n') && old.contains("  ") {
        serde_json::to_string_pretty(&json)
    } else {
        serde_json::to_string(&json)
    };
    Ok(text.ok())
}

fn place_of<'a>(node: &'a mut Node, path: &[String]) -> Option<&'a mut Node> {
    let mut at = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        at = match (step(part).ok()?, at) {
            (Step::Index(index), Node::List(items)) => items.get_mut(index)?,
            (Step::Last, Node::List(items)) => items.last_mut()?,
            (Step::Element { key: "", value }, Node::List(items)) => {
                items.iter_mut().find(|item| item.text() == value)?
            }
            (Step::Element { key, value }, Node::List(items)) => {
                items.iter_mut().find(|item| item.get(key).is_some_and(|found| found.text() == value))?
            }
            (Step::Field(name), Node::Map(fields)) => fields.get_mut(name)?,
            _ => return None,
        };
    }
    Some(at)
}
