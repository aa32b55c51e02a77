//! Template text to tokens, as Go's lexer cuts them.

use std::borrow::Cow;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    // Keywords.
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Block
                | Self::Break
                | Self::Continue
                | Self::Dot
                | Self::Define
                | Self::Else
                | Self::End
                | Self::If
                | Self::Nil
                | Self::Range
                | Self::Template
                | Self::With
        )
    }
}

/// A token; errors carry their message as text.
#[derive(Debug, Clone)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// Bytes before it.
    pub(crate) pos: usize,
    pub(crate) line: usize,
    pub(crate) text: Cow<'a, str>,
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Eof => f.write_str("EOF"),
            Kind::Error => f.write_str(&self.text),
            kind if kind.is_keyword() => write!(f, "<{}>", self.text),
            _ if self.text.len() > 10 => {
                let short: String = self.text.chars().take(10).collect();
                write!(f, "{}...", crate::quote::quote(short.as_bytes()))
            }
            _ => f.write_str(&crate::quote::quote(self.text.as_bytes())),
        }
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Cuts a text into tokens; the last is `Eof` or `Error`.
pub(crate) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, start: 0, pos: 0, line: 1, parens: 0, tokens: Vec::new() };
    lexer.run();
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    start: usize,
    pos: usize,
    line: usize,
    parens: i32,
    tokens: Vec<Token<'a>>,
}

