//! Characters to tokens.
//!
//! The scanner knows indentation: it inserts the tokens that open and close block collections, and it
//! finds out late that a scalar was a mapping's key ("simple keys"), so tokens wait in a queue until
//! nothing can be inserted before them. Where texts are wrong it says so in the words, and blames the
//! line, that go-yaml does.

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
    /// In quotes.
    Quoted,
    /// A literal block.
    Block,
    /// A folded block.
    Folded,
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

    // === characters ===

    fn at(&self, ahead: usize) -> u8 {
        self.bytes.get(self.mark.offset + ahead).copied().unwrap_or(0)
    }

    fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    /// Length in bytes of a line break at this place, 0 if there is none.
    fn break_len(&self, ahead: usize) -> usize {
        match self.at(ahead) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.at(ahead + 1) == b'\n'),
            0xC2 if self.at(ahead + 1) == 0x85 => 2,
            0xE2 if self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    fn is_break(&self, ahead: usize) -> bool {
        self.break_len(ahead) > 0
    }

    fn is_end(&self, ahead: usize) -> bool {
        self.mark.offset + ahead >= self.bytes.len()
    }

    fn is_break_or_end(&self, ahead: usize) -> bool {
        self.is_break(ahead) || self.is_end(ahead)
    }

    fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    fn is_word(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
    }

    fn skip(&mut self) {
        self.mark.offset += width(self.at(0));
        self.mark.column += 1;
    }

    /// Skips characters of one byte and one column, up to one of a class that stops.
    fn skip_ordinary(&mut self, stop: u8) {
        let rest = self.bytes.get(self.mark.offset..).unwrap_or_default();
        let count = rest.iter().position(|byte| CLASSES[usize::from(*byte)] & stop != 0).unwrap_or(rest.len());
        self.mark.offset += count;
        self.mark.column += count;
    }

    fn skip_spaces(&mut self) {
        let rest = self.bytes.get(self.mark.offset..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| **byte == b' ').count();
        self.mark.offset += count;
        self.mark.column += count;
    }

    fn skip_many(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    fn skip_line(&mut self) {
        self.mark.offset += self.break_len(0);
        self.mark.line += 1;
        self.mark.column = 0;
    }

    /// Takes a line break: the common ones become `\n`, the Unicode separators stay.
    fn take_line(&mut self) -> &'a str {
        let taken = match self.at(0) {
            0xE2 => &self.text[self.mark.offset..self.mark.offset + 3],
            _ if self.is_break(0) => "\n",
            _ => return "",
        };
        self.skip_line();
        taken
    }

    fn read_line(&mut self, into: &mut String) {
        into.push_str(self.take_line());
    }

    fn read(&mut self, into: &mut String) {
        let end = (self.mark.offset + width(self.at(0))).min(self.bytes.len());
        into.push_str(&self.text[self.mark.offset..end]);
        self.skip();
    }

    /// Skips to a line's end, the break excluded.
    fn skip_rest_of_line(&mut self) {
        loop {
            self.skip_ordinary(WIDE | BREAK);
            if self.is_break_or_end(0) {
                return;
            }
            self.skip();
        }
    }

    fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && matches!(self.bytes.get(self.mark.offset..self.mark.offset + 3), Some(b"---" | b"..."))
            && self.is_blank_or_end(3)
    }

    // === tokens ===

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
        let from = self.mark.offset;
        while Self::is_word(self.at(0)) {
            self.skip();
        }
        let name = &self.text[from..self.mark.offset];
        if name.is_empty() || !(self.is_blank_or_end(0) || b"?:,]}%@`".contains(&self.at(0))) {
            return Err(self.fail_since(start, "did not find expected alphabetic or numeric character"));
        }
        self.push(if alias { Kind::Alias(name) } else { Kind::Anchor(name) }, start);
        Ok(())
    }

    // === directives and tags ===

    fn fetch_directive(&mut self) -> Result<(), Error> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let start = self.mark;
        self.skip();
        let from = self.mark.offset;
        while Self::is_word(self.at(0)) {
            self.skip();
        }
        let name = &self.text[from..self.mark.offset];
        if name.is_empty() {
            return Err(self.fail_since(start, "could not find expected directive name"));
        }
        if !self.is_blank_or_end(0) {
            return Err(self.fail_since(start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.version_directive(start)?,
            "TAG" => self.tag_directive(start)?,
            _ => return Err(self.fail_since(start, "found unknown directive name")),
        };
        self.push(kind, start);
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

    fn version_directive(&mut self, start: Mark) -> Result<Kind<'a>, Error> {
        self.skip_blanks();
        let major = self.version_number(start)?;
        if self.at(0) != b'.' {
            return Err(self.fail_since(start, "did not find expected digit or '.' character"));
        }
        self.skip();
        let minor = self.version_number(start)?;
        Ok(Kind::VersionDirective { major, minor })
    }

    fn version_number(&mut self, start: Mark) -> Result<u8, Error> {
        let mut value = 0;
        let mut length = 0;
        while self.at(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return Err(self.fail_since(start, "found extremely long version number"));
            }
            value = value * 10 + (self.at(0) - b'0');
            self.skip();
        }
        if length == 0 {
            return Err(self.fail_since(start, "did not find expected version number"));
        }
        Ok(value)
    }

    fn tag_directive(&mut self, start: Mark) -> Result<Kind<'a>, Error> {
        self.skip_blanks();
        let handle = self.tag_handle(true, start)?;
        if !self.is_blank(0) {
            return Err(self.fail_since(start, "did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.tag_uri("", start)?;
        if !self.is_blank_or_end(0) {
            return Err(self.fail_since(start, "did not find expected whitespace or line break"));
        }
        Ok(Kind::TagDirective { handle, prefix })
    }

    fn fetch_tag(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark;
        let (handle, suffix) = if self.at(1) == b'<' {
            self.skip_many(2);
            let uri = self.tag_uri("", start)?;
            if self.at(0) != b'>' {
                return Err(self.fail_since(start, "did not find the expected '>'"));
            }
            self.skip();
            ("", uri)
        } else {
            let handle = self.tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.tag_uri("", start)?)
            } else {
                let suffix = self.tag_uri(handle, start)?;
                if suffix.is_empty() { ("", "!".to_owned()) } else { ("!", suffix) }
            }
        };
        if !self.is_blank_or_end(0) {
            return Err(self.fail_since(start, "did not find expected whitespace or line break"));
        }
        self.push(Kind::Tag { handle, suffix }, start);
        Ok(())
    }

    fn tag_handle(&mut self, directive: bool, start: Mark) -> Result<&'a str, Error> {
        if self.at(0) != b'!' {
            return Err(self.fail_since(start, "did not find expected '!'"));
        }
        let from = self.mark.offset;
        self.skip();
        while Self::is_word(self.at(0)) {
            self.skip();
        }
        if self.at(0) == b'!' {
            self.skip();
        } else if directive && self.mark.offset - from != 1 {
            return Err(self.fail_since(start, "did not find expected '!'"));
        }
        Ok(&self.text[from..self.mark.offset])
    }

    fn tag_uri(&mut self, head: &str, start: Mark) -> Result<String, Error> {
        let mut found = !head.is_empty();
        let mut bytes: Vec<u8> = head.as_bytes().get(1..).unwrap_or_default().to_vec();
        loop {
            let byte = self.at(0);
            if byte == b'%' {
                let pair = self.text.get(self.mark.offset + 1..self.mark.offset + 3);
                let octet = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
                bytes.push(octet.ok_or_else(|| self.fail_since(start, "did not find URI escaped octet"))?);
                self.skip_many(3);
            } else if Self::is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) {
                bytes.push(byte);
                self.skip();
            } else {
                break;
            }
            found = true;
        }
        if !found {
            return Err(self.fail_since(start, "did not find expected tag URI"));
        }
        String::from_utf8(bytes).map_err(|_| self.fail_since(start, "found an incorrect leading UTF-8 octet"))
    }

    // === scalars ===

    fn fetch_block_scalar(&mut self, literal: bool) -> Result<(), Error> {
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

    fn fetch_flow_scalar(&mut self, single: bool) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark;
        let quote = if single { b'\'' } else { b'"' };
        self.skip();
        if let Some(text) = self.simple_quoted(quote) {
            self.push(Kind::Scalar { text: text.into(), style: Style::Quoted }, start);
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
        self.push(Kind::Scalar { text: text.into(), style: Style::Quoted }, start);
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

    fn fetch_plain(&mut self) -> Result<(), Error> {
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

// What loops over ordinary text stop at. A byte may be of several classes.
/// Blanks.
const BLANK: u8 = 1;
/// What may begin a line break.
const BREAK: u8 = 2;
/// Characters of several bytes.
const WIDE: u8 = 4;
/// What may end a plain scalar's word.
const INDICATOR: u8 = 8;
/// Quotes, and what escapes.
const QUOTE: u8 = 16;

static CLASSES: [u8; 256] = classes();

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
