//! Documents as people and programs mostly write them, read line by line.
//!
//! Block collections, scalars in one line, plain ones in several, literal blocks, flow collections in one line: that
//! is nearly all YAML there is, and it needs no tokens, no queue of them and no look back. Whatever else stands
//! there (anchors, tags, folded blocks, tabs, mistakes) makes [`document`] give up; the caller starts anew with
//! [`Parser`](crate::Parser), whose reading and whose errors count. What is read here means what it means there.

mod first;
mod flow;
mod scalars;
mod skip;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use std::borrow::Cow;

use crate::error::Error;
use crate::parser::{Properties, Scalar, Sink};
use crate::scanner::{Mark, Style};
use text::spaces;

/// Deeper documents are left to the parser, which knows the limits.
const MAX_DEPTH: usize = 100;
/// A longer key is none.
const MAX_KEY: usize = 1000;

/// Sends the nodes of a text to the sink; `false` if that must be done anew, by the parser. The text's line breaks must
/// all be `\n`.
pub(crate) fn document<'a>(text: &'a str, sink: &mut impl Sink<'a>) -> bool {
    Lines {
        text,
        bytes: text.as_bytes(),
        next: 0,
        number: 0,
        begin: 0,
        ahead: (usize::MAX, None, 0),
        begun: false,
        open: Vec::new(),
        skipped: Vec::new(),
        sink,
    }
    .run()
    .is_ok()
}

/// Something stands there that only the parser understands, or can explain.
struct Beyond;

type Step<T = ()> = Result<T, Beyond>;

impl From<Error> for Beyond {
    fn from(_: Error) -> Self {
        Self
    }
}

/// An open collection.
struct Level {
    kind: Kind,
    /// The column of its keys or dashes.
    indent: usize,
    /// Whether a key or a dash still lacks its value.
    waits: bool,
    /// Where the last key or dash stands.
    mark: Mark,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mapping,
    Sequence,
    /// A sequence whose dashes stand below the key that it belongs to.
    Indentless,
}

/// A line with something on it: where that begins and ends in the text.
#[derive(Clone, Copy)]
struct Line {
    indent: usize,
    start: usize,
    end: usize,
}

/// What a scalar's text ends with.
struct Plain {
    /// A colon that makes a key of what stands before.
    colon: Option<usize>,
    /// Where a comment begins, or the line ends.
    end: usize,
}

struct Lines<'a, 's, S> {
    text: &'a str,
    bytes: &'a [u8],
    /// Where the next line begins.
    next: usize,
    /// How many lines stand before it.
    number: usize,
    /// Where the line begins that is being read.
    begin: usize,
    /// What [`Lines::peek`] found, and where the next line began then.
    ahead: (usize, Option<Line>, usize),
    /// Whether the document's own collection has been opened.
    begun: bool,
    open: Vec<Level>,
    /// The open collections of what is skipped: their columns and kinds.
    skipped: Vec<(usize, Kind)>,
    sink: &'s mut S,
}

impl<'a, S: Sink<'a>> Lines<'a, '_, S> {
    fn run(&mut self) -> Step {
        if self.bytes.starts_with(b"---\n") {
            (self.next, self.number) = (4, 1);
        }
        while let Some(line) = self.line()? {
            self.close_below(line.indent)?;
            self.node(line.indent, line.start, line.end)?;
        }
        while !self.open.is_empty() {
            self.close()?;
        }
        if self.begun { Ok(()) } else { Err(Beyond) }
    }

    // === collections ===

    fn top(&mut self) -> Step<&mut Level> {
        self.open.last_mut().ok_or(Beyond)
    }

    /// Opens a collection as the value that is waited for.
    fn open(&mut self, kind: Kind, indent: usize, mark: Mark) -> Step {
        if self.open.len() >= MAX_DEPTH {
            return Err(Beyond);
        }
        match kind {
            Kind::Mapping => self.sink.begin_mapping(Properties::default(), mark)?,
            _ => self.sink.begin_sequence(Properties::default(), mark)?,
        }
        self.open.push(Level { kind, indent, waits: false, mark });
        Ok(())
    }

    /// Closes the innermost collection: the value of the one around it.
    fn close(&mut self) -> Step {
        self.fill()?;
        self.sink.end()?;
        self.open.pop();
        if let Some(outer) = self.open.last_mut() {
            outer.waits = false;
        }
        Ok(())
    }

    /// Closes what stands deeper than a column.
    fn close_below(&mut self, column: usize) -> Step {
        while self.open.last().is_some_and(|level| level.indent > column) {
            self.close()?;
        }
        Ok(())
    }

    /// A key or dash without a value has null.
    fn fill(&mut self) -> Step {
        let Level { waits, mark, .. } = *self.top()?;
        if waits { self.scalar("".into(), Style::Plain, mark) } else { Ok(()) }
    }

    /// Finds, or opens, the collection whose key or dash stands in a column, for its next entry.
    fn enter(&mut self, is_item: bool, column: usize, mark: Mark) -> Step {
        let kind = if is_item { Kind::Sequence } else { Kind::Mapping };
        match self.open.last() {
            None if self.begun => return Err(Beyond),
            None => {
                self.begun = true;
                self.open(kind, column, mark)?;
            }
            Some(top) if top.indent < column && !top.waits => return Err(Beyond),
            Some(top) if top.indent < column => self.open(kind, column, mark)?,
            Some(top) => match (top.kind, is_item) {
                (Kind::Mapping, true) if top.waits => self.open(Kind::Indentless, column, mark)?,
                (Kind::Sequence | Kind::Indentless, true) | (Kind::Mapping, false) => self.fill()?,
                (Kind::Indentless, false) => self.close()?,
                _ => return Err(Beyond),
            },
        }
        self.top()?.mark = mark;
        Ok(())
    }