/// Where to go on.
enum Next {
    Text,
    Action,
    Stop,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) {
        let mut next = Next::Text;
        loop {
            next = match next {
                Next::Text => self.text(),
                Next::Action => self.action(),
                Next::Stop => return,
            };
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.pos += character.len_utf8();
        Some(character)
    }

    fn emit(&mut self, kind: Kind) {
        let text = &self.text[self.start..self.pos];
        self.tokens.push(Token { kind, pos: self.start, line: self.line, text: text.into() });
        // Other tokens stay on their line.
        if matches!(kind, Kind::Text | Kind::Space | Kind::RawString) {
            self.line += line_breaks(text);
        }
        self.start = self.pos;
    }

    fn ignore(&mut self) {
        self.line += line_breaks(&self.text[self.start..self.pos]);
        self.start = self.pos;
    }

    fn error(&mut self, message: impl Into<String>) -> Next {
        // Go reports the line on which the scan stopped, not where the token began.
        self.tokens.push(Token {
            kind: Kind::Error,
            pos: self.start,
            line: self.line,
            text: Cow::Owned(message.into()),
        });
        Next::Stop
    }

    fn text(&mut self) -> Next {
        let Some(found) = find_pair(self.rest(), b'{') else {
            self.pos = self.text.len();
            if self.pos > self.start {
                self.emit(Kind::Text);
            }
            self.emit(Kind::Eof);
            return Next::Stop;
        };
        let delim = self.pos + found;
        let before = &self.text[self.start..delim];
        let kept = if has_left_trim(&self.text[delim + 2..]) { before.trim_end_matches(is_space) } else { before };
        self.pos = self.start + kept.len();
        if self.pos > self.start {
            self.emit(Kind::Text);
        }
        self.pos = delim;
        self.ignore();
        self.left_delim()
    }

    fn left_delim(&mut self) -> Next {
        self.pos += LEFT.len();
        let marker = if has_left_trim(self.rest()) { 2 } else { 0 };
        if self.text[self.pos + marker..].starts_with("/*") {
            self.pos += marker;
            self.ignore();
            return self.comment();
        }
        self.emit(Kind::LeftDelim);
        self.pos += marker;
        self.ignore();
        self.parens = 0;
        Next::Action
    }

    fn comment(&mut self) -> Next {
        self.pos += 2;
        let Some(end) = self.rest().find("*/") else { return self.error("unclosed comment") };
        self.pos += end + 2;
        let Some(trim) = self.right_delim() else {
            return self.error("comment ends before closing delimiter");
        };
        self.pos += RIGHT.len() + if trim { 2 } else { 0 };
        if trim {
            self.skip_spaces();
        }
        self.ignore();
        Next::Text
    }

    fn skip_spaces(&mut self) {
        self.pos = self.text.len() - self.rest().trim_start_matches(is_space).len();
    }

    /// Whether a closing delimiter stands here, and whether it trims.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim(rest) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn action(&mut self) -> Next {
        if let Some(trim) = self.right_delim() {
            return self.close_action(trim);
        }
        let Some(character) = self.bump() else { return self.error("unclosed action") };
        match character {
            space if is_space(space) => return self.space(),
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.bump() != Some('=') {
                    return self.error("expected :=");
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '"' => return self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => return self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => return self.raw_string(),
            '$' => return self.field_or_variable(Kind::Variable),
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) && self.pos < self.text.len() => {
                return self.field_or_variable(Kind::Field);
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos -= 1;
                return self.number();
            }
            letter if is_alphanumeric(letter) => {
                self.pos -= letter.len_utf8();
                return self.identifier();
            }
            '(' => {
                self.emit(Kind::LeftParen);
                self.parens += 1;
            }
            ')' => {
                self.parens -= 1;
                if self.parens < 0 {
                    return self.error("unexpected right paren");
                }
                self.emit(Kind::RightParen);
            }
            ' '..='~' => self.emit(Kind::Char),
            other => return self.error(format!("unrecognized character in action: {}", code_point(other))),
        }
        Next::Action
    }

    fn close_action(&mut self, trim: bool) -> Next {
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
        Next::Text
    }

    /// A run of spaces; the last one may belong to a closing delimiter that trims.
    fn space(&mut self) -> Next {
        self.pos = self.start;
        let mut count = 0;
        while self.peek().is_some_and(is_space) {
            if has_right_trim(self.rest()) {
                break;
            }
            self.bump();
            count += 1;
        }
        if count == 0 {
            return self.close_action(true);
        }
        self.emit(Kind::Space);
        Next::Action
    }

    fn quoted(&mut self, quote: char, kind: Kind, problem: &str) -> Next {
        loop {
            match self.bump() {
                Some('\\') => match self.bump() {
                    None | Some('\n') => return self.error(problem),
                    Some(_) => {}
                },
                None | Some('\n') => return self.error(problem),
                Some(end) if end == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Next::Action
    }

    fn raw_string(&mut self) -> Next {
        let Some(end) = self.rest().find('`') else {
            return self.error("unterminated raw quoted string");
        };
        self.pos += end + 1;
        self.emit(Kind::RawString);
        Next::Action
    }

    fn field_or_variable(&mut self, kind: Kind) -> Next {
        if self.at_terminator() {
            self.emit(if kind == Kind::Variable { Kind::Variable } else { Kind::Dot });
            return Next::Action;
        }
        self.skip_word();
        if !self.at_terminator() {
            let bad = self.bump();
            return self
                .error(format!("bad character {}", bad.map_or_else(|| "U+FFFFFFFFFFFFFFFF".to_owned(), code_point)));
        }
        self.emit(kind);
        Next::Action
    }

    fn skip_word(&mut self) {
        loop {
            let bytes = &self.text.as_bytes()[self.pos..];
            let ascii = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            self.pos += ascii;
            if bytes.get(ascii).is_none_or(u8::is_ascii) || !self.peek().is_some_and(is_alphanumeric) {
                return;
            }
            self.bump();
        }
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None => true,
            Some(character) => is_space(character) || matches!(character, '.' | ',' | '|' | ':' | ')' | '(' | '}'),
        }
    }

    fn identifier(&mut self) -> Next {
        self.skip_word();
        if !self.at_terminator() {
            let bad = self.bump().map(code_point).unwrap_or_default();
            return self.error(format!("bad character {bad}"));
        }
        let kind = match &self.text[self.start..self.pos] {
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "nil" => Kind::Nil,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Next::Action
    }

    fn number(&mut self) -> Next {
        let good = self.scan_number();
        let mut kind = Kind::Number;
        if good && matches!(self.peek(), Some('+' | '-')) {
            kind = Kind::Complex;
            if !self.scan_number() || !self.text[..self.pos].ends_with('i') {
                return self.bad_number();
            }
        }
        if !good {
            return self.bad_number();
        }
        self.emit(kind);
        Next::Action
    }

    fn bad_number(&mut self) -> Next {
        let quoted = crate::quote::quote(&self.text.as_bytes()[self.start..self.pos]);
        self.error(format!("bad number syntax: {quoted}"))
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|next| valid.contains(next));
        if found {
            self.bump();
        }
        found
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = if digits.len() == 11 { "eE" } else { "pP" };
        if (digits.len() == 11 || digits.len() == 23) && self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}

fn line_breaks(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count()
}

/// Where a byte stands twice in a row.
fn find_pair(text: &str, byte: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(byte, bytes).find(|at| bytes.get(at + 1) == Some(&byte))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphabetic() || character.is_numeric()
}

fn has_left_trim(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next() == Some('-') && characters.next().is_some_and(is_space)
}

fn has_right_trim(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next().is_some_and(is_space) && characters.next() == Some('-') && characters.as_str().starts_with(RIGHT)
}

/// `%#U`: the code point and, if it can be printed, the character.
fn code_point(character: char) -> String {
    let code = u32::from(character);
    if character.is_control() { format!("U+{code:04X}") } else { format!("U+{code:04X} '{character}'") }
}
