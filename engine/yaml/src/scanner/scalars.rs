//! Scalars: blocks, quoted ones and plain ones.

use std::borrow::Cow;

use super::characters::{BLANK, BREAK, INDICATOR, QUOTE, WIDE};
use super::{Kind, Mark, Scanner, Style, Token};
use crate::error::Error;

impl<'a> Scanner<'a> {
    pub(super) fn fetch_block_scalar(&mut self, literal: bool) -> Result<(), Error> {
        self.remove_key()?;
        self.key_allowed = true;
        let start = self.mark;
        self.skip();
        let (keep, increment) = self.block_header(start)?;
        let mut indent = if increment > 0 { self.indent.max(0) + increment } else { 0 };
        let (mut text, mut leading, mut trailing) = (String::new(), String::new(), String::new());
        self.block_breaks(&mut indent, &mut trailing, start)?;
        let mut leading_blank = false;
        while self.column() == indent && !self.is_end(0) {
            let blank = self.is_blank(0);
            if !literal && !leading_blank && !blank && leading.starts_with('\n') {
                if trailing.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&leading);
            }
            leading.clear();
            text.push_str(&trailing);
            trailing.clear();
            leading_blank = blank;
            self.read_rest_of_line(&mut text);
            self.read_line(&mut leading);
            self.block_breaks(&mut indent, &mut trailing, start)?;
        }
        if keep != Some(false) {
            text.push_str(&leading);
        }
        if keep == Some(true) {
            text.push_str(&trailing);
        }
        let style = if literal { Style::Block } else { Style::Folded };
        self.push(Kind::Scalar { text: text.into(), style }, start);
        Ok(())
    }

    fn read_rest_of_line(&mut self, into: &mut String) {
        let from = self.mark.offset;
        self.skip_rest_of_line();
        into.push_str(&self.text[from..self.mark.offset]);
    }

    /// `+`, `-` and a digit after `|` or `>`: what to do with the last line breaks, and the indentation.
    fn block_header(&mut self, start: Mark) -> Result<(Option<bool>, isize), Error> {
        let (mut keep, mut increment) = (None, 0);
        for _ in 0..2 {
            match self.at(0) {
                sign @ (b'+' | b'-') if keep.is_none() => keep = Some(sign == b'+'),
                b'0' if increment == 0 => {
                    return Err(self.fail_since(start, "found an indentation indicator equal to 0"));
                }
                digit @ b'1'..=b'9' if increment == 0 => increment = isize::from(digit - b'0'),
                _ => break,
            }
            self.skip();
        }
        self.end_line(start)?;
        Ok((keep, increment))
    }

    fn block_breaks(&mut self, indent: &mut isize, breaks: &mut String, start: Mark) -> Result<(), Error> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.column() < *indent) && self.at(0) == b' ' {
                self.skip();
            }
            deepest = deepest.max(self.column());
            if (*indent == 0 || self.column() < *indent) && self.at(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.fail_since(start, problem));
            }
            if !self.is_break(0) {
                break;
            }
            self.read_line(breaks);
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }

    pub(super) fn fetch_flow_scalar(&mut self, single: bool) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark;
        let quote = if single { b'\'' } else { b'"' };
        let style = Style::of_quote(quote);
        self.skip();
        if let Some(text) = self.simple_quoted(quote) {
            self.push(Kind::Scalar { text: text.into(), style }, start);
            return Ok(());
        }
        let mut text = String::new();
        let mut fold = Fold::default();
        loop {
            if self.at_document_indicator() {
                return Err(self.fail_since(start, "found unexpected document indicator"));
            }
            if self.is_end(0) {
                return Err(self.fail_since(start, "found unexpected end of stream"));
            }
            fold.broken = false;
            self.read_quoted_word(single, &mut text, &mut fold, start)?;
            if self.at(0) == quote {
                break;
            }
            self.read_gap(&mut fold, None, start)?;
            fold.apply(&mut text);
        }
        self.skip();
        self.push(Kind::Scalar { text: text.into(), style }, start);
        Ok(())
    }

    /// The text up to the closing quote, and steps behind that, if it can be taken as it stands: on one line, nothing
    /// escaped.
    fn simple_quoted(&mut self, quote: u8) -> Option<&'a str> {
        let start = self.mark;
        self.skip_ordinary(WIDE | BREAK | QUOTE);
        while self.at(0) != quote && matches!(self.at(0), b'\'' | b'"') {
            self.skip();
            self.skip_ordinary(WIDE | BREAK | QUOTE);
        }
        let text = &self.text[start.offset..self.mark.offset];
        if self.at(0) == quote && !(quote == b'\'' && self.at(1) == quote) {
            self.skip();
            return Some(text);
        }
        self.mark = start;
        None
    }

    /// The part of a quoted scalar up to a blank, a break or the closing quote.
    fn read_quoted_word(
        &mut self,
        single: bool,
        text: &mut String,
        fold: &mut Fold<'a>,
        start: Mark,
    ) -> Result<(), Error> {
        while !self.is_blank_or_end(0) {
            match self.at(0) {
                b'\'' if single && self.at(1) == b'\'' => {
                    text.push('\'');
                    self.skip_many(2);
                }
                b'\'' if single => break,
                b'"' if !single => break,
                b'\\' if !single && self.is_break(1) => {
                    self.skip();
                    self.skip_line();
                    fold.broken = true;
                    break;
                }
                b'\\' if !single => self.read_escape(text, start)?,
                _ => self.read(text),
            }
        }
        Ok(())
    }

    fn read_escape(&mut self, text: &mut String, start: Mark) -> Result<(), Error> {
        let plain = match self.at(1) {
            b'0' => Some('\0'),
            b'a' => Some('\x07'),
            b'b' => Some('\x08'),
            b't' | b'\t' => Some('\t'),
            b'n' => Some('\n'),
            b'v' => Some('\x0B'),
            b'f' => Some('\x0C'),
            b'r' => Some('\r'),
            b'e' => Some('\x1B'),
            b' ' => Some(' '),
            b'"' => Some('"'),
            b'\'' => Some('\''),
            b'/' => Some('/'),
            b'\\' => Some('\\'),
            b'N' => Some('\u{85}'),
            b'_' => Some('\u{A0}'),
            b'L' => Some('\u{2028}'),
            b'P' => Some('\u{2029}'),
            b'x' | b'u' | b'U' => None,
            _ => return Err(self.fail_since(start, "found unknown escape character")),
        };
        let digits = match self.at(1) {
            b'x' => 2,
            b'u' => 4,
            _ => 8,
        };
        self.skip_many(2);
        if let Some(plain) = plain {
            text.push(plain);
            return Ok(());
        }
        let code = self.bytes.get(self.mark.offset..self.mark.offset + digits).unwrap_or_default();
        if code.is_empty() || !code.iter().all(u8::is_ascii_hexdigit) {
            return Err(self.fail_since(start, "did not find expected hexdecimal number"));
        }
        let value = code.iter().fold(0_u32, |sum, byte| sum * 16 + char::from(*byte).to_digit(16).unwrap_or(0));
        let character = char::from_u32(value)
            .ok_or_else(|| self.fail_since(start, "found invalid Unicode character escape code"))?;
        text.push(character);
        self.skip_many(digits);
        Ok(())
    }

    /// Blanks and breaks between two words; in plain scalars a tab may not stand for indentation.
    fn read_gap(&mut self, fold: &mut Fold<'a>, plain_indent: Option<isize>, start: Mark) -> Result<(), Error> {
        let from = self.mark.offset;
        self.skip_blanks();
        if !fold.broken {
            fold.blanks = &self.text[from..self.mark.offset];
        }
        while self.is_blank(0) || self.is_break(0) {
            if !self.is_break(0) {
                if plain_indent.is_some_and(|indent| self.column() < indent) && self.at(0) == b'\t' {
                    return Err(self.fail_since(start, "found a tab character that violates indentation"));
                }
                self.skip();
            } else if fold.broken {
                self.read_line(&mut fold.trailing);
            } else {
                fold.blanks = "";
                fold.leading = self.take_line();
                fold.broken = true;
            }
        }
        Ok(())
    }

    pub(super) fn fetch_plain(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark;
        let indent = self.indent + 1;
        let mut end = start;
        // One line, the common case, needs no copy.
        let mut text: Option<String> = None;
        let mut fold = Fold::default();
        loop {
            if self.at_document_indicator() || self.at(0) == b'#' {
                break;
            }
            let from = self.mark;
            self.skip_plain_word();
            if self.mark.offset > from.offset {
                let word = &self.text[from.offset..self.mark.offset];
                if fold.broken || text.is_some() {
                    let text = text.get_or_insert_with(|| self.text[start.offset..end.offset].to_owned());
                    fold.apply(text);
                    text.push_str(word);
                } else {
                    fold.blanks = "";
                }
                fold.broken = false;
                end = self.mark;
            }
            if !self.is_blank(0) && !self.is_break(0) {
                break;
            }
            self.read_gap(&mut fold, Some(indent), start)?;
            if !self.in_flow() && self.column() < indent {
                break;
            }
        }
        let text = text.map_or(Cow::Borrowed(&self.text[start.offset..end.offset]), Cow::Owned);
        self.queue.push_back(Token { kind: Kind::Scalar { text, style: Style::Plain }, start, end });
        if fold.broken {
            self.key_allowed = true;
        }
        Ok(())
    }

    fn skip_plain_word(&mut self) {
        let in_flow = self.in_flow();
        loop {
            self.skip_ordinary(WIDE | BREAK | BLANK | INDICATOR);
            if self.is_blank_or_end(0) {
                break;
            }
            match self.at(0) {
                b':' if self.is_blank_or_end(1) => break,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                _ => self.skip(),
            }
        }
    }
}

/// What stands between two words of a scalar that runs over lines.
#[derive(Default)]
struct Fold<'a> {
    blanks: &'a str,
    /// The first line break.
    leading: &'a str,
    /// Further ones.
    trailing: String,
    broken: bool,
}

impl Fold<'_> {
    /// Joins: one line break becomes a space, more stay but one.
    fn apply(&mut self, text: &mut String) {
        if self.broken {
            if self.leading == "\n" {
                if self.trailing.is_empty() {
                    text.push(' ');
                } else {
                    text.push_str(&self.trailing);
                }
            } else {
                text.push_str(self.leading);
                text.push_str(&self.trailing);
            }
            self.leading = "";
            self.trailing.clear();
        } else {
            text.push_str(self.blanks);
        }
        self.blanks = "";
    }
}
