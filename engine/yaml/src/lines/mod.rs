//! Documents as people and programs mostly write them, read line by line.
//!
//! Block collections, scalars in one line, plain ones in several, literal blocks, flow collections in one line: that
//! is nearly all YAML there is, and it needs no tokens, no queue of them and no look back. Whatever else stands
//! there (anchors, tags, folded blocks, tabs, mistakes) makes [`document`] give up; the caller starts anew with
//! [`Parser`](crate::Parser), whose reading and whose errors count. What is read here means what it means there.
//! Values that the sink leaves out are only checked ([`skip`]).

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
use first::First;
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

/// A line with something on it: where that begins.
#[derive(Clone, Copy)]
struct Line {
    indent: usize,
    start: usize,
}

struct Lines<'a, 's, S> {
    text: &'a str,
    bytes: &'a [u8],
    /// Where the next line begins, once the one that is being read has been understood.
    next: usize,
    /// How many lines stand before it.
    number: usize,
    /// Where the line begins that is being read.
    begin: usize,
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
        while let Some((column, start)) = self.line()? {
            self.close_below(column)?;
            self.node(column, start)?;
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
    fn node(&mut self, column: usize, start: usize) -> Step {
        if self.is_item(start) {
            return self.item(column, start);
        }
        let first = First::of(self.bytes[start]);
        if self.is_plain(first, start) {
            let stop = self.plain_stop(start)?;
            if self.bytes.get(stop) == Some(&b':') {
                return self.key(column, self.trimmed(start, stop).into(), Style::Plain, start, stop + 1);
            }
        } else if first == First::Quote
            && let Some((text, after)) = self.quoted(start)?
        {
            let colon = after + spaces(&self.bytes[after..]);
            if self.is_colon(colon) {
                return self.key(column, text, Style::of_quote(self.bytes[start]), start, colon + 1);
            }
        }
        match self.open.last() {
            Some(top) if top.waits && top.indent < column => self.value(start),
            None if !self.begun && first == First::Flow => {
                self.begun = true;
                self.flow_line(start)
            }
            _ => Err(Beyond),
        }
    }

    fn item(&mut self, column: usize, start: usize) -> Step {
        self.enter(true, column, self.mark(start))?;
        self.top()?.waits = true;
        let inner = start + 1 + spaces(&self.bytes[start + 1..]);
        match self.bytes.get(inner) {
            None | Some(b'\n' | b'#') => {
                self.next = self.line_end(inner) + 1;
                Ok(())
            }
            Some(_) => self.node(column + inner - start, inner),
        }
    }

    /// A key, and what follows its colon.
    fn key(&mut self, column: usize, text: Cow<'a, str>, style: Style, start: usize, after: usize) -> Step {
        if after - start > MAX_KEY {
            return Err(Beyond);
        }
        let mark = self.mark(start);
        self.enter(false, column, mark)?;
        let implicit = style == Style::Plain;
        self.sink.scalar(Properties::default(), Scalar { text, style, implicit }, mark)?;
        self.top()?.waits = true;
        if self.sink.is_skipping() { self.skip(column, after) } else { self.value(after) }
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: Style, mark: Mark) -> Step {
        let implicit = style == Style::Plain;
        self.sink.scalar(Properties::default(), Scalar { text, style, implicit }, mark)?;
        self.top()?.waits = false;
        Ok(())
    }

    /// The value of a key or dash, on the same line or the next.
    fn value(&mut self, after: usize) -> Step {
        let (start, first) = self.first(after);
        match first {
            First::Break => {
                self.next = start + 1;
                Ok(())
            }
            First::Comment => {
                self.next = self.line_end(start) + 1;
                Ok(())
            }
            First::Quote => {
                let mark = self.mark(start);
                let (text, after) = match self.quoted(start)? {
                    Some(quoted) => quoted,
                    None => self.quoted_lines(start)?,
                };
                self.end_line(after)?;
                self.scalar(text, Style::of_quote(self.bytes[start]), mark)
            }
            First::Flow => {
                self.flow_line(start)?;
                self.top()?.waits = false;
                Ok(())
            }
            First::Block if self.bytes[start] == b'|' => self.literal(start),
            _ if self.is_plain(first, start) => self.plain_value(start),
            _ => Err(Beyond),
        }
    }

    /// Where something begins from a place on, and what.
    #[inline]
    fn first(&self, after: usize) -> (usize, First) {
        // Mostly one: not worth a look at sixteen.
        let start = after + self.bytes[after..].iter().take_while(|byte| **byte == b' ').count();
        (start, self.bytes.get(start).map_or(First::Break, |byte| First::of(*byte)))
    }

    /// Whether a dash stands at a place.
    fn is_item(&self, start: usize) -> bool {
        self.bytes[start] == b'-' && matches!(self.bytes.get(start + 1), None | Some(b' ' | b'\n'))
    }

    /// Whether a colon that ends a key stands at a place.
    fn is_colon(&self, at: usize) -> bool {
        self.bytes.get(at) == Some(&b':') && matches!(self.bytes.get(at + 1), None | Some(b' ' | b'\n'))
    }

    /// What follows a value on its line: blanks, or a comment.
    fn end_line(&mut self, after: usize) -> Step {
        let rest = after + spaces(&self.bytes[after..]);
        self.next = match self.bytes.get(rest) {
            None | Some(b'\n') => rest,
            Some(b'#') if rest > after => self.line_end(rest),
            Some(_) => return Err(Beyond),
        } + 1;
        Ok(())
    }
}
