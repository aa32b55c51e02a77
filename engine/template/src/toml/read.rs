//! Texts, read as TOML 1.0.

use crate::datetime::{self, Time};
use crate::format::MAX_NESTING;
use crate::quote::quote_with;
use crate::value::{Entries, Value};

/// The value of a text.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let start = text.len().min(6);
    if text.as_bytes()[..start].contains(&0) {
        return Err(
            "toml: line 1: files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8".into()
        );
    }
    // What is wrong before a control character is told first.
    let control = text.char_indices().find(|(at, character)| match character {
        '\t' | '\n' => false,
        '\r' => !text[at + 1..].starts_with('\n'),
        other => other.is_ascii_control(),
    });
    let end = control.map_or(text.len(), |(at, _)| at);
    let mut reader = Reader { text: &text[..end], at: 0, last_key: String::new() };
    let read = reader.document();
    match control {
        Some((_, character)) if read.is_ok() || reader.at >= end => {
            let code = u32::from(character);
            Err(reader.error(&format!("TOML files cannot contain control characters: '0x{code:02x}'")))
        }
        _ => read,
    }
}

/// A table while it is read.
#[derive(Debug, Default)]
struct Table {
    entries: std::collections::BTreeMap<String, Node>,
    /// Given by a header of its own, so that a second header is a mistake.
    defined: bool,
    /// Given inline, so that nothing may be added.
    closed: bool,
}

#[derive(Debug)]
enum Node {
    Value(Plain),
    Table(Table),
    Tables(Vec<Table>),
}

#[derive(Debug)]
enum Plain {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(jiff::Zoned),
    List(Vec<Node>),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    last_key: String,
}

type Read<T> = Result<T, String>;

