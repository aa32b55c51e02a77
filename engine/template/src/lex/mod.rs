//! Template text to tokens, as Go's lexer cuts them.
//!
//! Two things differ, for the sake of speed: spaces are no tokens but a mark on what stands behind them, and the names
//! of a path such as `.a.b` or `$x.a.b` are one token instead of one each.

mod action;
mod bytes;

use self::bytes::{end_of_spaces, is_space};
use crate::ast::Span;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    // What operands begin with.
    Bool,
    CharConstant,
    Complex,
    Dot,
    /// `.a` or `.a.b`
    Field,
    Identifier,
    LeftParen,
    Nil,
    Number,
    RawString,
    String,
    /// `$x`, or `$x.a.b` as [`Token::rest`] says.
    Variable,
    // Other things.
    Assign,
    Char,
    Comment,
    Declare,
    Eof,
    Error,
    LeftDelim,
    Pipe,
    RightDelim,
    RightParen,
    // Keywords.
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

impl Kind {
    /// Whether an operand may begin with it.
    pub(crate) fn begins_operand(self) -> bool {
        self as u8 <= Self::Variable as u8
    }

    fn is_keyword(self) -> bool {
        matches!(self, Self::Dot | Self::Nil) || self as u8 >= Self::Block as u8
    }
}

/// A token: what it is, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Whether spaces stand before it, in an action.
    pub(crate) is_spaced: bool,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Where it becomes more than plain: at the fields of a variable, or at the first escape of a literal. Its end if it
    /// does not.
    pub(crate) rest: u32,
}

impl Token {
    pub(crate) fn span(self) -> Span {
        Span { start: self.start, end: self.end }
    }

    /// Whether it is a variable without fields, or a literal without escapes.
    pub(crate) fn is_plain(self) -> bool {
        self.rest == self.end
    }
}

const LEFT: [u8; 2] = *b"{{";
const RIGHT: [u8; 2] = *b"}}";

/// How far a lexer is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pos: usize,
    parens: u32,
    token: Token,
}

/// Cuts a text into tokens. Nothing comes behind an `Error`.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The last token.
    pub(crate) token: Token,
    pos: usize,
    /// How many parentheses are open.
    parens: u32,
    /// What the `Error` token complains of.
    problem: String,
}

impl<'a> Lexer<'a> {
    /// A lexer of a text below four gigabytes.
    pub(crate) fn new(text: &'a str) -> Self {
        let token = Token { kind: Kind::Eof, is_spaced: false, start: 0, end: 0, rest: 0 };
        Self { text, bytes: text.as_bytes(), token, pos: 0, parens: 0, problem: String::new() }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The bytes of a part of it.
    #[inline]
    pub(crate) fn bytes(&self, span: Span) -> &'a [u8] {
        &self.bytes[span.range()]
    }

    /// The line, from 1, on which a place is.
    pub(crate) fn line(&self, pos: u32) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.bytes[..pos as usize]).count()
    }

    /// A token as Go's messages show it.
    pub(crate) fn shown(&self, token: Token) -> String {
        let text = &self.text[token.span().range()];
        // Of a path, Go has seen the first name.
        let is_path = matches!(token.kind, Kind::Field | Kind::Variable);
        let text = if is_path { &text[..end_of_first_name(text)] } else { text };
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

    /// Where it is in an action, to come back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark { pos: self.pos, parens: self.parens, token: self.token }
    }

    /// Goes back to a place.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        (self.pos, self.parens, self.token) = (mark.pos, mark.parens, mark.token);
    }

    /// Gives plain text, which may be none, and cuts what ends it: the beginning of an action, a comment with its end, or
    /// the end.
    pub(crate) fn outside(&mut self) -> Span {
        let start = self.pos;
        let Some(delim) = self.find_left(start) else {
            let end = self.bytes.len();
            self.cut(Kind::Eof, end, end);
            return Span::new(start, end);
        };
        let inner = delim + LEFT.len();
        let (end, body) = if self.is_left_trim(inner) {
            let text = &self.bytes[start..delim];
            (text.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| start + last + 1), inner + 2)
        } else {
            (delim, inner)
        };
        if self.is_pair(body, *b"/*") {
            self.comment(body);
        } else {
            self.cut(Kind::LeftDelim, delim, inner);
            (self.pos, self.parens) = (body, 0);
        }
        Span::new(start, end)
    }

    /// Where an opening delimiter is.
    fn find_left(&self, mut from: usize) -> Option<usize> {
        loop {
            from += memchr::memchr(b'{', &self.bytes[from..])?;
            if self.byte(from + 1) == Some(b'{') {
                return Some(from);
            }
            from += 1;
        }
    }

    /// A comment and the delimiter behind it.
    #[inline(never)]
    fn comment(&mut self, start: usize) {
        let inner = start + 2;
        let slashes = memchr::memchr_iter(b'/', &self.bytes[inner..]);
        let found = slashes.map(|at| inner + at).find(|at| *at > inner && self.bytes[at - 1] == b'*');
        let Some(slash) = found else { return self.error(start, "unclosed comment") };
        let end = slash + 1;
        self.cut(Kind::Comment, start, end);
        if self.is_right_trim(end) {
            self.pos = end_of_spaces(self.bytes, end + 2 + RIGHT.len());
        } else if self.is_pair(end, RIGHT) {
            self.pos = end + RIGHT.len();
        } else {
            self.error(start, "comment ends before closing delimiter");
        }
    }

    /// Makes a token of what stands between two places, and goes on behind it.
    #[inline]
    fn cut(&mut self, kind: Kind, start: usize, end: usize) {
        self.cut_with(kind, start, end, end);
    }

    #[inline]
    fn cut_with(&mut self, kind: Kind, start: usize, end: usize, rest: usize) {
        self.pos = end;
        let span = Span::new(start, end);
        self.token.kind = kind;
        self.token.start = span.start;
        self.token.end = span.end;
        self.token.rest = Span::new(rest, end).start;
    }

    /// Go reports the line on which the scan stopped: where the token began.
    #[cold]
    #[inline(never)]
    fn error(&mut self, start: usize, problem: impl Into<String>) {
        self.problem = problem.into();
        self.cut(Kind::Error, start, start);
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn char(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    /// Whether a dash and a space stand here, behind an opening delimiter.
    fn is_left_trim(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && self.byte(at + 1).is_some_and(is_space)
    }

    /// Whether a space, a dash and a closing delimiter stand here.
    fn is_right_trim(&self, at: usize) -> bool {
        self.byte(at + 1) == Some(b'-') && self.byte(at).is_some_and(is_space) && self.is_pair(at + 2, RIGHT)
    }

    #[inline]
    fn is_pair(&self, at: usize, pair: [u8; 2]) -> bool {
        self.byte(at) == Some(pair[0]) && self.byte(at + 1) == Some(pair[1])
    }
}

/// Where the first name of a path ends.
fn end_of_first_name(path: &str) -> usize {
    memchr::memchr(b'.', &path.as_bytes()[1..]).map_or(path.len(), |at| at + 1)
}
