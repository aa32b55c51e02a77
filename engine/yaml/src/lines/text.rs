//! The lines of a text.

use super::{Beyond, Line, Lines, Step};
use crate::parser::Sink;
use crate::scanner::Mark;

impl<'a, S: Sink<'a>> Lines<'a, '_, S> {
    /// Where the line ends that begins, or goes on, at a place.
    pub(super) fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |length| at + length)
    }

    /// Steps to the next line that is neither blank nor a comment.
    pub(super) fn line(&mut self) -> Step<Option<Line>> {
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
    pub(super) fn peek(&mut self) -> (Option<Line>, usize) {
        let (place, line, blank) = self.ahead;
        if place == self.next {
            return (line, blank);
        }
        let (line, blank) = self.look_ahead();
        self.ahead = (self.next, line, blank);
        (line, blank)
    }

    pub(super) fn look_ahead(&self) -> (Option<Line>, usize) {
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
    pub(super) fn step_over(&mut self, line: Line, blank: usize) {
        self.begin = line.start - line.indent;
        self.next = line.end + 1;
        self.number += blank + 1;
    }

    /// A place on the line that is being read.
    pub(super) fn mark(&self, offset: usize) -> Mark {
        Mark { offset, line: self.number.saturating_sub(1), column: offset - self.begin }
    }

    /// A part of the text without the spaces at its end.
    pub(super) fn trimmed(&self, start: usize, end: usize) -> &'a str {
        let blank = self.bytes[start..end].iter().rev().take_while(|byte| **byte == b' ').count();
        &self.text[start..end - blank]
    }
}

/// How many spaces stand at the beginning.
#[inline]
pub(super) fn spaces(bytes: &[u8]) -> usize {
    let mut count = 0;
    // Sixteen at a time: deep documents are a third spaces.
    while let Some(chunk) = bytes[count..].first_chunk::<16>() {
        let other = u128::from_le_bytes(*chunk) ^ u128::from_le_bytes([b' '; 16]);
        if other != 0 {
            return count + other.trailing_zeros() as usize / 8;
        }
        count += 16;
    }
    count + bytes[count..].iter().take_while(|byte| **byte == b' ').count()
}

/// Whether a line begins or ends a document, or is a directive.
pub(super) fn is_marker(line: &[u8]) -> bool {
    line.starts_with(b"---") || line.starts_with(b"...") || line.starts_with(b"%")
}
