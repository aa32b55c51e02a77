//! Flow collections on one line.

use super::text::spaces;
use super::{Beyond, Lines, MAX_DEPTH, Step};
use crate::parser::{Properties, Scalar, Sink};
use crate::scanner::Style;

impl<'a, S: Sink<'a>> Lines<'a, '_, S> {
    /// A flow collection that begins and ends on the line.
    pub(super) fn flow_line(&mut self, start: usize) -> Step {
        let after = self.flow(start, self.line_end(start), 0)?;
        self.end_line(after)
    }

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
            let (text, after) = self.quoted(start)?.ok_or(Beyond)?;
            (text, Style::of_quote(first), after)
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
