//! The scalars of a file in their order, each with its path and place.

use std::ops::Range;

use kpkg_yaml::{Error, Mark, Parser, Properties, Resolved, Scalar, Sink, Style};

use crate::error::{Result, SecretError};

/// The section that sops adds.
pub(super) const SECTION: &str = "sops";

/// A value that is no map, no list and not null.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The keys that lead to it; lists have no part in it.
    pub(super) path: Vec<String>,
    /// Its text, without quotes.
    pub(super) text: String,
    /// What it means.
    pub(super) meaning: Resolved,
    /// Where it begins in the file.
    pub(super) start: usize,
}

/// A file, taken apart.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) leaves: Vec<Leaf>,
    /// Where sops' own section is.
    pub(super) section: Range<usize>,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut walk = Walk::default();
        Parser::new(text).document(&mut walk)?;
        if let Some(odd) = walk.odd {
            return Err(SecretError::Sops(format!("line {}: {}", odd.0 + 1, odd.1)));
        }
        let start = walk.section.0.ok_or_else(|| SecretError::Sops(format!("it has no `{SECTION}`")))?;
        Ok(Self { leaves: walk.leaves, section: start..walk.section.1.unwrap_or(text.len()) })
    }
}

#[derive(Debug, Clone, Copy)]
enum Frame {
    /// A map; whether a key comes next.
    Map(bool),
    List,
}

#[derive(Debug, Default)]
struct Walk {
    frames: Vec<Frame>,
    path: Vec<String>,
    leaves: Vec<Leaf>,
    section: (Option<usize>, Option<usize>),
    /// The line of what sops does not write, and what it is.
    odd: Option<(usize, &'static str)>,
}

impl Walk {
    fn in_section(&self) -> bool {
        self.path.first().is_some_and(|key| key == SECTION)
    }

    fn key(&mut self, text: &str, mark: Mark) {
        if self.path.is_empty() {
            if text == SECTION {
                self.section.0 = Some(mark.offset);
            } else if self.section.0.is_some() {
                self.section.1.get_or_insert(mark.offset);
            }
        }
        self.path.push(text.to_owned());
        self.expect_key(false);
    }

    fn expect_key(&mut self, expected: bool) {
        if let Some(Frame::Map(key)) = self.frames.last_mut() {
            *key = expected;
        }
    }

    /// A value has ended.
    fn done(&mut self) {
        if matches!(self.frames.last(), Some(Frame::Map(_))) {
            self.path.pop();
            self.expect_key(true);
        }
    }

    fn begin(&mut self, frame: Frame, mark: Mark) {
        if matches!(self.frames.last(), Some(Frame::Map(true))) {
            self.odd = Some((mark.line, "a key is no string"));
        }
        self.frames.push(frame);
    }
}

impl<'a> Sink<'a> for Walk {
    fn alias(&mut self, _name: &'a str, mark: Mark) -> Result<(), Error> {
        self.odd = Some((mark.line, "aliases cannot be sealed"));
        Ok(())
    }

    fn scalar(&mut self, properties: Properties<'a>, scalar: Scalar<'a>, mark: Mark) -> Result<(), Error> {
        if matches!(self.frames.last(), Some(Frame::Map(true))) {
            self.key(&scalar.text, mark);
            return Ok(());
        }
        let plain = scalar.style == Style::Plain && properties.tag.is_empty();
        let meaning = if plain { kpkg_yaml::resolve_core(&scalar.text) } else { Resolved::String };
        if meaning != Resolved::Null && !self.in_section() {
            let (path, text) = (self.path.clone(), scalar.text.into_owned());
            self.leaves.push(Leaf { path, text, meaning, start: mark.offset });
        }
        self.done();
        Ok(())
    }

    fn begin_sequence(&mut self, _properties: Properties<'a>, mark: Mark) -> Result<(), Error> {
        self.begin(Frame::List, mark);
        Ok(())
    }

    fn begin_mapping(&mut self, _properties: Properties<'a>, mark: Mark) -> Result<(), Error> {
        self.begin(Frame::Map(true), mark);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.frames.pop();
        self.done();
        Ok(())
    }
}
