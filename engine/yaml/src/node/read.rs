//! Text to tree: scalars keep their text, aliases are copied, merge keys are merged.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fields, Node, Scalar, Tag};
use crate::error::Error;
use crate::lines;
use crate::parser::{Parser, Properties, Scalar as Event, Sink};
use crate::reader::{Breaks, check_characters};
use crate::resolve::{Resolved, resolve_core};
use crate::scanner::{Mark, Style};

/// Bounds of reading a tree.
#[derive(Debug, Clone, Copy)]
pub struct NodeOptions {
    /// The largest text to accept, in bytes.
    pub max_size: usize,
    /// How many nodes aliases may add.
    pub max_alias_nodes: usize,
    /// How deep collections may nest.
    pub max_depth: usize,
    /// The line before the text's first one.
    pub line_offset: usize,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { max_size: 256 << 20, max_alias_nodes: 1_000_000, max_depth: 1_000, line_offset: 0 }
    }
}

/// Reads the first document of a text; `None` if there is none.
pub fn read_node(text: &str, options: NodeOptions) -> Result<Option<Node>, Error> {
    if text.len() > options.max_size {
        return Err(Error::TooLarge { size: text.len(), limit: options.max_size });
    }
    let breaks = check_characters(text)?;
    let mut composer = Composer { options, ..Composer::default() };
    if breaks == Breaks::Plain && lines::document(text, &mut composer) {
        return Ok(composer.root);
    }
    let mut composer = Composer { options, ..Composer::default() };
    Parser::new(text).document(&mut composer)?;
    Ok(composer.root)
}

/// A collection that is not complete yet.
enum Frame {
    List { items: Vec<Node>, anchor: Option<String> },
    Map { fields: Fields, key: Option<Scalar>, merged: Vec<Fields>, anchor: Option<String> },
}

#[derive(Default)]
struct Composer {
    options: NodeOptions,
    stack: Vec<Frame>,
    anchors: BTreeMap<String, (Node, usize)>,
    open_anchors: BTreeSet<String>,
    alias_nodes: usize,
    root: Option<Node>,
}

impl Composer {
    fn place(&mut self, node: Node, anchor: Option<String>) -> Result<(), Error> {
        if let Some(name) = anchor {
            self.open_anchors.remove(&name);
            let nodes = count(&node);
            self.anchors.insert(name, (node.clone(), nodes));
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { fields, key, merged, .. }) => match (key.take(), node) {
                (None, Node::Scalar(scalar)) => *key = Some(scalar),
                (None, _) => return Err(Error::plain("a mapping key must be a scalar")),
                (Some(name), value) if name.tag == Tag::Merge => {
                    if !merged.is_empty() {
                        return Err(Error::plain("duplicate merge key"));
                    }
                    *merged = merge_sources(value)?;
                }
                (Some(name), value) => fields.push(name, value),
            },
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame, anchor: Option<&str>) -> Result<(), Error> {
        if self.stack.len() >= self.options.max_depth {
            return Err(Error::plain(format!("exceeded max depth of {}", self.options.max_depth)));
        }
        self.open_anchors.extend(anchor.map(str::to_owned));
        self.stack.push(frame);
        Ok(())
    }

    fn is_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Map { key: None, .. }))
    }

    fn line(&self, mark: Mark) -> u32 {
        u32::try_from(mark.line + 1 + self.options.line_offset).unwrap_or(u32::MAX)
    }
}

/// The mappings that `<<` names, the weakest first.
fn merge_sources(value: Node) -> Result<Vec<Fields>, Error> {
    match value {
        Node::Map(fields) => Ok(vec![fields]),
        Node::List(items) => {
            let mut sources = Vec::new();
            for item in items.into_iter().rev() {
                match item {
                    Node::Map(fields) => sources.push(fields),
                    Node::List(_) => return Err(Error::plain("invalid map merge: received a nested sequence")),
                    Node::Scalar(_) => {
                        return Err(Error::plain("map merge requires map or sequence of maps as the value"));
                    }
                }
            }
            Ok(sources)
        }
        Node::Scalar(_) => Err(Error::plain("map merge requires map or sequence of maps as the value")),
    }
}

/// Adds what is merged to a mapping: its own fields win, then the later sources.
fn merge(fields: &mut Fields, sources: Vec<Fields>) {
    let own: BTreeSet<String> = fields.iter().map(|(key, _)| key.text.clone()).collect();
    for source in sources {
        for (key, value) in source {
            if !own.contains(&key.text) {
                match fields.get_mut(&key.text) {
                    Some(old) => *old = value,
                    None => fields.push(key, value),
                }
            }
        }
    }
}

