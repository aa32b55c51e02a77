//! The lines of a text.

use super::{Beyond, Line, Lines, Step};
use crate::parser::Sink;
use crate::scanner::Mark;

impl<'a, S: Sink<'a>> Lines<'a, '_, S> {
    /// Where the line ends that begins, or goes on, at a place.
    pub(super) fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |length| at + length)
    }

    /// Steps to the next line that is neither blank nor a comment: the column and the place where it begins.
    pub(super) fn line(&mut self) -> Step<Option<(usize, usize)>> {
        while let Some(rest) = self.bytes.get(self.next..) {
            let indent = spaces(rest);
            let start = self.next + indent;
            let Some(&byte) = self.bytes.get(start) else { break };
            self.number += 1;
            match byte {
                b'\n' => self.next = start + 1,
                b'#' => self.next = self.line_end(start) + 1,
                b'\t' => return Err(Beyond),
                b'-' | b'.' | b'%' if indent == 0 && is_marker(rest) => return Err(Beyond),
                _ => {
                    self.begin = self.next;
                    return Ok(Some((indent, start)));
                }
            }
        }
        Ok(None)
    }

    /// The next line that is not blank, left in place, and how many blank ones stand before it.
    pub(super) fn peek(&self) -> (Option<Line>, usize) {
        let (mut at, mut blank) = (self.next, 0);
        while let Some(rest) = self.bytes.get(at..) {
            let indent = spaces(rest);
            let start = at + indent;
            match self.bytes.get(start) {
                None => break,
                Some(b'\n') => {
                    blank += 1;
                    at = start + 1;
                }
                Some(_) => return (Some(Line { indent, start }), blank),
            }
        }
        (None, blank)
    }

    /// Makes a line ahead the one that is being read.
    pub(super) fn step_over(&mut self, line: Line, blank: usize) {
        self.begin = line.start - line.indent;
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

/// Whether a line that comes next begins or ends a document, or is a directive.
pub(super) fn is_marker(line: &[u8]) -> bool {
    line.starts_with(b"---") || line.starts_with(b"...") || line.starts_with(b"%")
}

/// The next byte from a place on that may end a plain scalar: a colon, a hash, or a control character, of which
/// there are only tabs and line breaks. Without one, the text's end.
#[inline(never)]
pub(super) fn special(bytes: &[u8], start: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Marks bytes below a limit, eight at a time. Only the lowest mark is sure to be right; it is the one that counts.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let mut at = start;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let marks = (below(word, b' ') | is(b'#') | is(b':')) & (ONES * 0x80);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| *byte < b' ' || matches!(byte, b'#' | b':');
    at + bytes[at..].iter().position(is_special).unwrap_or(bytes.len() - at)
}
