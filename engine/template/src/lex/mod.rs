//! Template text to tokens, as Go's lexer cuts them.

mod action;

use crate::ast::Span;

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

/// A token: what it is, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Cuts a text into tokens, a few at a time; the last is `Eof` or `Error`.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    start: usize,
    pos: usize,
    parens: i32,
    done: bool,
    /// The tokens of the last stretch: those up to the end of an action.
    pub(crate) tokens: Vec<Token>,
    /// What the `Error` token complains of.
    problem: String,
}

/// What [`Lexer`]'s steps give: whether there is more to come.
type More = bool;

impl<'a> Lexer<'a> {
    /// A lexer of a text below four gigabytes.
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            start: 0,
            pos: 0,
            parens: 0,
            done: false,
            tokens: Vec::with_capacity(32),
            problem: String::new(),
        }
    }

    /// Whether the last token has been cut.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// A part of it.
    pub(crate) fn slice(&self, span: Span) -> &'a str {
        &self.text[span.range()]
    }

    /// The line, from 1, on which a place is.
    pub(crate) fn line(&self, pos: u32) -> usize {
        1 + line_breaks(&self.text[..pos as usize])
    }

    /// A token as Go's messages show it.
    pub(crate) fn shown(&self, token: Token) -> String {
        let text = self.slice(token.span);
        match token.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.problem.clone(),
            kind if kind.is_keyword() => format!("<{text}>"),
            _ if text.len() > 10 => {
                let short: String = text.chars().take(10).collect();
                format!("{}...", crate::quote::quote(short.as_bytes()))
            }
            _ => crate::quote::quote(text.as_bytes()),
        }
    }

    /// Replaces the tokens by those of the next stretch.
    pub(crate) fn advance(&mut self) {
        self.tokens.clear();
        while !self.done && self.tokens.is_empty() {
            self.done = !self.stretch();
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

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn push(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, span: Span::new(self.start, self.pos) });
    }

    fn emit(&mut self, kind: Kind) -> More {
        self.push(kind);
        self.start = self.pos;
        true
    }

    fn ignore(&mut self) {
        self.start = self.pos;
    }

    /// Go reports the line on which the scan stopped: where the token began.
    fn error(&mut self, message: impl Into<String>) -> More {
        self.pos = self.start;
        self.push(Kind::Error);
        self.problem = message.into();
        false
    }

    /// Plain text, and the action or comment behind it.
    fn stretch(&mut self) -> More {
        let Some(found) = find_pair(&self.bytes[self.pos..], b'{') else {
            self.pos = self.text.len();
            if self.pos > self.start {
                self.emit(Kind::Text);
            }
            self.emit(Kind::Eof);
            return false;
        };
        let delim = self.pos + found;
        let trims = self.is_left_trim(delim + LEFT.len());
        self.pos = if trims { self.before_spaces(delim) } else { delim };
        if self.pos > self.start {
            self.push(Kind::Text);
        }
        self.start = delim;
        self.pos = delim + LEFT.len();
        let marker = if trims { 2 } else { 0 };
        if self.bytes[self.pos + marker..].starts_with(b"/*") {
            self.pos += marker;
            self.ignore();
            return self.comment();
        }
        self.push(Kind::LeftDelim);
        self.pos += marker;
        self.ignore();
        self.parens = 0;
        self.action()
    }

    /// The end of the text before some spaces that end at a place.
    fn before_spaces(&self, end: usize) -> usize {
        let spaces = self.bytes[self.start..end].iter().rev().take_while(|byte| is_space(**byte)).count();
        end - spaces
    }

    fn comment(&mut self) -> More {
        self.pos += 2;
        let Some(end) = self.rest().find("*/") else { return self.error("unclosed comment") };
        self.pos += end + 2;
        let trims = self.is_right_trim(self.pos);
        if !trims && !self.rest().starts_with(RIGHT) {
            return self.error("comment ends before closing delimiter");
        }
        self.pos += RIGHT.len() + if trims { 2 } else { 0 };
        if trims {
            self.skip_spaces();
        }
        self.ignore();
        true
    }

    fn skip_spaces(&mut self) {
        self.pos += self.bytes[self.pos..].iter().take_while(|byte| is_space(**byte)).count();
    }

    /// Whether a dash and a space stand here, behind an opening delimiter.
    fn is_left_trim(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && self.byte(at + 1).is_some_and(is_space)
    }

    /// Whether a space, a dash and a closing delimiter stand here.
    fn is_right_trim(&self, at: usize) -> bool {
        self.byte(at + 1) == Some(b'-')
            && self.byte(at).is_some_and(is_space)
            && self.bytes[at + 2..].starts_with(RIGHT.as_bytes())
    }
}

fn line_breaks(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count()
}

/// Where a byte stands twice in a row.
fn find_pair(bytes: &[u8], byte: u8) -> Option<usize> {
    memchr::memchr_iter(byte, bytes).find(|at| bytes.get(at + 1) == Some(&byte))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
