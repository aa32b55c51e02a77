//! The tokens of an action.

use super::{Kind, Lexer, More, RIGHT, is_space};

impl Lexer<'_> {
    /// All tokens of an action, its closing delimiter included.
    pub(super) fn action(&mut self) -> More {
        loop {
            let Some(byte) = self.byte(self.pos) else { return self.error("unclosed action") };
            let more = match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    if self.is_right_trim(self.pos) {
                        return self.close_action(true);
                    }
                    self.space()
                }
                b'}' if self.byte(self.pos + 1) == Some(b'}') => return self.close_action(false),
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.identifier(),
                b'.' if self.byte(self.pos + 1).is_some_and(|next| !next.is_ascii_digit()) => {
                    self.pos += 1;
                    self.field_or_variable(Kind::Field)
                }
                b'$' => {
                    self.pos += 1;
                    self.field_or_variable(Kind::Variable)
                }
                b'"' => self.quoted(Kind::String, "unterminated quoted string"),
                b'\'' => self.quoted(Kind::CharConstant, "unterminated character constant"),
                b'`' => self.raw_string(),
                b'.' | b'+' | b'-' | b'0'..=b'9' => self.number(),
                _ => self.punctuation(byte),
            };
            if !more {
                return false;
            }
        }
    }

    fn punctuation(&mut self, byte: u8) -> More {
        self.pos += 1;
        match byte {
            b'=' => self.emit(Kind::Assign),
            b'|' => self.emit(Kind::Pipe),
            b':' if self.byte(self.pos) == Some(b'=') => {
                self.pos += 1;
                self.emit(Kind::Declare)
            }
            b':' => self.error("expected :="),
            b'(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            b')' => {
                self.parens -= 1;
                if self.parens < 0 { self.error("unexpected right paren") } else { self.emit(Kind::RightParen) }
            }
            b' '..=b'~' => self.emit(Kind::Char),
            _ => {
                self.pos -= 1;
                match self.peek() {
                    Some(letter) if is_alphanumeric(letter) => self.identifier(),
                    other => self.error(format!(
                        "unrecognized character in action: {}",
                        other.map(code_point).unwrap_or_default()
                    )),
                }
            }
        }
    }

    fn close_action(&mut self, trim: bool) -> More {
        if self.parens != 0 {
            return self.error("unclosed left paren");
        }
        if trim {
            self.pos += 2;
            self.ignore();
        }
        self.pos += RIGHT.len();
        self.emit(Kind::RightDelim);
        if trim {
            self.skip_spaces();
            self.ignore();
        }
        true
    }

    /// A run of spaces; the last one may belong to a closing delimiter that trims.
    fn space(&mut self) -> More {
        self.pos += 1;
        while self.byte(self.pos).is_some_and(is_space) && !self.is_right_trim(self.pos) {
            self.pos += 1;
        }
        self.emit(Kind::Space)
    }

    fn quoted(&mut self, kind: Kind, problem: &str) -> More {
        let quote = self.bytes[self.pos];
        self.pos += 1;
        loop {
            match self.byte(self.pos) {
                Some(b'\\') => match self.byte(self.pos + 1) {
                    None | Some(b'\n') => return self.error(problem),
                    Some(_) => self.pos += 2,
                },
                None | Some(b'\n') => return self.error(problem),
                Some(byte) => {
                    self.pos += 1;
                    if byte == quote {
                        return self.emit(kind);
                    }
                }
            }
        }
    }

    fn raw_string(&mut self) -> More {
        match memchr::memchr(b'`', &self.bytes[self.pos + 1..]) {
            None => self.error("unterminated raw quoted string"),
            Some(end) => {
                self.pos += end + 2;
                self.emit(Kind::RawString)
            }
        }
    }

    fn field_or_variable(&mut self, kind: Kind) -> More {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Variable { Kind::Variable } else { Kind::Dot });
        }
        self.skip_word();
        if self.at_terminator() {
            return self.emit(kind);
        }
        let bad = self.bump();
        self.error(format!("bad character {}", bad.map_or_else(|| "U+FFFFFFFFFFFFFFFF".to_owned(), code_point)))
    }

    fn skip_word(&mut self) {
        loop {
            let bytes = &self.bytes[self.pos..];
            let ascii = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            self.pos += ascii;
            if bytes.get(ascii).is_none_or(u8::is_ascii) || !self.peek().is_some_and(is_alphanumeric) {
                return;
            }
            self.bump();
        }
    }

    fn at_terminator(&self) -> bool {
        self.byte(self.pos)
            .is_none_or(|byte| is_space(byte) || matches!(byte, b'.' | b',' | b'|' | b':' | b')' | b'(' | b'}'))
    }

    fn identifier(&mut self) -> More {
        self.skip_word();
        if !self.at_terminator() {
            let bad = self.bump().map(code_point).unwrap_or_default();
            return self.error(format!("bad character {bad}"));
        }
        let kind = match &self.bytes[self.start..self.pos] {
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
        self.emit(kind)
    }

    fn number(&mut self) -> More {
        let good = self.scan_number();
        let mut kind = Kind::Number;
        if good && matches!(self.byte(self.pos), Some(b'+' | b'-')) {
            kind = Kind::Complex;
            if !self.scan_number() || !self.text[..self.pos].ends_with('i') {
                return self.bad_number();
            }
        }
        if good { self.emit(kind) } else { self.bad_number() }
    }

    fn bad_number(&mut self) -> More {
        let quoted = crate::quote::quote(&self.bytes[self.start..self.pos]);
        self.error(format!("bad number syntax: {quoted}"))
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.byte(self.pos).is_some_and(|next| valid.contains(&next));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = b"0123456789abcdefABCDEF_";
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        let exponent = if digits.len() == 11 { b"eE" } else { b"pP" };
        if (digits.len() == 11 || digits.len() == 23) && self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphabetic() || character.is_numeric()
}

/// `%#U`: the code point and, if it can be printed, the character.
fn code_point(character: char) -> String {
    let code = u32::from(character);
    if character.is_control() { format!("U+{code:04X}") } else { format!("U+{code:04X} '{character}'") }
}
