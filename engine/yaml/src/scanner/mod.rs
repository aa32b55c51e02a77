//! Characters to tokens.
//!
//! The scanner knows indentation: it inserts the tokens that open and close block collections, and it
//! finds out late that a scalar was a mapping's key ("simple keys"), so tokens wait in a queue until
//! nothing can be inserted before them. Where texts are wrong it says so in the words, and blames the
//! line, that go-yaml does.

mod characters;
mod directives;
mod scalars;

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::error::Error;

/// A place in the text; all counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Bytes before it.
    pub offset: usize,
    /// Lines before it.
    pub line: usize,
    /// Characters before it on its line.
    pub column: usize,
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: its meaning is resolved.
    Plain,
    /// In double quotes.
    Quoted,
    /// In single quotes.
    Single,
    /// A literal block.
    Block,
    /// A folded block.
    Folded,
}

impl Style {
    /// The style of a text that begins with this quote.
    pub(crate) fn of_quote(quote: u8) -> Self {
        if quote == b'\'' { Self::Single } else { Self::Quoted }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind<'a> {
    StreamEnd,
    VersionDirective { major: u8, minor: u8 },
    TagDirective { handle: &'a str, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag { handle: &'a str, suffix: String },
    Scalar { text: Cow<'a, str>, style: Style },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

/// A place where a mapping's key may have begun.
#[derive(Debug, Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

/// How deep collections may nest; Go's limit is higher, but its stacks grow.
const MAX_DEPTH: usize = 500;

pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    mark: Mark,
    queue: VecDeque<Token<'a>>,
    /// Tokens already handed out.
    taken: usize,
    indent: isize,
    indents: Vec<isize>,
    key_allowed: bool,
    keys: Vec<SimpleKey>,
    ended: bool,
    /// Whether nothing can be inserted before the first token any more.
    settled: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            mark: Mark::default(),
            queue: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![SimpleKey::default()],
            ended: false,
            settled: false,
        }
    }

