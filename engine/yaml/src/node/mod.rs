//! A document as a tree that still knows how its scalars were written.
//!
//! Kustomize edits documents, it does not evaluate them: a name is the text `1.10` until the very end, whatever
//! YAML takes it for. So a [`Scalar`] keeps its text, the tag it was read with, and whether it was quoted; what it
//! means is asked when it is written ([`Scalar::meaning`]). Anchors, aliases and merge keys are gone after reading.
//! The dialect is YAML 1.2's as go-yaml v3 has it: `yes` is a string, `0777` and `1_000` are numbers.

mod fold;
mod read;
mod write;

pub use read::{NodeOptions, read_node};
pub use write::{node_text, source_text};

use crate::Style;
use crate::resolve::{Resolved, resolve_core};

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Text.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Fields),
}

/// What a scalar was said to be, by YAML's rules or by a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// Nothing was said: the text decides when it is written.
    Unset,
    /// `null`.
    Null,
    /// A boolean.
    Bool,
    /// An integer.
    Int,
    /// Another number.
    Float,
    /// A string.
    String,
    /// A time; its value is a string.
    Timestamp,
    /// Base64 of bytes.
    Binary,
    /// The merge key.
    Merge,
    /// A tag of the document's own.
    Other(Box<str>),
}

/// A scalar.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// Its text, unfolded and unescaped.
    pub text: String,
    /// What it was said to be.
    pub tag: Tag,
    /// How it was written.
    pub style: Style,
    /// The line it stood on, counted from 1; 0 where it was not read.
    pub line: u32,
}

/// The fields of a mapping, in the order they were written.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    entries: Vec<(Scalar, Node)>,
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.meaning() == other.meaning()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(&key.text) == Some(value))
    }
}

// === impl Scalar ===

impl Scalar {
    /// A text of which nothing is said: `12` will be a number.
    pub fn bare(text: impl Into<String>) -> Self {
        Self { text: text.into(), tag: Tag::Unset, style: Style::Plain, line: 0 }
    }

    /// A string, whatever it looks like.
    pub fn string(text: impl Into<String>) -> Self {
        Self { tag: Tag::String, ..Self::bare(text) }
    }

    /// A scalar with a tag.
    pub fn tagged(text: impl Into<String>, tag: Tag) -> Self {
        Self { tag, ..Self::bare(text) }
    }

    /// Whether it is known to be null.
    pub fn is_null(&self) -> bool {
        self.tag == Tag::Null
    }

    /// Whether it is a string as far as is said.
    pub fn is_string(&self) -> bool {
        matches!(self.tag, Tag::String | Tag::Unset)
    }

    /// What the scalar is once it has been written and read again.
    pub fn meaning(&self) -> Resolved {
        let quoted = self.style != Style::Plain || self.text.contains('\n');
        match self.tag {
            Tag::String | Tag::Timestamp | Tag::Binary | Tag::Other(_) => Resolved::String,
            _ if quoted => Resolved::String,
            Tag::Float => match resolve_core(&self.text) {
                Resolved::Int(value) => Resolved::Float(value as f64),
                Resolved::Uint(value) => Resolved::Float(value as f64),
                other => other,
            },
            _ => match resolve_core(&self.text) {
                Resolved::Timestamp | Resolved::Merge => Resolved::String,
                other => other,
            },
        }
    }
}

impl From<Resolved> for Tag {
    fn from(resolved: Resolved) -> Self {
        match resolved {
            Resolved::Null => Self::Null,
            Resolved::Bool(_) => Self::Bool,
            Resolved::Int(_) | Resolved::Uint(_) => Self::Int,
            Resolved::Float(_) => Self::Float,
            Resolved::Timestamp => Self::Timestamp,
            Resolved::Merge => Self::Merge,
            Resolved::String => Self::String,
        }
    }
}

impl Tag {
    /// As messages name it.
    pub fn name(&self) -> &str {
        match self {
            Self::Unset | Self::String => "!!str",
            Self::Null => "!!null",
            Self::Bool => "!!bool",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Binary => "!!binary",
            Self::Merge => "!!merge",
            Self::Other(name) => name,
        }
    }
}