fn count(node: &Node) -> usize {
    match node {
        Node::Scalar(_) => 1,
        Node::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Node::Map(fields) => 1 + fields.iter().map(|(_, value)| 1 + count(value)).sum::<usize>(),
    }
}

fn tag_of(properties: &str, event: &Event<'_>, key: bool) -> Tag {
    match properties.strip_prefix("tag:yaml.org,2002:") {
        Some("str") => Tag::String,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("bool") => Tag::Bool,
        Some("null") => Tag::Null,
        Some("binary") => Tag::Binary,
        Some("timestamp") => Tag::Timestamp,
        Some("merge") => Tag::Merge,
        Some(other) => Tag::Other(format!("!!{other}").into()),
        None if !properties.is_empty() && properties != "!" => Tag::Other(properties.into()),
        None if event.style != Style::Plain || properties == "!" => Tag::String,
        None => match resolve_core(&event.text) {
            Resolved::String if key && event.text == "<<" => Tag::Merge,
            other => other.into(),
        },
    }
}

impl<'a> Sink<'a> for Composer {
    fn alias(&mut self, name: &'a str, _mark: Mark) -> Result<(), Error> {
        if self.open_anchors.contains(name) {
            return Err(Error::plain(format!("anchor '{name}' value contains itself")));
        }
        let anchored = self.anchors.get(name);
        let (node, nodes) = anchored.ok_or_else(|| Error::plain(format!("unknown anchor '{name}' referenced")))?;
        self.alias_nodes += nodes;
        if self.alias_nodes > self.options.max_alias_nodes {
            return Err(Error::plain("document contains excessive aliasing"));
        }
        let copy = node.clone();
        self.place(copy, None)
    }

    fn scalar(&mut self, properties: Properties<'a>, scalar: Event<'a>, mark: Mark) -> Result<(), Error> {
        let tag = tag_of(&properties.tag, &scalar, self.is_key());
        let line = self.line(mark);
        let node = Node::Scalar(Scalar { text: scalar.text.into_owned(), tag, style: scalar.style, line });
        self.place(node, properties.anchor.map(str::to_owned))
    }

    fn begin_sequence(&mut self, properties: Properties<'a>, _mark: Mark) -> Result<(), Error> {
        let anchor = properties.anchor.map(str::to_owned);
        self.open(Frame::List { items: Vec::new(), anchor }, properties.anchor)
    }

    fn begin_mapping(&mut self, properties: Properties<'a>, _mark: Mark) -> Result<(), Error> {
        let anchor = properties.anchor.map(str::to_owned);
        let frame = Frame::Map { fields: Fields::default(), key: None, merged: Vec::new(), anchor };
        self.open(frame, properties.anchor)
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.stack.pop() {
            Some(Frame::List { items, anchor }) => self.place(Node::List(items), anchor),
            Some(Frame::Map { mut fields, merged, anchor, .. }) => {
                if !merged.is_empty() {
                    merge(&mut fields, merged);
                }
                self.place(Node::Map(fields), anchor)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::node_text;

    fn again(text: &str) -> String {
        match read_node(text, NodeOptions::default()) {
            Ok(Some(node)) => node_text(&node).unwrap_or_else(|error| error.to_string()),
            Ok(None) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn reads_and_writes_again() {
        let cases = [
            ("b: 1.0\na: 1e3\n", "a: 1000\nb: 1\n"),
            ("a: yes\nb: 'true'\nc: 0777\nd: 1_0\n", "a: \"yes\"\nb: \"true\"\nc: 511\nd: 10\n"),
            ("a: 123456789.125\nb: 12345678901234567890\n", "a: 1.23456789125e+08\nb: 12345678901234567890\n"),
            ("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n", "x:\n  a: 1\n  b: 2\n\"y\":\n  a: 1\n  b: 3\n"),
            ("a: 2020-01-01\nb: !!str 5\nc: ~\n", "a: \"2020-01-01T00:00:00Z\"\nb: \"5\"\nc: null\n"),
            ("a: 1\na: 2\n", "mapping key \"a\" already defined"),
            ("a: .nan\n", "json: unsupported value: NaN"),
            ("a: {1: 2}\n", "json: unsupported type: map[interface {}]interface {}"),
            ("a: *b\n", "yaml: unknown anchor 'b' referenced"),
        ];
        for (text, want) in cases {
            assert_eq!(again(text), want, "{text}");
        }
    }

    #[test]
    fn bombs_stay_small() {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (previous, name) in ('a'..='i').zip('b'..='j') {
            text.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{previous}"); 10].join(",")));
        }
        assert_eq!(again(&text), "yaml: document contains excessive aliasing");
        assert!(again(&"[".repeat(100_000)).contains("exceeded max depth"));
    }
}