    /// The next token, left in place.
    pub(crate) fn peek(&mut self) -> Result<&Token<'a>, Error> {
        self.fill()?;
        Ok(self.queue.front().expect("fill leaves a token"))
    }

    /// Takes the next token.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, Error> {
        self.fill()?;
        self.settled = false;
        self.taken += 1;
        Ok(self.queue.pop_front().expect("fill leaves a token"))
    }

    fn fill(&mut self) -> Result<(), Error> {
        if self.settled {
            return Ok(());
        }
        while self.queue.is_empty() || self.front_may_be_key()? {
            if self.ended {
                if self.queue.is_empty() {
                    self.push(Kind::StreamEnd, self.mark);
                }
                break;
            }
            self.fetch()?;
        }
        self.settled = true;
        Ok(())
    }

    fn front_may_be_key(&mut self) -> Result<bool, Error> {
        for index in (0..self.keys.len()).rev() {
            if self.keys[index].token < self.taken && self.keys[index].possible {
                break;
            }
            if self.key_is_valid(index)? && self.keys[index].token == self.taken {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A simple key fits on one line and in 1024 characters.
    fn key_is_valid(&mut self, index: usize) -> Result<bool, Error> {
        let key = self.keys[index];
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < self.mark.line || key.mark.offset + 1024 < self.mark.offset {
            if key.required {
                return Err(self.fail("could not find expected ':'"));
            }
            self.keys[index].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn fail(&self, problem: &str) -> Error {
        // Go prints no line where both marks are on the first one.
        self.fail_since(Mark::default(), problem)
    }

    fn fail_since(&self, context: Mark, problem: &str) -> Error {
        let line = match (self.mark.line, context.line) {
            (0, 0) => None,
            (0, line) => Some(line),
            (line, _) => Some(line + 1),
        };
        Error::syntax(line, problem)
    }

    fn push(&mut self, kind: Kind<'a>, start: Mark) {
        let end = self.mark;
        self.queue.push_back(Token { kind, start, end });
    }

    fn fetch(&mut self) -> Result<(), Error> {
        self.skip_to_token();
        self.unroll(self.column());
        if self.is_end(0) {
            return self.fetch_end();
        }
        let byte = self.at(0);
        if self.mark.column == 0 {
            if byte == b'%' {
                return self.fetch_directive();
            }
            if self.at_document_indicator() {
                let kind = if byte == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd };
                return self.fetch_document_indicator(kind);
            }
        }
        let in_flow = self.in_flow();
        match byte {
            b'[' => self.fetch_flow_start(Kind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(Kind::FlowMappingStart),
            b']' => self.fetch_flow_end(Kind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(Kind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if self.is_blank_or_end(1) => self.fetch_block_entry(),
            b'?' if in_flow || self.is_blank_or_end(1) => self.fetch_key(),
            b':' if in_flow || self.is_blank_or_end(1) => self.fetch_value(),
            b'*' | b'&' => self.fetch_anchor(byte == b'*'),
            b'!' => self.fetch_tag(),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(byte == b'|'),
            b'\'' | b'"' => self.fetch_flow_scalar(byte == b'\''),
            _ if self.starts_plain(byte) => self.fetch_plain(),
            _ => Err(self.fail("found character that cannot start any token")),
        }
    }

    fn starts_plain(&self, byte: u8) -> bool {
        match byte {
            b'-' => !self.is_blank(1),
            b'?' | b':' => !self.in_flow() && !self.is_blank_or_end(1),
            _ => !self.is_blank_or_end(0) && !b",[]{}#&*!|>'\"%@`".contains(&byte),
        }
    }

    fn in_flow(&self) -> bool {
        self.keys.len() > 1
    }

    fn column(&self) -> isize {
        isize::try_from(self.mark.column).unwrap_or(isize::MAX)
    }

    fn skip_to_token(&mut self) {
        loop {
            if self.mark.column == 0
                && self.bytes[self.mark.offset.min(self.bytes.len())..].starts_with(b"\xEF\xBB\xBF")
            {
                self.skip();
            }
            self.skip_spaces();
            while self.at(0) == b' ' || self.at(0) == b'\t' && (self.in_flow() || !self.key_allowed) {
                self.skip();
            }
            if self.at(0) == b'#' {
                self.skip_rest_of_line();
            }
            if !self.is_break(0) {
                return;
            }
            self.skip_line();
            if !self.in_flow() {
                self.key_allowed = true;
            }
        }
    }

    fn save_key(&mut self) -> Result<(), Error> {
        if self.key_allowed {
            let required = !self.in_flow() && self.indent == self.column();
            self.remove_key()?;
            let token = self.taken + self.queue.len();
            *self.keys.last_mut().expect("one level stays") =
                SimpleKey { possible: true, required, token, mark: self.mark };
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Error> {
        let key = self.keys.last_mut().expect("one level stays");
        let missing = key.possible && key.required;
        key.possible = false;
        if missing { Err(self.fail("could not find expected ':'")) } else { Ok(()) }
    }

    /// Opens a block collection if the column is deeper than the current one.
    fn roll(&mut self, column: isize, at: Option<usize>, kind: Kind<'a>, mark: Mark) -> Result<(), Error> {
        if self.in_flow() || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() + self.keys.len() > MAX_DEPTH {
            return Err(self.fail(&format!("exceeded max depth of {MAX_DEPTH}")));
        }
        let token = Token { kind, start: mark, end: mark };
        match at {
            Some(number) => self.queue.insert(number - self.taken, token),
            None => self.queue.push_back(token),
        }
        Ok(())
    }

    /// Closes the block collections that are deeper than the column.
    fn unroll(&mut self, column: isize) {
        if self.in_flow() {
            return;
        }
        while self.indent > column {
            self.push(Kind::BlockEnd, self.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_end(&mut self) -> Result<(), Error> {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.ended = true;
        self.push(Kind::StreamEnd, self.mark);
        Ok(())
    }

    fn fetch_document_indicator(&mut self, kind: Kind<'a>) -> Result<(), Error> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let start = self.mark;
        self.skip_many(3);
        self.push(kind, start);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: Kind<'a>) -> Result<(), Error> {
        self.save_key()?;
        self.keys.push(SimpleKey::default());
        if self.indents.len() + self.keys.len() > MAX_DEPTH {
            return Err(self.fail(&format!("exceeded max depth of {MAX_DEPTH}")));
        }
        self.key_allowed = true;
        let start = self.mark;
        self.skip();
        self.push(kind, start);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: Kind<'a>) -> Result<(), Error> {
        self.remove_key()?;
        if self.keys.len() > 1 {
            self.keys.pop();
        }
        self.key_allowed = false;
        let start = self.mark;
        self.skip();
        self.push(kind, start);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), Error> {
        self.remove_key()?;
        self.key_allowed = true;
        let start = self.mark;
        self.skip();
        self.push(Kind::FlowEntry, start);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Error> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err(self.fail("block sequence entries are not allowed in this context"));
            }
            self.roll(self.column(), None, Kind::BlockSequenceStart, self.mark)?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        let start = self.mark;
        self.skip();
        self.push(Kind::BlockEntry, start);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Error> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err(self.fail("mapping keys are not allowed in this context"));
            }
            self.roll(self.column(), None, Kind::BlockMappingStart, self.mark)?;
        }
        self.remove_key()?;
        self.key_allowed = !self.in_flow();
        let start = self.mark;
        self.skip();
        self.push(Kind::Key, start);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Error> {
        let level = self.keys.len() - 1;
        if self.key_is_valid(level)? {
            let key = self.keys[level];
            self.queue.insert(key.token - self.taken, Token { kind: Kind::Key, start: key.mark, end: key.mark });
            let column = isize::try_from(key.mark.column).unwrap_or(isize::MAX);
            self.roll(column, Some(key.token), Kind::BlockMappingStart, key.mark)?;
            self.keys[level].possible = false;
            self.key_allowed = false;
        } else {
            if !self.in_flow() {
                if !self.key_allowed {
                    return Err(self.fail("mapping values are not allowed in this context"));
                }
                self.roll(self.column(), None, Kind::BlockMappingStart, self.mark)?;
            }
            self.key_allowed = !self.in_flow();
        }
        let start = self.mark;
        self.skip();
        self.push(Kind::Value, start);
        Ok(())
    }

    fn fetch_anchor(&mut self, alias: bool) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark;
        self.skip();
        let name = self.take_word();
        if name.is_empty() || !(self.is_blank_or_end(0) || b"?:,]}%@`".contains(&self.at(0))) {
            return Err(self.fail_since(start, "did not find expected alphabetic or numeric character"));
        }
        self.push(if alias { Kind::Alias(name) } else { Kind::Anchor(name) }, start);
        Ok(())
    }
}