// === impl Fields ===

impl Fields {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(name, _)| name.text == key)
    }

    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The value of a field, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The value of a field, which is made if it is not there.
    pub fn get_or_insert_with(&mut self, key: &str, make: impl FnOnce() -> Node) -> &mut Node {
        let at = self.position(key).unwrap_or_else(|| {
            self.entries.push((Scalar::bare(key), make()));
            self.entries.len() - 1
        });
        &mut self.entries[at].1
    }

    /// Replaces the value of a field, or adds the field at the end.
    pub fn insert(&mut self, key: &str, value: Node) {
        match self.get_mut(key) {
            Some(old) => *old = value,
            None => self.push(Scalar::bare(key), value),
        }
    }

    /// Adds a field without looking for one of the same name.
    pub fn push(&mut self, key: Scalar, value: Node) {
        self.entries.push((key, value));
    }

    /// Takes a field out.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.position(key).map(|at| self.entries.remove(at).1)
    }

    /// Drops the fields for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&Scalar, &mut Node) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    /// The fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Scalar, &Node)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The fields in order, to change their values.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Scalar, &mut Node)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }
}

impl Extend<(Scalar, Node)> for Fields {
    fn extend<I: IntoIterator<Item = (Scalar, Node)>>(&mut self, entries: I) {
        self.entries.extend(entries);
    }
}

impl IntoIterator for Fields {
    type Item = (Scalar, Node);
    type IntoIter = std::vec::IntoIter<(Scalar, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl FromIterator<(Scalar, Node)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Scalar, Node)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

// === impl Node ===

impl Node {
    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self::Scalar(Scalar::string(text))
    }

    /// A text of which nothing is said.
    pub fn bare(text: impl Into<String>) -> Self {
        Self::Scalar(Scalar::bare(text))
    }

    /// Null.
    pub fn null() -> Self {
        Self::Scalar(Scalar::tagged("null", Tag::Null))
    }

    /// An empty mapping.
    pub fn map() -> Self {
        Self::Map(Fields::default())
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar; of anything else, nothing.
    pub fn text(&self) -> &str {
        self.as_scalar().map_or("", |scalar| scalar.text.as_str())
    }

    /// The mapping, if it is one.
    pub fn as_map(&self) -> Option<&Fields> {
        match self {
            Self::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// The mapping, if it is one, to change it.
    pub fn as_map_mut(&mut self) -> Option<&mut Fields> {
        match self {
            Self::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// The sequence, if it is one.
    pub fn as_list(&self) -> Option<&[Node]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The sequence, if it is one, to change it.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether it is known to be null.
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(Scalar::is_null)
    }

    /// Whether it is null, or a collection without content.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.is_null(),
            Self::List(items) => items.is_empty(),
            Self::Map(fields) => fields.is_empty(),
        }
    }

    /// A field of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// A field of a mapping, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.as_map_mut()?.get_mut(key)
    }

    /// The first line of it that is known.
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Scalar(scalar) => (scalar.line > 0).then_some(scalar.line),
            Self::List(items) => items.iter().find_map(Node::line),
            Self::Map(fields) => fields.iter().find_map(|(key, _)| (key.line > 0).then_some(key.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_they_will_be_read_as() {
        let cases = [
            (Scalar::bare("12"), Resolved::Int(12)),
            (Scalar::string("12"), Resolved::String),
            (Scalar::bare("yes"), Resolved::String),
            (Scalar::bare("0o17"), Resolved::Int(15)),
            (Scalar::tagged("1", Tag::Float), Resolved::Float(1.0)),
            (Scalar { style: Style::Quoted, ..Scalar::tagged("5", Tag::Int) }, Resolved::String),
            (Scalar::bare("2020-01-01"), Resolved::String),
            (Scalar::bare(""), Resolved::Null),
        ];
        for (scalar, want) in cases {
            assert_eq!(scalar.meaning(), want, "{scalar:?}");
        }
    }
}
