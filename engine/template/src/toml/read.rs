//! Texts, read as the library reads them: what it takes, and what it says of what it does not.

use jiff::Zoned;
use std::rc::Rc;

use crate::quote::quote;
use crate::text::Text;
use crate::value::Value;

use super::cursor::{Cursor, Problem, Read, named, shown};
use super::tables::{Node, Tables};
use super::{scalar, strings};

/// How many lists and inline tables may stand inside each other.
const MAX_OPEN: usize = 1000;

/// The value of a text; times without a zone have the offset of now.
pub(crate) fn parse(text: &[u8], now: &Zoned) -> Result<Value, String> {
    let marks: [&[u8]; 3] = [b"\xFF\xFE", b"\xFE\xFF", b"\xEF\xBB\xBF"];
    let text = marks.iter().find_map(|mark| text.strip_prefix(*mark)).unwrap_or(text);
    if text.iter().take(6).any(|byte| *byte == 0) {
        return Err(
            "toml: line 1: files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8".into()
        );
    }
    let mut reader =
        Reader { cursor: Cursor::new(text), tables: Tables::new(), key: Text::default(), key_line: 0, open: 0, now };
    match reader.document() {
        Ok(()) => Ok(reader.tables.finish()),
        Err(problem) => Err(reader.told(problem)),
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    tables: Tables,
    /// The last part of the key whose value is read.
    key: Text,
    /// The line of the key read last.
    key_line: usize,
    /// How many lists and inline tables are open.
    open: usize,
    now: &'a Zoned,
}

impl Reader<'_> {
    /// A problem with the key that the reader was at.
    fn told(&self, Problem { line, what }: Problem) -> String {
        let context = self.tables.context_text();
        let key = match (self.key.to_str(), context.is_empty()) {
            (key, _) if key.is_empty() => context,
            (key, true) => key.into_owned(),
            (key, false) => format!("{context}.{key}"),
        };
        if key.is_empty() {
            return format!("toml: line {line}: {what}");
        }
        format!("toml: line {line} (last key {}): {what}", quote(key.as_bytes()))
    }

    /// What is wrong with the key read last.
    fn of_key<T>(&self, result: Result<T, String>) -> Read<T> {
        result.map_err(|what| Problem { line: self.key_line, what })
    }

    fn document(&mut self) -> Read<()> {
        loop {
            match self.cursor.blanks()? {
                None => return Ok(()),
                Some('[') => self.header()?,
                Some(_) => {
                    let outer = self.tables.context;
                    self.pair()?;
                    self.tables.context = outer;
                    self.key = Text::default();
                }
            }
            self.end_of_line()?;
        }
    }

    fn end_of_line(&mut self) -> Read<()> {
        self.cursor.spaces()?;
        match self.cursor.next()? {
            None | Some('\r' | '\n') => Ok(()),
            Some('#') => self.cursor.comment(),
            found => {
                let want = "expected a top-level item to end with a newline, comment, or EOF";
                Err(self.cursor.unexpected(found, format!("{want}, but got {} instead", shown(found))))
            }
        }
    }

    /// `[a.b]` or `[[a.b]]`.
    fn header(&mut self) -> Read<()> {
        self.cursor.next()?;
        let array = self.cursor.accept('[')?;
        let key = self.table_name()?;
        if array {
            let found = self.cursor.next()?;
            if found != Some(']') {
                let want = "expected end of table array name delimiter ']'";
                return Err(self.cursor.unexpected(found, format!("{want}, but got {} instead", shown(found))));
            }
        }
        let made = self.tables.header(&key, array);
        self.of_key(made)?;
        let noted = self.tables.note(&Text::default(), false);
        self.of_key(noted)
    }

    /// The parts of a table's name, to its `]`.
    fn table_name(&mut self) -> Read<Vec<Text>> {
        let mut key = Vec::new();
        loop {
            self.cursor.spaces()?;
            let empty = match self.cursor.peek()? {
                None | Some(']') => "unexpected end of table name",
                Some('.') => "unexpected table separator",
                _ => "",
            };
            if !empty.is_empty() {
                return Err(self.cursor.problem(format!("{empty} (table names cannot be empty)")));
            }
            key.push(self.part(key.is_empty())?);
            self.cursor.spaces()?;
            match self.cursor.next()? {
                Some('.') => {}
                Some(']') => return Ok(key),
                found => {
                    let what = format!("expected '.' or ']' to end table name, but got {} instead", shown(found));
                    return Err(self.cursor.unexpected(found, what));
                }
            }
        }
    }

    /// A part of a key; one without quotes may be empty, which what follows it tells.
    fn part(&mut self, first: bool) -> Read<Text> {
        let start = self.cursor.at();
        let quote = self.cursor.peek()?.filter(|found| matches!(found, '"' | '\''));
        if first {
            self.key_line = self.cursor.line();
        }
        Ok(match quote {
            Some(quote) => {
                self.cursor.accept(quote)?;
                let text =
                    if quote == '"' { strings::basic(&mut self.cursor) } else { strings::literal(&mut self.cursor) };
                text?.into()
            }
            None => {
                self.cursor.skip(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'))?;
                self.cursor.since(start).into()
            }
        })
    }

    /// The parts of a key, to its `=`.
    fn parts(&mut self) -> Read<Vec<Text>> {
        let mut key = Vec::new();
        loop {
            self.cursor.spaces()?;
            match (self.cursor.peek()?, key.is_empty()) {
                (None | Some('='), true) => {
                    return Err(self.cursor.problem("unexpected '=': key name appears blank"));
                }
                (Some('.'), true) => return Err(self.cursor.problem("unexpected '.': keys cannot start with a '.'")),
                (None | Some('='), false) => return Err(self.cursor.problem("unexpected '='")),
                (Some('.'), false) => return Err(self.cursor.problem("unexpected '.'")),
                _ => {}
            }
            key.push(self.part(key.is_empty())?);
            self.cursor.spaces()?;
            let found = self.cursor.next()?;
            let what = || format!("expected '.' or '=', but got {} instead", shown(found));
            match found {
                Some('.') => {}
                Some('=') => return Ok(key),
                None => return Err(self.cursor.unexpected(None, "unexpected EOF; expected key separator '='")),
                Some('\n') => return Err(self.cursor.problem_before(what())),
                Some(_) => return Err(self.cursor.problem(what())),
            }
        }
    }

    /// A key and its value, which is set in the table that the key leads to. The context stays there.
    fn pair(&mut self) -> Read<(Vec<Text>, Node)> {
        let key = self.parts()?;
        let (last, parents) = key.split_last().ok_or_else(|| self.cursor.problem("a key has no name"))?;
        self.key = last.clone();
        for part in parents {
            let implied = self.tables.imply(part);
            self.of_key(implied)?;
        }
        let value = self.value(false)?;
        let set = self.tables.set(last, value.clone());
        self.of_key(set)?;
        let noted = self.tables.note(last, matches!(value, Node::List(_)));
        self.of_key(noted)?;
        Ok((key, value))
    }

    fn value(&mut self, in_list: bool) -> Read<Node> {
        self.cursor.spaces()?;
        if self.cursor.peek()?.is_some_and(|first| first.is_ascii_digit()) {
            return scalar::number(&mut self.cursor, self.now).map(Node::Value);
        }
        let first = self.cursor.next()?;
        let value = match first {
            Some('[') => return self.nested(Self::list),
            Some('{') => return self.nested(|reader| reader.inline_table(in_list)),
            Some(quote @ ('"' | '\'')) => self.string(quote)?.into(),
            Some('-' | '+') => scalar::signed(&mut self.cursor, self.now)?,
            _ => scalar::word(&mut self.cursor, first)?,
        };
        Ok(Node::Value(value))
    }

    /// What may hold others of its kind: the depth of the stack has a bound.
    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Read<Node>) -> Read<Node> {
        self.open += 1;
        if self.open > MAX_OPEN {
            return Err(self.cursor.problem("values are nested too deeply"));
        }
        let node = read(self)?;
        self.open -= 1;
        Ok(node)
    }

    fn string(&mut self, quote: char) -> Read<String> {
        let here = self.cursor.at();
        let long = self.cursor.accept(quote)? && self.cursor.accept(quote)?;
        if !long {
            self.cursor.back_to(here);
        }
        let read = match (quote, long) {
            ('"', true) => strings::long_basic,
            ('"', false) => strings::basic,
            (_, true) => strings::long_literal,
            (_, false) => strings::literal,
        };
        read(&mut self.cursor)
    }

    fn list(&mut self) -> Read<Node> {
        let noted = self.tables.note(&self.key.clone(), true);
        self.of_key(noted)?;
        let mut nodes = Vec::new();
        while !self.ends(']')? {
            nodes.push(self.value(true)?);
            self.cursor.blanks()?;
            match self.cursor.next()? {
                Some(',') => {}
                Some(']') => break,
                found => {
                    let what = format!("expected a comma (',') or array terminator (']'), but got {}", named(found));
                    return Err(self.cursor.unexpected(found, what));
                }
            }
        }
        Ok(Node::List(Rc::new(nodes)))
    }

    /// Whether a list or an inline table ends where another item of it might stand.
    fn ends(&mut self, end: char) -> Read<bool> {
        match self.cursor.blanks()? {
            Some(found) if found == end => self.cursor.accept(end),
            Some(',') => Err(self.cursor.problem("unexpected comma")),
            _ => Ok(false),
        }
    }

    /// An inline table. It is read twice over: into the tables, which say what is allowed, and into one of its own, which a
    /// list keeps.
    fn inline_table(&mut self, in_list: bool) -> Read<Node> {
        let (outer, outer_key) = (self.tables.context, std::mem::take(&mut self.key));
        let opened = self.tables.inline(&outer_key, in_list);
        self.of_key(opened)?;
        let (inner, own) = (self.tables.context, self.tables.make());
        while !self.ends('}')? {
            let (key, value) = self.pair()?;
            let (last, parents) = key.split_last().ok_or_else(|| self.cursor.problem("a key has no name"))?;
            if !self.tables.put(own, parents, last, value) {
                let name = quote(self.tables.context_text().as_bytes());
                return self.of_key(Err(format!("{name} is not a table")));
            }
            self.tables.context = inner;
            self.cursor.blanks()?;
            match self.cursor.next()? {
                Some(',') => {}
                Some('}') => break,
                found => {
                    let want = "expected a comma or an inline table terminator '}'";
                    return Err(self.cursor.unexpected(found, format!("{want}, but got {} instead", named(found))));
                }
            }
        }
        self.tables.context = outer;
        self.key = outer_key;
        Ok(Node::Table(own))
    }
}
