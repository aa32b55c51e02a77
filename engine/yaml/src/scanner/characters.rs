//! Looking at characters, and stepping over them.

use super::{Mark, Scanner};
use crate::error::Error;

impl<'a> Scanner<'a> {
    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.bytes.get(self.mark.offset + ahead).copied().unwrap_or(0)
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    /// Length in bytes of a line break at this place, 0 if there is none.
    pub(super) fn break_len(&self, ahead: usize) -> usize {
        match self.at(ahead) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.at(ahead + 1) == b'\n'),
            0xC2 if self.at(ahead + 1) == 0x85 => 2,
            0xE2 if self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        self.break_len(ahead) > 0
    }

    pub(super) fn is_end(&self, ahead: usize) -> bool {
        self.mark.offset + ahead >= self.bytes.len()
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.is_break(ahead) || self.is_end(ahead)
    }

    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    pub(super) fn is_word(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
    }

    pub(super) fn skip(&mut self) {
        self.mark.offset += width(self.at(0));
        self.mark.column += 1;
    }

    /// Skips characters of one byte and one column, up to one of a class that stops.
    pub(super) fn skip_ordinary(&mut self, stop: u8) {
        let rest = self.bytes.get(self.mark.offset..).unwrap_or_default();
        let count = rest.iter().position(|byte| CLASSES[usize::from(*byte)] & stop != 0).unwrap_or(rest.len());
        self.mark.offset += count;
        self.mark.column += count;
    }

    pub(super) fn skip_spaces(&mut self) {
        let rest = self.bytes.get(self.mark.offset..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| **byte == b' ').count();
        self.mark.offset += count;
        self.mark.column += count;
    }

    pub(super) fn skip_many(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    pub(super) fn skip_line(&mut self) {
        self.mark.offset += self.break_len(0);
        self.mark.line += 1;
        self.mark.column = 0;
    }

    /// Takes a line break: the common ones become `\n`, the Unicode separators stay.
    pub(super) fn take_line(&mut self) -> &'a str {
        let taken = match self.at(0) {
            0xE2 => &self.text[self.mark.offset..self.mark.offset + 3],
            _ if self.is_break(0) => "\n",
            _ => return "",
        };
        self.skip_line();
        taken
    }

    pub(super) fn read_line(&mut self, into: &mut String) {
        into.push_str(self.take_line());
    }

    pub(super) fn read(&mut self, into: &mut String) {
        let end = (self.mark.offset + width(self.at(0))).min(self.bytes.len());
        into.push_str(&self.text[self.mark.offset..end]);
        self.skip();
    }

    /// Skips to a line's end, the break excluded.
    pub(super) fn skip_rest_of_line(&mut self) {
        loop {
            self.skip_ordinary(WIDE | BREAK);
            if self.is_break_or_end(0) {
                return;
            }
            self.skip();
        }
    }

    /// Letters, digits, `_` and `-`.
    pub(super) fn take_word(&mut self) -> &'a str {
        let from = self.mark.offset;
        while Self::is_word(self.at(0)) {
            self.skip();
        }
        &self.text[from..self.mark.offset]
    }

    /// Steps over a line's end, where nothing but a comment may stand any more.
    pub(super) fn end_line(&mut self, start: Mark) -> Result<(), Error> {
        self.skip_blanks();
        if self.at(0) == b'#' {
            self.skip_rest_of_line();
        }
        if !self.is_break_or_end(0) {
            return Err(self.fail_since(start, "did not find expected comment or line break"));
        }
        if self.is_break(0) {
            self.skip_line();
        }
        Ok(())
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    pub(super) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && matches!(self.bytes.get(self.mark.offset..self.mark.offset + 3), Some(b"---" | b"..."))
            && self.is_blank_or_end(3)
    }
}

// What loops over ordinary text stop at. A byte may be of several classes.
/// Blanks.
pub(super) const BLANK: u8 = 1;
/// What may begin a line break.
pub(super) const BREAK: u8 = 2;
/// Characters of several bytes.
pub(super) const WIDE: u8 = 4;
/// What may end a plain scalar's word.
pub(super) const INDICATOR: u8 = 8;
/// Quotes, and what escapes.
pub(super) const QUOTE: u8 = 16;

static CLASSES: [u8; 256] = classes();

#[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' => BLANK,
            b'\n' | b'\r' => BREAK,
            b':' | b',' | b'?' | b'[' | b']' | b'{' | b'}' => INDICATOR,
            b'\'' | b'"' | b'\\' => QUOTE,
            0x80.. => WIDE,
            _ => 0,
        };
        byte += 1;
    }
    classes
}

fn width(byte: u8) -> usize {
    match byte {
        0..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}