impl Reader<'_> {
    fn document(&mut self) -> Read<Value> {
        let mut root = Table::default();
        let mut path: Vec<String> = Vec::new();
        loop {
            self.blank_lines();
            match self.peek() {
                None => return Ok(table_value(root)),
                Some('[') => path = self.header(&mut root)?,
                Some(_) => self.pair(&mut root, &path)?,
            }
            self.end_of_line()?;
        }
    }

    fn error(&self, problem: &str) -> String {
        let line = 1 + self.text[..self.at.min(self.text.len())].matches('\n').count();
        if self.last_key.is_empty() {
            format!("toml: line {line}: {problem}")
        } else {
            format!("toml: line {line} (last key \"{}\"): {problem}", self.last_key)
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn comment(&mut self) {
        if self.peek() == Some('#') {
            let end = self.rest().find('\n').unwrap_or(self.rest().len());
            self.at += end;
        }
    }

    fn blank_lines(&mut self) {
        loop {
            self.spaces();
            self.comment();
            if !(self.eat("\n") || self.eat("\r\n")) {
                return;
            }
        }
    }

    fn end_of_line(&mut self) -> Read<()> {
        self.spaces();
        self.comment();
        if self.rest().is_empty() || self.rest().starts_with('\n') || self.rest().starts_with("\r\n") {
            return Ok(());
        }
        let found = quoted(self.peek().unwrap_or(' '));
        Err(self.error(&format!(
            "expected a top-level item to end with a newline, comment, or EOF, but got {found} instead"
        )))
    }

    fn header(&mut self, root: &mut Table) -> Read<Vec<String>> {
        let array = self.eat("[[");
        if !array {
            self.eat("[");
        }
        let path = self.key()?;
        self.last_key = path.join(".");
        if !self.eat(if array { "]]" } else { "]" }) {
            return Err(self.error("expected ']' to end table name"));
        }
        let duplicate = || format!("Key '{}' has already been defined.", path.join("."));
        let (last, parents) = path.split_last().ok_or_else(|| self.error("empty table name"))?;
        let Some(parent) = descend(root, parents) else { return Err(self.error(&duplicate())) };
        let entry = parent.entries.entry(last.clone());
        let problem = if array {
            match entry.or_insert_with(|| Node::Tables(Vec::new())) {
                Node::Tables(tables) => {
                    tables.push(Table { defined: true, ..Table::default() });
                    false
                }
                _ => true,
            }
        } else {
            match entry.or_insert_with(|| Node::Table(Table::default())) {
                Node::Table(table) if !table.defined && !table.closed => {
                    table.defined = true;
                    false
                }
                _ => true,
            }
        };
        if problem { Err(self.error(&duplicate())) } else { Ok(path) }
    }

    fn key(&mut self) -> Read<Vec<String>> {
        let mut parts = Vec::new();
        loop {
            self.spaces();
            let part = match self.peek() {
                Some('"') => self.basic_string()?,
                Some('\'') => self.literal_string()?,
                _ => {
                    let length = self
                        .rest()
                        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
                        .unwrap_or(self.rest().len());
                    if length == 0 {
                        return Err(match self.peek() {
                            Some('=') | None if parts.is_empty() => {
                                self.error("unexpected '=': key name appears blank")
                            }
                            Some('.') if parts.is_empty() => self.error("unexpected '.': keys cannot start with a '.'"),
                            Some('=' | '.' | '\n') | None => self.error("bare keys cannot be empty"),
                            Some(found) => self.error(&instead_of_key(found)),
                        });
                    }
                    let part = self.rest()[..length].to_owned();
                    self.at += length;
                    part
                }
            };
            parts.push(part);
            self.spaces();
            if !self.eat(".") {
                return Ok(parts);
            }
            if parts.len() > MAX_NESTING {
                return Err(self.error("key is nested too deeply"));
            }
        }
    }

    fn pair(&mut self, root: &mut Table, path: &[String]) -> Read<()> {
        let key = self.key()?;
        if !self.eat("=") {
            let got =
                self.peek().map_or_else(|| "unexpected EOF; expected key separator '='".to_owned(), instead_of_key);
            return Err(self.error(&got));
        }
        self.last_key = path.iter().chain(&key).cloned().collect::<Vec<_>>().join(".");
        let value = self.value(0)?;
        let (last, parents) = key.split_last().ok_or_else(|| self.error("empty key"))?;
        let full: Vec<String> = path.iter().chain(parents).cloned().collect();
        let duplicate = format!("Key '{}' has already been defined.", self.last_key);
        let Some(target) = descend(root, &full).filter(|table| !table.closed) else {
            return Err(self.error(&duplicate));
        };
        if target.entries.contains_key(last) {
            return Err(self.error(&duplicate));
        }
        target.entries.insert(last.clone(), value);
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        if depth > 200 {
            return Err(self.error("value is nested too deeply"));
        }
        self.spaces();
        let plain = match self.peek() {
            None | Some('\n') => return Err(self.error("unexpected EOF; expected value")),
            Some('"') if self.rest().starts_with("\"\"\"") => Plain::Text(self.long_string("\"\"\"")?),
            Some('\'') if self.rest().starts_with("'''") => Plain::Text(self.long_string("'''")?),
            Some('"') => Plain::Text(self.basic_string()?),
            Some('\'') => Plain::Text(self.literal_string()?),
            Some('[') => Plain::List(self.array(depth)?),
            Some('{') => return self.inline_table(depth),
            Some(_) => self.bare()?,
        };
        Ok(Node::Value(plain))
    }

    fn array(&mut self, depth: usize) -> Read<Vec<Node>> {
        self.eat("[");
        let mut items = Vec::new();
        loop {
            self.blank_lines();
            if self.eat("]") {
                return Ok(items);
            }
            items.push(self.value(depth + 1)?);
            self.blank_lines();
            if !self.eat(",") && self.peek() != Some(']') {
                return Err(self.error("expected a comma (',') or array terminator (']')"));
            }
        }
    }

    fn inline_table(&mut self, depth: usize) -> Read<Node> {
        self.eat("{");
        let mut table = Table { defined: true, ..Table::default() };
        self.spaces();
        while !self.eat("}") {
            let key = self.key()?;
            if !self.eat("=") {
                return Err(self.error("expected '=' after key"));
            }
            let value = self.value(depth + 1)?;
            let (last, parents) = key.split_last().ok_or_else(|| self.error("empty key"))?;
            let duplicate = format!("Key '{}' has already been defined.", key.join("."));
            let Some(target) = descend(&mut table, parents) else { return Err(self.error(&duplicate)) };
            if target.entries.insert(last.clone(), value).is_some() {
                return Err(self.error(&duplicate));
            }
            self.spaces();
            if !self.eat(",") && self.peek() != Some('}') {
                return Err(self.error("expected a comma or an inline table terminator '}'"));
            }
            self.spaces();
        }
        table.closed = true;
        Ok(Node::Table(table))
    }

    fn literal_string(&mut self) -> Read<String> {
        self.eat("'");
        let end = self.rest().find(['\'', '\n']).filter(|end| self.rest()[*end..].starts_with('\''));
        let Some(end) = end else { return Err(self.error("unexpected EOF; expected \"'\"")) };
        let text = self.rest()[..end].to_owned();
        self.at += end + 1;
        Ok(text)
    }

    fn basic_string(&mut self) -> Read<String> {
        self.eat("\"");
        let mut out = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error("unexpected EOF; expected '\"'")),
                Some('\n') => return Err(self.error("strings cannot contain newlines")),
                Some('"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => self.escape(&mut out)?,
                Some(other) => {
                    out.push(other);
                    self.at += other.len_utf8();
                }
            }
        }
    }

    fn long_string(&mut self, quote: &str) -> Read<String> {
        self.eat(quote);
        if !self.eat("\n") {
            self.eat("\r\n");
        }
        let mut out = String::new();
        loop {
            if self.rest().is_empty() {
                return Err(self.error(&format!("unexpected EOF; expected '{quote}'")));
            }
            if self.eat(quote) {
                // Up to two quotes may stand before the closing three.
                while self.rest().starts_with(&quote[..1]) {
                    out.push_str(&quote[..1]);
                    self.at += 1;
                }
                return Ok(out);
            }
            if quote == "\"\"\"" && self.rest().starts_with('\\') {
                let after = self.rest()[1..].trim_start_matches([' ', '\t', '\r']);
                if after.starts_with('\n') {
                    let skipped = after.trim_start().len();
                    self.at = self.text.len() - skipped;
                } else {
                    self.escape(&mut out)?;
                }
                continue;
            }
            if let Some(character) = self.peek() {
                out.push(character);
                self.at += character.len_utf8();
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Read<()> {
        let escaped = self.rest().chars().nth(1);
        self.at += 1 + escaped.map_or(0, char::len_utf8);
        let plain = match escaped {
            Some('b') => '\x08',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('f') => '\x0C',
            Some('r') => '\r',
            Some('e') => '\x1B',
            Some('"') => '"',
            Some('\\') => '\\',
            Some(kind @ ('u' | 'U' | 'x')) => {
                let count = match kind {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let code = self.rest().get(..count).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let character = code.and_then(char::from_u32).ok_or_else(|| self.error("invalid Unicode escape"))?;
                self.at += count;
                character
            }
            other => return Err(self.error(&format!("invalid escape character '{}'", other.unwrap_or(' ')))),
        };
        out.push(plain);
        Ok(())
    }

    fn bare(&mut self) -> Read<Plain> {
        let end = self.rest().find([',', ']', '}', '#', '\n', '\r']).unwrap_or(self.rest().len());
        let token = self.rest()[..end].trim_end().to_owned();
        let found = bare_value(&token);
        self.at += token.len();
        found.ok_or_else(|| {
            self.error(&format!("expected value but found {} instead", crate::quote::quote(token.as_bytes())))
        })
    }
}

/// A character as Go's `%q` shows it.
fn quoted(character: char) -> String {
    quote_with(character.encode_utf8(&mut [0; 4]).as_bytes(), '\'')
}

fn instead_of_key(found: char) -> String {
    format!("expected '.' or '=', but got {} instead", quoted(found))
}

fn bare_value(token: &str) -> Option<Plain> {
    match token {
        "true" => return Some(Plain::Bool(true)),
        "false" => return Some(Plain::Bool(false)),
        "inf" | "+inf" => return Some(Plain::Float(f64::INFINITY)),
        "-inf" => return Some(Plain::Float(f64::NEG_INFINITY)),
        "nan" | "+nan" | "-nan" => return Some(Plain::Float(f64::NAN)),
        _ => {}
    }
    if token.len() >= 8 && token.as_bytes().get(4) == Some(&b'-') || token.as_bytes().get(2) == Some(&b':') {
        return time_value(token);
    }
    let plain = token.replace('_', "");
    let digits = plain.trim_start_matches(['+', '-']);
    let prefixed = digits.starts_with("0x") || digits.starts_with("0o") || digits.starts_with("0b");
    if !prefixed && digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit() {
        return None;
    }
    if let Some(value) = kpkg_yaml::number::parse_int(&plain) {
        return Some(Plain::Int(value));
    }
    let shaped = digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.ends_with('.') && !digits.contains(".e");
    shaped.then(|| kpkg_yaml::number::parse_float(&plain)).flatten().map(Plain::Float)
}

fn time_value(token: &str) -> Option<Plain> {
    let layouts = [
        "2006-01-02T15:04:05.999999999Z07:00",
        "2006-01-02 15:04:05.999999999Z07:00",
        "2006-01-02T15:04:05.999999999",
        "2006-01-02 15:04:05.999999999",
        "2006-01-02",
        "15:04:05.999999999",
    ];
    let utc = jiff::tz::TimeZone::UTC;
    layouts.iter().find_map(|layout| datetime::parse(layout, token, &utc).ok()).map(Plain::Time)
}

/// The table at a path, made on the way; arrays of tables lead to their last.
fn descend<'t>(table: &'t mut Table, path: &[String]) -> Option<&'t mut Table> {
    path.iter().try_fold(table, |table, key| {
        if table.closed {
            return None;
        }
        match table.entries.entry(key.clone()).or_insert_with(|| Node::Table(Table::default())) {
            Node::Table(inner) => Some(inner),
            Node::Tables(tables) => tables.last_mut(),
            Node::Value(_) => None,
        }
    })
}

fn table_value(table: Table) -> Value {
    let entries: Entries = table.entries.into_iter().map(|(key, node)| (key.into(), node_value(node))).collect();
    Value::map(entries)
}

fn node_value(node: Node) -> Value {
    match node {
        Node::Table(table) => table_value(table),
        Node::Tables(tables) => Value::list(tables.into_iter().map(table_value).collect()),
        Node::Value(Plain::Text(text)) => text.into(),
        Node::Value(Plain::Int(value)) => Value::int64(value),
        Node::Value(Plain::Float(value)) => Value::Float(value),
        Node::Value(Plain::Bool(value)) => Value::Bool(value),
        Node::Value(Plain::Time(time)) => Time::value(time),
        Node::Value(Plain::List(items)) => Value::list(items.into_iter().map(node_value).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{JsonStyle, json};

    #[test]
    fn reads() {
        let cases = [
            ("a = 1\nb = [1, 2.5, \"x\"]\n[c]\nd = 'y'\n", r#"{"a":1,"b":[1,2.5,"x"],"c":{"d":"y"}}"#),
            ("[[a]]\nb=1\n[[a]]\nb=2\n[a.c]\nd=3", r#"{"a":[{"b":1},{"b":2,"c":{"d":3}}]}"#),
            ("a.b.c = true # yes\n\"d e\" = {x = 1, y = 2}", r#"{"a":{"b":{"c":true}},"d e":{"x":1,"y":2}}"#),
            ("a = \"\"\"\none\ntwo\\\n   three\"\"\"", r#"{"a":"one\ntwothree"}"#),
            ("a = 0x10\nb = 1_000", r#"{"a":16,"b":1000}"#),
        ];
        for (text, want) in cases {
            let value = parse(text).expect(text);
            assert_eq!(json(&value, JsonStyle::COMPACT).expect("plain"), want, "{text}");
        }
    }

    #[test]
    fn refuses() {
        for (text, want) in [
            ("a = ", "toml: line 1 (last key \"a\"): unexpected EOF; expected value"),
            ("a", "toml: line 1: unexpected EOF; expected key separator '='"),
            ("a = 1\na = 2", "toml: line 2 (last key \"a\"): Key 'a' has already been defined."),
        ] {
            assert_eq!(parse(text).err().as_deref(), Some(want), "{text}");
        }
    }
}
