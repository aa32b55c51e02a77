//! Values that nobody asked for: checked as strictly as any, in one pass, and nothing is kept of them.
//!
//! Most of what a chart renders is read only to learn that it is YAML, and of what kind. So this sees no nodes and
//! builds no texts; it knows the columns of the open collections, and what the line before leaves open. What is refused
//! here may still be right: the parser has the last word, as everywhere in [`super`].

use super::first::First;
use super::text::spaces;
use super::{Beyond, Kind, Lines, MAX_DEPTH, MAX_KEY, Step};
use crate::parser::{Properties, Sink};
use crate::resolve::{Resolved, resolve};

/// What a line leaves to the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing: the last value is complete.
    Nothing,
    /// A key or a dash without a value yet.
    Value,
    /// A plain scalar, which goes on if the next line stands deeper.
    Plain,
}

impl<'a, S: Sink<'a>> Lines<'a, '_, S> {
    /// Steps over the value of a key of the mapping at some column; `after` is where the key's colon ends.
    pub(super) fn skip(&mut self, column: usize, after: usize) -> Step {
        // The sink still gets the flow collections inside: as items of something that it leaves out.
        self.sink.begin_sequence(Properties::default(), self.mark(after))?;
        self.skipped.clear();
        self.skipped.push((column, Kind::Mapping));
        let mut left = self.skip_value(after)?;
        while let Some(rest) = self.bytes.get(self.next..) {
            let indent = spaces(rest);
            let start = self.next + indent;
            let Some(&byte) = self.bytes.get(start) else { break };
            match First::of(byte) {
                First::Break => self.next = start + 1,
                First::Comment => {
                    self.next = self.line_end(start) + 1;
                    if left == Left::Plain {
                        left = Left::Nothing;
                    }
                }
                _ if byte == b'\t' => return Err(Beyond),
                first if left == Left::Plain && indent > self.skipped_top()?.0 => {
                    left = self.skip_plain(start, self.plain_stop(start)?, first)?;
                }
                first if indent > column || indent == column && self.is_item(start) => {
                    left = self.skip_line(indent, start, first, left)?;
                }
                _ => break,
            }
            self.number += 1;
        }
        self.top()?.waits = false;
        self.sink.end()?;
        Ok(())
    }

    /// The column and kind of the innermost collection.
    fn skipped_top(&self) -> Step<(usize, Kind)> {
        self.skipped.last().copied().ok_or(Beyond)
    }

    /// A line that begins with an item, a key or a scalar.
    #[inline]
    fn skip_line(&mut self, mut column: usize, mut start: usize, mut first: First, mut left: Left) -> Step<Left> {
        while self.skipped_top()?.0 > column {
            self.skipped.pop();
            left = Left::Nothing;
        }
        while first == First::Indicator && self.is_item(start) {
            self.skip_into(true, column, left)?;
            left = Left::Value;
            let inner = start + 1 + spaces(&self.bytes[start + 1..]);
            first = self.bytes.get(inner).map_or(First::Break, |byte| First::of(*byte));
            if matches!(first, First::Break | First::Comment) {
                self.next = self.line_end(inner) + 1;
                return Ok(left);
            }
            column += inner - start;
            start = inner;
        }
        let colon = if self.is_plain(first, start) {
            let stop = self.plain_stop(start)?;
            if self.bytes.get(stop) != Some(&b':') {
                self.skipped_waits(column, left)?;
                return self.skip_plain(start, stop, first);
            }
            if first != First::Text && self.means_more(first, start, stop, true) {
                return Err(Beyond);
            }
            stop
        } else {
            match self.quoted_key(first, start)? {
                Some(colon) => colon,
                None => {
                    self.skipped_waits(column, left)?;
                    return self.skip_value(start);
                }
            }
        };
        if colon - start >= MAX_KEY {
            return Err(Beyond);
        }
        self.skip_into(false, column, left)?;
        self.skip_value(colon + 1)
    }

    /// The colon behind a key in quotes, if there is one.
    fn quoted_key(&self, first: First, start: usize) -> Step<Option<usize>> {
        if first != First::Quote {
            return Ok(None);
        }
        let colon = self.quote_end(start)?.map(|(after, _)| after + spaces(&self.bytes[after..]));
        Ok(colon.filter(|colon| self.is_colon(*colon)))
    }