    // === nodes ===

    /// What stands on a line from some column on: an item, a key with its value, or a scalar.
    fn node(&mut self, column: usize, start: usize, end: usize) -> Step {
        if self.is_item(start) {
            return self.item(column, start, end);
        }
        match self.key(start, end)? {
            Some((key, style, after)) => {
                if after - start > MAX_KEY {
                    return Err(Beyond);
                }
                let mark = self.mark(start);
                self.enter(false, column, mark)?;
                let implicit = style == Style::Plain;
                self.sink.scalar(Properties::default(), Scalar { text: key, style, implicit }, mark)?;
                self.top()?.waits = true;
                if self.sink.is_skipping() {
                    return self.skip(column, after);
                }
                let value = after + spaces(&self.bytes[after..end]);
                if value == end || self.bytes[value] == b'#' { Ok(()) } else { self.value(value, end) }
            }
            None => match self.open.last() {
                Some(top) if top.waits && top.indent < column => self.value(start, end),
                None if !self.begun && matches!(self.bytes[start], b'{' | b'[') => {
                    self.begun = true;
                    let after = self.flow(start, end, 0)?;
                    self.nothing_more(after, end)
                }
                _ => Err(Beyond),
            },
        }
    }

    /// Whether a dash stands at a place.
    fn is_item(&self, start: usize) -> bool {
        self.bytes[start] == b'-' && matches!(self.bytes.get(start + 1), None | Some(b' ' | b'\n'))
    }

    fn item(&mut self, column: usize, start: usize, end: usize) -> Step {
        self.enter(true, column, self.mark(start))?;
        self.top()?.waits = true;
        let inner = start + 1 + spaces(&self.bytes[start + 1..end]);
        match self.bytes[..end].get(inner) {
            None | Some(b'#') => Ok(()),
            Some(b'\t') => Err(Beyond),
            Some(_) => self.node(column + inner - start, inner, end),
        }
    }

    /// The key at a place, if there is one, and what follows its colon.
    fn key(&self, start: usize, end: usize) -> Step<Option<(Cow<'a, str>, Style, usize)>> {
        let is_colon =
            |at: usize| self.bytes.get(at) == Some(&b':') && matches!(self.bytes[..end].get(at + 1), None | Some(b' '));
        match self.bytes[start] {
            quote @ (b'"' | b'\'') => {
                // It may end on another line; a key may not.
                let Ok((text, after)) = self.quoted(start, end) else { return Ok(None) };
                let colon = after + spaces(&self.bytes[after..end]);
                Ok((colon < end && is_colon(colon)).then_some((text, Style::of_quote(quote), colon + 1)))
            }
            b'{' | b'[' | b'|' => Ok(None),
            byte if !self.starts_plain(byte, start, end) => Err(Beyond),
            _ => {
                let plain = self.plain(start, end)?;
                let text = |colon: usize| Cow::Borrowed(self.trimmed(start, colon));
                Ok(plain.colon.map(|colon| (text(colon), Style::Plain, colon + 1)))
            }
        }
    }

    /// Whether a plain scalar may begin with a character.
    fn starts_plain(&self, byte: u8, at: usize, end: usize) -> bool {
        match byte {
            b'-' | b'?' | b':' => self.bytes[..end].get(at + 1).is_some_and(|next| !matches!(next, b' ' | b'\n')),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`' => false,
            _ => true,
        }
    }

    /// How far a plain scalar goes on its line.
    fn plain(&self, start: usize, end: usize) -> Step<Plain> {
        let bytes = &self.bytes[start..end];
        for at in memchr::memchr3_iter(b':', b'#', b'\t', bytes) {
            match bytes[at] {
                b':' if matches!(bytes.get(at + 1), None | Some(b' ')) => {
                    return Ok(Plain { colon: Some(start + at), end });
                }
                b'#' if at > 0 && bytes[at - 1] == b' ' => return Ok(Plain { colon: None, end: start + at }),
                b'\t' => return Err(Beyond),
                _ => {}
            }
        }
        Ok(Plain { colon: None, end })
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: Style, mark: Mark) -> Step {
        let implicit = style == Style::Plain;
        self.sink.scalar(Properties::default(), Scalar { text, style, implicit }, mark)?;
        self.top()?.waits = false;
        Ok(())
    }

    /// The value of a key or dash, on the same line or the next.
    fn value(&mut self, start: usize, end: usize) -> Step {
        match self.bytes[start] {
            quote @ (b'"' | b'\'') => {
                let mark = self.mark(start);
                let (text, after, end) = match self.quoted(start, end) {
                    Ok((text, after)) => (text, after, end),
                    Err(Beyond) => self.quoted_lines(start, end)?,
                };
                self.nothing_more(after, end)?;
                self.scalar(text, Style::of_quote(quote), mark)
            }
            b'{' | b'[' => {
                let after = self.flow(start, end, 0)?;
                self.nothing_more(after, end)?;
                self.top()?.waits = false;
                Ok(())
            }
            b'|' => self.literal(start, end),
            byte if self.starts_plain(byte, start, end) => self.plain_value(start, end),
            _ => Err(Beyond),
        }
    }

    /// Behind a value a line holds nothing but blanks and a comment.
    fn nothing_more(&self, at: usize, end: usize) -> Step {
        let rest = at + spaces(&self.bytes[at..end]);
        if rest == end || rest > at && self.bytes[rest] == b'#' { Ok(()) } else { Err(Beyond) }
    }
}
