//! The tokens of an action.

use super::bytes::{end_of_plain, end_of_spaces, end_of_word, is_space, is_terminator};
use super::{Kind, Lexer, RIGHT};

impl Lexer<'_> {
    /// Cuts the next token of an action.
    pub(crate) fn inside(&mut self) {
        let from = self.pos;
        let mut start = from;
        let byte = loop {
            match self.byte(start) {
                // The last of the spaces may belong to a closing delimiter that trims.
                Some(byte) if is_space(byte) && !self.is_right_trim(start) => start += 1,
                other => break other,
            }
        };
        self.token.is_spaced = start > from;
        let Some(byte) = byte else { return self.error(start, "unclosed action") };
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.identifier(start),
            b'.' if self.byte(start + 1).is_some_and(|next| !next.is_ascii_digit()) => self.path(Kind::Field, start),
            b'$' => self.path(Kind::Variable, start),
            b'"' => self.quoted(Kind::String, "unterminated quoted string", start),
            b'}' if self.byte(start + 1) == Some(b'}') => self.close(start, false),
            b' ' | b'\t' | b'\r' | b'\n' => self.close(start, true),
            b'(' => {
                self.parens += 1;
                self.cut(Kind::LeftParen, start, start + 1);
            }
            b')' if self.parens == 0 => self.error(start, "unexpected right paren"),
            b')' => {
                self.parens -= 1;
                self.cut(Kind::RightParen, start, start + 1);
            }
            b'|' => self.cut(Kind::Pipe, start, start + 1),
            b'.' | b'+' | b'-' | b'0'..=b'9' => self.number(start),
            b'=' => self.cut(Kind::Assign, start, start + 1),
            b':' if self.byte(start + 1) == Some(b'=') => self.cut(Kind::Declare, start, start + 2),
            b':' => self.error(start, "expected :="),
            b'\'' => self.quoted(Kind::CharConstant, "unterminated character constant", start),
            b'`' => self.raw_string(start),
            b' '..=b'~' => self.cut(Kind::Char, start, start + 1),
            _ => self.other(start),
        }
    }

    /// A name that begins with a letter beyond ASCII.
    #[cold]
    fn other(&mut self, start: usize) {
        match self.char(start) {
            Some(letter) if is_alphanumeric(letter) => self.identifier(start),
            other => {
                let shown = other.map(code_point).unwrap_or_default();
                self.error(start, format!("unrecognized character in action: {shown}"));
            }
        }
    }

    /// The closing delimiter, with a space and a dash before it if it trims.
    fn close(&mut self, start: usize, trims: bool) {
        if self.parens != 0 {
            return self.error(start, "unclosed left paren");
        }
        let start = if trims { start + 2 } else { start };
        let end = start + RIGHT.len();
        self.cut(Kind::RightDelim, start, end);
        if trims {
            self.pos = end_of_spaces(self.bytes, end);
        }
    }

    fn quoted(&mut self, kind: Kind, problem: &str, start: usize) {
        let quote = self.bytes[start];
        let mut at = start + 1;
        let mut escape = None;
        loop {
            at = end_of_plain(self.bytes, at);
            match self.byte(at) {
                Some(byte) if byte == quote => {
                    return self.cut_with(kind, start, at + 1, escape.unwrap_or(at + 1));
                }
                Some(b'\\') if self.byte(at + 1).is_some_and(|next| next != b'\n') => {
                    escape = escape.or(Some(at));
                    at += 2;
                }
                None | Some(b'\n' | b'\\') => return self.error(start, problem),
                Some(_) => at += 1,
            }
        }
    }

    /// A literal in back quotes; Go leaves carriage returns out.
    #[inline(never)]
    fn raw_string(&mut self, start: usize) {
        let inner = start + 1;
        let Some(length) = memchr::memchr(b'`', &self.bytes[inner..]) else {
            return self.error(start, "unterminated raw quoted string");
        };
        let end = inner + length + 1;
        let escape = memchr::memchr(b'\r', &self.bytes[inner..end]);
        self.cut_with(Kind::RawString, start, end, escape.map_or(end, |at| inner + at));
    }

    /// A field or variable, and the fields that follow it.
    fn path(&mut self, kind: Kind, start: usize) {
        let first = self.word_end(start + 1);
        if !self.is_terminated(first) {
            return self.bad_character(start, first);
        }
        if first == start + 1 && kind == Kind::Field {
            return self.cut(Kind::Dot, start, first);
        }
        let mut end = first;
        while self.byte(end) == Some(b'.') && self.byte(end + 1).is_some_and(is_letter) {
            let next = self.word_end(end + 1);
            if !self.is_terminated(next) {
                break;
            }
            end = next;
        }
        self.cut_with(kind, start, end, first);
    }

    fn identifier(&mut self, start: usize) {
        let end = self.word_end(start);
        if !self.is_terminated(end) {
            return self.bad_character(start, end);
        }
        let kind = match &self.bytes[start..end] {
            b"block" => Kind::Block,
            b"break" => Kind::Break,
            b"continue" => Kind::Continue,
            b"define" => Kind::Define,
            b"else" => Kind::Else,
            b"end" => Kind::End,
            b"if" => Kind::If,
            b"nil" => Kind::Nil,
            b"range" => Kind::Range,
            b"template" => Kind::Template,
            b"with" => Kind::With,
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.cut(kind, start, end);
    }

    /// Where a run of letters and digits ends.
    #[inline]
    fn word_end(&self, at: usize) -> usize {
        let end = end_of_word(self.bytes, at);
        if self.byte(end).is_none_or(|byte| byte.is_ascii()) { end } else { self.foreign_word_end(end) }
    }

    /// Where a run of letters and digits of any script ends.
    #[cold]
    fn foreign_word_end(&self, at: usize) -> usize {
        let letters = self.text[at..].chars().take_while(|letter| is_alphanumeric(*letter));
        at + letters.map(char::len_utf8).sum::<usize>()
    }

    fn is_terminated(&self, at: usize) -> bool {
        self.byte(at).is_none_or(is_terminator)
    }

    #[cold]
    fn bad_character(&mut self, start: usize, at: usize) {
        let bad = self.char(at).map(code_point).unwrap_or_default();
        self.error(start, format!("bad character {bad}"));
    }

    fn number(&mut self, start: usize) {
        let mut end = start;
        while self.byte(end).is_some_and(|byte| byte.is_ascii_digit()) {
            end += 1;
        }
        // Most are nothing but digits.
        if end > start && self.is_terminated(end) && self.byte(end) != Some(b'.') {
            return self.cut(Kind::Number, start, end);
        }
        self.any_number(start);
    }

    #[inline(never)]
    fn any_number(&mut self, start: usize) {
        let (mut end, mut is_good) = self.scan_number(start);
        let mut kind = Kind::Number;
        if is_good && matches!(self.byte(end), Some(b'+' | b'-')) {
            kind = Kind::Complex;
            (end, is_good) = self.scan_number(end);
            is_good = is_good && self.bytes[end - 1] == b'i';
        }
        if is_good {
            return self.cut(kind, start, end);
        }
        let quoted = crate::quote::quote(&self.bytes[start..end]);
        self.error(start, format!("bad number syntax: {quoted}"));
    }

    /// Where a number ends, and whether nothing is wrong with it.
    fn scan_number(&self, start: usize) -> (usize, bool) {
        let mut at = start;
        let accept = |at: &mut usize, valid: &[u8]| {
            let is_found = self.byte(*at).is_some_and(|next| valid.contains(&next));
            *at += usize::from(is_found);
            is_found
        };
        let accept_run = |at: &mut usize, valid: &[u8]| while accept(at, valid) {};
        accept(&mut at, b"+-");
        let (mut digits, mut exponent): (&[u8], &[u8]) = (b"0123456789_", b"eE");
        if accept(&mut at, b"0") {
            if accept(&mut at, b"xX") {
                (digits, exponent) = (b"0123456789abcdefABCDEF_", b"pP");
            } else if accept(&mut at, b"oO") {
                (digits, exponent) = (b"01234567_", b"");
            } else if accept(&mut at, b"bB") {
                (digits, exponent) = (b"01_", b"");
            }
        }
        accept_run(&mut at, digits);
        if accept(&mut at, b".") {
            accept_run(&mut at, digits);
        }
        if accept(&mut at, exponent) {
            accept(&mut at, b"+-");
            accept_run(&mut at, b"0123456789_");
        }
        accept(&mut at, b"i");
        match self.char(at) {
            // Go's message shows the character that does not belong to it.
            Some(letter) if is_alphanumeric(letter) => (at + letter.len_utf8(), false),
            _ => (at, true),
        }
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || kpkg_gounicode::is_letter(character) || kpkg_gounicode::is_digit(character)
}

/// `%#U`: the code point and, if it can be printed, the character.
fn code_point(character: char) -> String {
    let code = u32::from(character);
    if character.is_control() { format!("U+{code:04X}") } else { format!("U+{code:04X} '{character}'") }
}