    /// A value may stand on a line of its own only where one is waited for.
    fn skipped_waits(&self, column: usize, left: Left) -> Step {
        if left == Left::Value && self.skipped_top()?.0 < column { Ok(()) } else { Err(Beyond) }
    }

    /// As [`Lines::enter`].
    #[inline]
    fn skip_into(&mut self, is_item: bool, column: usize, left: Left) -> Step {
        let waits = left == Left::Value;
        let (top, kind) = self.skipped_top()?;
        let opened = match (kind, is_item) {
            _ if top < column && !waits => return Err(Beyond),
            (_, true) if top < column => Kind::Sequence,
            (_, false) if top < column => Kind::Mapping,
            (Kind::Mapping, true) if waits => Kind::Indentless,
            (Kind::Sequence | Kind::Indentless, true) | (Kind::Mapping, false) => return Ok(()),
            (Kind::Indentless, false) => {
                self.skipped.pop();
                return Ok(());
            }
            _ => return Err(Beyond),
        };
        if self.open.len() + self.skipped.len() > MAX_DEPTH {
            return Err(Beyond);
        }
        self.skipped.push((column, opened));
        Ok(())
    }

    /// What follows a key's colon, or stands where a value is waited for.
    #[inline]
    fn skip_value(&mut self, after: usize) -> Step<Left> {
        let (start, first) = self.first(after);
        match first {
            First::Break => {
                self.next = start + 1;
                Ok(Left::Value)
            }
            First::Comment => {
                self.next = self.line_end(start) + 1;
                Ok(Left::Value)
            }
            First::Quote => {
                let after = match self.quote_end(start)? {
                    Some((after, _)) => after,
                    None => self.quoted_lines(start)?.1,
                };
                self.end_line(after)?;
                Ok(Left::Nothing)
            }
            First::Flow => {
                self.flow_line(start)?;
                Ok(Left::Nothing)
            }
            First::Block => self.skip_block(start),
            _ if self.is_plain(first, start) => self.skip_plain(start, self.plain_stop(start)?, first),
            _ => Err(Beyond),
        }
    }

    /// A plain scalar that stops at a place, or one more line of it.
    #[inline]
    fn skip_plain(&mut self, start: usize, stop: usize, first: First) -> Step<Left> {
        if first != First::Text && self.means_more(first, start, stop, false) {
            return Err(Beyond);
        }
        match self.bytes.get(stop) {
            Some(b':') => Err(Beyond),
            Some(b'#') => {
                self.next = self.line_end(stop) + 1;
                Ok(Left::Nothing)
            }
            _ => {
                self.next = stop + 1;
                Ok(Left::Plain)
            }
        }
    }

    /// Whether a plain scalar is one of the few that stand for more than themselves, or that JSON cannot hold.
    fn means_more(&self, first: First, start: usize, end: usize, is_key: bool) -> bool {
        match first {
            First::Word => match self.trimmed(start, end) {
                "~" | "null" | "Null" | "NULL" => is_key,
                text => text == "<<",
            },
            First::Number | First::Indicator => {
                matches!(resolve(self.trimmed(start, end)), Resolved::Float(value) if !value.is_finite())
            }
            _ => false,
        }
    }

    /// A block, literal or folded: every line that is blank or as deep as the first one.
    fn skip_block(&mut self, start: usize) -> Step<Left> {
        let header = start + 1 + usize::from(matches!(self.bytes.get(start + 1), Some(b'-' | b'+')));
        self.end_line(header)?;
        let outer = self.skipped_top()?.0;
        let (Some(first), blank) = self.peek() else { return Err(Beyond) };
        if self.bytes[first.start] == b'\t' || self.has_deeper_blank(blank, first.indent.max(outer)) {
            return Err(Beyond);
        }
        while let Some(rest) = self.bytes.get(self.next..).filter(|_| first.indent > outer) {
            let indent = spaces(rest);
            let start = self.next + indent;
            match self.bytes.get(start) {
                Some(b'\n') => self.next = start + 1,
                Some(_) if indent >= first.indent => self.next = self.line_end(start) + 1,
                Some(b'\t') => return Err(Beyond),
                _ => break,
            }
            self.number += 1;
        }
        Ok(Left::Nothing)
    }
}
