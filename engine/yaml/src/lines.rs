//! Documents as people and programs mostly write them, read line by line.
//!
//! Block collections, scalars in one line, plain ones in several, literal blocks, flow collections in one line: that
//! is nearly all YAML there is, and it needs no tokens, no queue of them and no look back. Whatever else stands
//! there (anchors, tags, folded blocks, tabs, mistakes) makes [`document`] give up; the caller starts anew with
//! [`Parser`](crate::Parser), whose reading and whose errors count. What is read here means what it means there.

use std::borrow::Cow;

use crate::error::Error;
use crate::parser::{Properties, Scalar, Sink};
use crate::scanner::{Mark, Style};

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

    // === lines ===

    /// Where the line ends that begins, or goes on, at a place.
    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |length| at + length)
    }

    /// Steps to the next line that is neither blank nor a comment.
    fn line(&mut self) -> Step<Option<Line>> {
        loop {
            let (line, blank) = self.peek();
            let Some(line) = line else { return Ok(None) };
            self.step_over(line, blank);
            match self.bytes[line.start] {
                b'#' => {}
                b'\t' => return Err(Beyond),
                b'-' | b'.' | b'%' if line.indent == 0 && is_marker(&self.bytes[line.start..line.end]) => {
                    return Err(Beyond);
                }
                _ => return Ok(Some(line)),
            }
        }
    }

    /// The next line that is not blank, left in place, and how many blank ones stand before it.
    fn peek(&mut self) -> (Option<Line>, usize) {
        let (place, line, blank) = self.ahead;
        if place == self.next {
            return (line, blank);
        }
        let (line, blank) = self.look_ahead();
        self.ahead = (self.next, line, blank);
        (line, blank)
    }

    fn look_ahead(&self) -> (Option<Line>, usize) {
        let (mut at, mut blank) = (self.next, 0);
        while at < self.bytes.len() {
            let indent = spaces(&self.bytes[at..]);
            let start = at + indent;
            let end = self.line_end(start);
            if end > start {
                return (Some(Line { indent, start, end }), blank);
            }
            blank += 1;
            at = end + 1;
        }
        (None, blank)
    }

    /// Makes a line ahead the one that is being read.
    fn step_over(&mut self, line: Line, blank: usize) {
        self.begin = line.start - line.indent;
        self.next = line.end + 1;
        self.number += blank + 1;
    }

    /// A place on the line that is being read.
    fn mark(&self, offset: usize) -> Mark {
        Mark { offset, line: self.number.saturating_sub(1), column: offset - self.begin }
    }

    /// A part of the text without the spaces at its end.
    fn trimmed(&self, start: usize, end: usize) -> &'a str {
        let blank = self.bytes[start..end].iter().rev().take_while(|byte| **byte == b' ').count();
        &self.text[start..end - blank]
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
        if self.bytes[start] == b'-' && matches!(self.bytes.get(start + 1), None | Some(b' ' | b'\n')) {
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
            b'"' | b'\'' => {
                // It may end on another line; a key may not.
                let Ok((text, after)) = self.quoted(start, end) else { return Ok(None) };
                let colon = after + spaces(&self.bytes[after..end]);
                Ok((colon < end && is_colon(colon)).then_some((text, Style::Quoted, colon + 1)))
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
            b'-' | b'?' | b':' => self.bytes[..end].get(at + 1).is_some_and(|next| *next != b' '),
            _ => !b",[]{}#&*!|>'\"%@`".contains(&byte),
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
            b'"' | b'\'' => {
                let mark = self.mark(start);
                let (text, after, end) = match self.quoted(start, end) {
                    Ok((text, after)) => (text, after, end),
                    Err(Beyond) => self.quoted_lines(start, end)?,
                };
                self.nothing_more(after, end)?;
                self.scalar(text, Style::Quoted, mark)
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

    fn plain_value(&mut self, start: usize, end: usize) -> Step {
        let plain = self.plain(start, end)?;
        if plain.colon.is_some() {
            return Err(Beyond);
        }
        let first = self.trimmed(start, plain.end);
        let mark = self.mark(start);
        if plain.end == end && self.goes_on()? {
            return self.plain_lines(first, mark);
        }
        self.scalar(first.into(), Style::Plain, mark)
    }

    /// Whether the next line belongs to the plain scalar of this one.
    fn goes_on(&mut self) -> Step<bool> {
        let indent = self.top()?.indent;
        match self.peek().0 {
            Some(next) if self.bytes[next.start] == b'\t' => Err(Beyond),
            Some(next) => Ok(next.indent > indent && self.bytes[next.start] != b'#'),
            None => Ok(false),
        }
    }

    /// A plain scalar over several lines: one break becomes a space, more stay but one.
    fn plain_lines(&mut self, first: &'a str, mark: Mark) -> Step {
        let is_wanted = !self.sink.is_skipping();
        let mut text = String::new();
        if is_wanted {
            text.push_str(first);
        }
        while self.goes_on()? {
            let (Some(line), blank) = self.peek() else { return Err(Beyond) };
            let plain = self.plain(line.start, line.end)?;
            if plain.colon.is_some() || plain.end != line.end {
                return Err(Beyond);
            }
            if is_wanted {
                if blank == 0 {
                    text.push(' ');
                }
                text.extend(std::iter::repeat_n('\n', blank));
                text.push_str(self.trimmed(line.start, line.end));
            }
            self.step_over(line, blank);
        }
        if is_wanted {
            return self.scalar(text.into(), Style::Plain, mark);
        }
        self.unread_scalar(mark)
    }

    /// A scalar whose text nobody looks at, and that is no null.
    fn unread_scalar(&mut self, mark: Mark) -> Step {
        self.scalar("".into(), Style::Quoted, mark)
    }

    /// A scalar in quotes that ends on its line, and what follows it.
    fn quoted(&self, start: usize, end: usize) -> Step<(Cow<'a, str>, usize)> {
        let quote = self.bytes[start];
        let inner = start + 1;
        let stop = inner + memchr::memchr2(quote, b'\\', &self.bytes[inner..end]).ok_or(Beyond)?;
        if self.bytes[stop] == quote && (quote == b'"' || self.bytes[..end].get(stop + 1) != Some(&b'\'')) {
            return Ok((Cow::Borrowed(&self.text[inner..stop]), stop + 1));
        }
        let mut text = String::new();
        let after = self.unquote(quote, inner, end, &mut text)?.ok_or(Beyond)?;
        Ok((text.into(), after))
    }

    /// Adds what stands in quotes to a text, up to the closing one or the line's end; gives what follows the former.
    fn unquote(&self, quote: u8, start: usize, end: usize, text: &mut String) -> Step<Option<usize>> {
        let (mut from, mut at) = (start, start);
        while at < end {
            match (self.bytes[at], self.bytes[..end].get(at + 1)) {
                (b'\'', Some(b'\'')) if quote == b'\'' => {
                    text.push_str(&self.text[from..=at]);
                    at += 2;
                    from = at;
                }
                (b'\\', escaped) if quote == b'"' => {
                    text.push_str(&self.text[from..at]);
                    text.push(match escaped {
                        Some(b'"') => '"',
                        Some(b'\\') => '\\',
                        Some(b'/') => '/',
                        Some(b'n') => '\n',
                        Some(b't') => '\t',
                        _ => return Err(Beyond),
                    });
                    at += 2;
                    from = at;
                }
                (byte, _) if byte == quote => {
                    text.push_str(&self.text[from..at]);
                    return Ok(Some(at + 1));
                }
                _ => at += 1,
            }
        }
        text.push_str(&self.text[from..end]);
        Ok(None)
    }

    /// A scalar in quotes over several lines, what follows it on the last one, and where that ends. Lines fold as those
    /// of plain scalars do, however they are indented.
    fn quoted_lines(&mut self, start: usize, end: usize) -> Step<(Cow<'a, str>, usize, usize)> {
        let quote = self.bytes[start];
        let mut text = String::new();
        let mut line = Line { indent: 0, start: start + 1, end };
        loop {
            if memchr::memchr(b'\t', &self.bytes[line.start..line.end]).is_some() {
                return Err(Beyond);
            }
            let end = line.start + self.trimmed(line.start, line.end).len();
            if let Some(after) = self.unquote(quote, line.start, end, &mut text)? {
                return Ok((text.into(), after, line.end));
            }
            let (Some(next), blank) = self.peek() else { return Err(Beyond) };
            if next.indent == 0 && is_marker(&self.bytes[next.start..next.end]) {
                return Err(Beyond);
            }
            if blank == 0 {
                text.push(' ');
            }
            text.extend(std::iter::repeat_n('\n', blank));
            self.step_over(next, blank);
            line = next;
        }
    }

    /// A literal block.
    fn literal(&mut self, start: usize, end: usize) -> Step {
        let keep = match self.bytes[..end].get(start + 1) {
            Some(b'-') => Some(false),
            Some(b'+') => Some(true),
            _ => None,
        };
        self.nothing_more(start + 1 + usize::from(keep.is_some()), end)?;
        let mark = self.mark(start);
        let outer = self.top()?.indent;
        let (Some(first), blank) = self.peek() else { return Err(Beyond) };
        let indent = first.indent;
        if self.bytes[first.start] == b'\t' || self.has_deeper_blank(blank, indent.max(outer)) {
            return Err(Beyond);
        }
        if indent <= outer {
            let breaks = if keep == Some(true) { blank } else { 0 };
            return self.scalar("\n".repeat(breaks).into(), Style::Block, mark);
        }
        let is_wanted = !self.sink.is_skipping();
        let mut text = String::new();
        // Breaks of blank lines are part of the text if more of it follows.
        let mut breaks = 0;
        let mut is_broken = false;
        while self.next < self.bytes.len() {
            let begin = self.next;
            let line_indent = spaces(&self.bytes[begin..]);
            let line_end = self.line_end(begin + line_indent);
            let is_blank = line_end == begin + line_indent;
            if line_indent < indent && !is_blank {
                if self.bytes[begin + line_indent] == b'\t' {
                    return Err(Beyond);
                }
                break;
            }
            self.next = line_end + 1;
            self.number += 1;
            if is_blank && line_indent <= indent {
                breaks += usize::from(line_end < self.bytes.len());
                continue;
            }
            if is_wanted {
                text.extend(std::iter::repeat_n('\n', breaks));
                text.push_str(&self.text[begin + indent..line_end]);
            }
            is_broken = line_end < self.bytes.len();
            breaks = usize::from(is_broken);
        }
        if !is_wanted {
            return self.unread_scalar(mark);
        }
        match keep {
            Some(false) => {}
            None => text.extend(is_broken.then_some('\n')),
            Some(true) => text.extend(std::iter::repeat_n('\n', breaks)),
        }
        self.scalar(text.into(), Style::Block, mark)
    }

    /// Whether one of the blank lines ahead has more spaces than the text behind them.
    fn has_deeper_blank(&self, blank: usize, indent: usize) -> bool {
        let lines = self.bytes[self.next..].split(|byte| *byte == b'\n');
        lines.take(blank).any(|line| line.len() > indent)
    }

    // === flow ===

    /// A node of a flow collection, or one such collection, on one line; gives what follows.
    fn flow(&mut self, start: usize, end: usize, depth: usize) -> Step<usize> {
        if depth > MAX_DEPTH {
            return Err(Beyond);
        }
        let close = match self.bytes[..end].get(start) {
            Some(b'[') => {
                let mark = self.mark(start);
                self.sink.begin_sequence(Properties::default(), mark)?;
                b']'
            }
            Some(b'{') => {
                let mark = self.mark(start);
                self.sink.begin_mapping(Properties::default(), mark)?;
                b'}'
            }
            Some(_) => return self.flow_scalar(start, end),
            None => return Err(Beyond),
        };
        let mut at = self.after_spaces(start + 1, end);
        while self.bytes[..end].get(at) != Some(&close) {
            if close == b'}' {
                let colon = self.flow_scalar(at, end)?;
                let colon = self.after_spaces(colon, end);
                if self.bytes[..end].get(colon..colon + 2) != Some(b": ") {
                    return Err(Beyond);
                }
                at = self.after_spaces(colon + 1, end);
            }
            at = self.flow(at, end, depth + 1)?;
            at = self.after_spaces(at, end);
            match self.bytes[..end].get(at) {
                Some(b',') => at = self.after_spaces(at + 1, end),
                Some(byte) if *byte == close => {}
                _ => return Err(Beyond),
            }
        }
        self.sink.end()?;
        Ok(at + 1)
    }

    fn after_spaces(&self, at: usize, end: usize) -> usize {
        at + spaces(&self.bytes[at..end])
    }

    fn flow_scalar(&mut self, start: usize, end: usize) -> Step<usize> {
        let mark = self.mark(start);
        let first = self.bytes[..end].get(start).copied().ok_or(Beyond)?;
        let (text, style, after) = if matches!(first, b'"' | b'\'') {
            let (text, after) = self.quoted(start, end)?;
            (text, Style::Quoted, after)
        } else {
            if !(first.is_ascii_alphanumeric() || matches!(first, b'_' | b'.' | b'/' | b'$' | b'-' | b'+')) {
                return Err(Beyond);
            }
            let stop = |byte: &u8| matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b':' | b'#' | b'?' | b'\t');
            let length = self.bytes[start..end].iter().position(stop).ok_or(Beyond)?;
            let text = self.trimmed(start, start + length);
            if text == "-" || text.starts_with("- ") {
                return Err(Beyond);
            }
            (text.into(), Style::Plain, start + length)
        };
        let implicit = style == Style::Plain;
        self.sink.scalar(Properties::default(), Scalar { text, style, implicit }, mark)?;
        Ok(after)
    }
}

/// How many spaces stand at the beginning.
fn spaces(bytes: &[u8]) -> usize {
    let mut count = 0;
    // Eight at a time: deep documents are a third spaces.
    while let Some(chunk) = bytes[count..].first_chunk::<8>() {
        let other = u64::from_le_bytes(*chunk) ^ 0x2020_2020_2020_2020;
        if other != 0 {
            return count + other.trailing_zeros() as usize / 8;
        }
        count += 8;
    }
    count + bytes[count..].iter().take_while(|byte| **byte == b' ').count()
}

/// Whether a line begins or ends a document, or is a directive.
fn is_marker(line: &[u8]) -> bool {
    line.starts_with(b"---") || line.starts_with(b"...") || line.starts_with(b"%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::Parser;

    /// What a sink was told, a line a node.
    #[derive(Default)]
    struct Told(Vec<String>);

    impl Told {
        fn tell(&mut self, what: impl std::fmt::Debug, mark: Mark) -> Result<(), Error> {
            self.0.push(format!("{} {what:?}", mark.line));
            Ok(())
        }
    }

    impl<'a> Sink<'a> for Told {
        fn alias(&mut self, name: &'a str, mark: Mark) -> Result<(), Error> {
            self.tell(name, mark)
        }

        fn scalar(&mut self, _: Properties<'a>, scalar: Scalar<'a>, mark: Mark) -> Result<(), Error> {
            self.tell((scalar.text, scalar.style, scalar.implicit), mark)
        }

        fn begin_sequence(&mut self, _: Properties<'a>, mark: Mark) -> Result<(), Error> {
            self.tell("[", mark)
        }

        fn begin_mapping(&mut self, _: Properties<'a>, mark: Mark) -> Result<(), Error> {
            self.tell("{", mark)
        }

        fn end(&mut self) -> Result<(), Error> {
            self.tell("end", Mark::default())
        }
    }

    /// Whether a text is read line by line; if it is, the parser must tell the same.
    fn is_read(text: &str) -> bool {
        let mut ours = Told::default();
        if !document(text, &mut ours) {
            return false;
        }
        let mut theirs = Told::default();
        let read = Parser::new(text).document(&mut theirs);
        assert_eq!(ours.0, theirs.0, "{text:?}: {read:?}");
        assert!(read.is_ok_and(|read| read), "{text:?} is wrong");
        true
    }

    #[test]
    fn reads_what_is_common() {
        let texts = [
            "a: 1\n",
            "---\na: b\nc:\nd: e # x\n# y\n\nf:\n  # z\n  g: h",
            "a:\n- b\n- c: d\n  e: f\n-\n- - g\n  - h\ni: j\n",
            "a:\n  - b\n  -   c: d\n      e:\n      - f\ng:\n",
            "- a\n- b: c\n- |\n  d\n",
            "a: |\n  b\n\n   c \ne: |-\n    f\n   \n\n     g\n\nh: |+\n i\n\n\n# j\n",
            "a: |\n  b\n  \tc\n    \nd: |-\n  e",
            "a: b\n  c\n\n\n  d",
            "a: 'b''c' # d\n\"e\": \"f\\n\\\"g\"\n'h' : i\n",
            "a: []\nb: {}\nc: [d, \"e\", {f: g, 'h': [1]}, ] # i\n",
            "a b: c d\ne:f: g\nh: -i\nj: http://k:1#l\nm: '#'\n",
            "  a: 1\n  b:\n   c: 2\n",
            "a:\n  \"b\"\nc:\n  d\n",
            "a: 'b\n  c''d  \n\n\n e' # f\ng: \" h\\n \n i \"\n",
            "a: |\nb: |+\n\n# d\nc: |-\n  # e\n",
            "{a: [b, c]}\n",
            "[]",
        ];
        for text in texts {
            assert!(is_read(text), "{text:?}");
        }
    }

    #[test]
    fn leaves_the_rest_to_the_parser() {
        let texts = [
            "a: &b c\n",
            "a: *b\n",
            "a: !c d\n",
            "a: >\n  b\n",
            "a: |2\n   b\n",
            "a: [b,\n  c]\n",
            "a: \"b\n---\nc\"\n",
            "a:\tb\n",
            "? a\n: b\n",
            "a: b: c\n",
            "a: b\n c: d\n",
            "a: b # c\n  d\n",
            "a:\n    b: 1\n  c: 2\n",
            "a: 1\n- b\n",
            "a: 1\n---\nb: 2\n",
            " a: 1\nb: 2\n",
            "a\n",
            "",
            "a: [b: c]\n",
            "{a: b}\nc\n",
            "a: \"b\\\n  c\"\n",
        ];
        for text in texts {
            assert!(!is_read(text), "{text:?}");
        }
    }

    /// Texts of likely and unlikely pieces, at likely and unlikely places.
    #[test]
    fn agrees_with_the_parser() {
        const PIECES: &[&str] = &[
            "a: b",
            "c:",
            "- d",
            "-",
            "- e: f",
            "# g",
            "",
            "   ",
            "h",
            "i: |",
            "j: |-",
            "k: |+",
            "- |",
            "l: 'm'",
            "\"n\": o # p",
            "q: [r, s]",
            "t: {u: v}",
            "- - w",
            "x: \"y",
            "z\"",
            "a b: c: d",
            "e: #f",
            "g #h: i",
            "j: k #l",
            "'m' n: o",
            "--- p",
            "...",
            "\tq: r",
            "s:\tt",
            "u: {}",
            "v: []x",
            "- w # x",
            "y: -",
            "z: - a",
            "b: ? c",
            "? d",
            ": e",
            "- \"f\": g",
            "h: ''",
            "i: 'j''k'",
            "l: \"\\\"\"",
            "m: \"\\x41\"",
            "n: |x",
            "o: | # p",
            "-q",
            "r:s",
            "t: u:",
            "- v:",
            "w: x  ",
            "y : z",
            "- []",
            "a: [b, [c]]",
            "d: {e: [f]}",
            "g: [,]",
            "k: 'l",
            "m'",
            "- 'n''",
            "o''p' # q",
            "r: \"s\\",
            "t \\\" u\"",
            "v: \"w \\n  ",
            "h: [i j, k]",
            "l: [m,]",
        ];
        let mut seed = 1_u64;
        let mut random = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap_or(0) % bound
        };
        let mut read = 0;
        for _ in 0..200_000 {
            let mut text = String::new();
            let mut indent = 0_usize;
            for _ in 0..=random(6) {
                indent = match random(5) {
                    0 => indent + 2,
                    1 => indent + 1,
                    2 => indent.saturating_sub(2),
                    3 => 0,
                    _ => indent,
                };
                text.push_str(&" ".repeat(indent));
                text.push_str(PIECES[random(PIECES.len())]);
                text.push('\n');
            }
            if random(4) == 0 {
                text.pop();
            }
            read += usize::from(is_read(&text));
        }
        assert!(read > 10_000, "only {read} texts were read line by line");
    }
}
