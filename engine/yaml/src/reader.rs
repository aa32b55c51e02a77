//! Documents to values: resolves scalars, expands aliases and merge keys, and turns keys to strings.
//!
//! What comes out is what `sigs.k8s.io/yaml` leaves after its way over JSON. Aliases are copied, so the
//! reader holds go-yaml's limit on how much of a document may come from them: a small text cannot
//! become a huge value.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::encoding::decode;
use crate::error::Error;
use crate::lines;
use crate::number;
use crate::parser::{Parser, Properties, Scalar, Sink};
use crate::resolve::{Resolved, resolve};
use crate::scanner::Mark;
use crate::value::{Map, Value};

/// How to read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Keep integers apart from floats; Helm's values do not.
    pub integers: bool,
    /// Refuse a key that is given twice in one mapping.
    pub unique_keys: bool,
    /// The largest text to accept, in bytes.
    pub max_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { integers: false, unique_keys: false, max_size: 64 << 20 }
    }
}

/// Reads the first document of a text as Helm reads values: all numbers become floats.
pub fn read(text: &str) -> Result<Value, Error> {
    read_with(text, Options::default())
}

/// Reads the first document of a text; an empty text is null.
pub fn read_with(text: &str, options: Options) -> Result<Value, Error> {
    if text.len() > options.max_size {
        return Err(Error::TooLarge { size: text.len(), limit: options.max_size });
    }
    let breaks = check_characters(text)?;
    let mut composer = Composer::new(options);
    if breaks == Breaks::Plain && lines::document(text, &mut composer) {
        return composer.finish();
    }
    let mut composer = Composer::new(options);
    Parser::new(text).document(&mut composer)?;
    composer.finish()
}

/// Reads the first document of a text that may not be UTF-8.
pub fn read_bytes(bytes: &[u8]) -> Result<Value, Error> {
    read(&decode(bytes)?)
}

/// How the lines of a text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaks {
    /// All by `\n`; nor is there a byte order mark.
    Plain,
    /// Some otherwise.
    Other,
}

/// Refuses control characters.
pub(crate) fn check_characters(text: &str) -> Result<Breaks, Error> {
    /// Bytes looked at in one go: few texts hold any byte that needs a second look.
    const STRIDE: usize = 64;
    let bytes = text.as_bytes();
    let mut breaks = Breaks::Plain;
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    for (number, stride) in strides.iter().enumerate() {
        if !stride.iter().fold(true, |all, byte| all & is_simple(*byte)) {
            check_each(bytes, number * STRIDE..(number + 1) * STRIDE, &mut breaks)?;
        }
    }
    check_each(bytes, bytes.len() - rest.len()..bytes.len(), &mut breaks)?;
    Ok(breaks)
}

fn check_each(bytes: &[u8], range: Range<usize>, breaks: &mut Breaks) -> Result<(), Error> {
    for index in range.filter(|index| !is_simple(bytes[*index])) {
        match &bytes[index..] {
            rest if is_control(rest) => return Err(Error::plain("control characters are not allowed")),
            [b'\r', ..] | [0xC2, 0x85, ..] | [0xE2, 0x80, 0xA8 | 0xA9, ..] | [0xEF, 0xBB, 0xBF, ..] => {
                *breaks = Breaks::Other;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a byte is one of the characters that texts are full of: neither a control character nor part of a long one.
#[expect(clippy::needless_bitwise_bool, reason = "without branches, many bytes are looked at in one instruction")]
fn is_simple(byte: u8) -> bool {
    (byte.cast_signed() >= 0x20) & (byte != 0x7F) | (byte == b'\n')
}

fn is_control(rest: &[u8]) -> bool {
    match rest {
        [b'\t' | b'\n' | b'\r', ..] => false,
        [0..0x20 | 0x7F, ..] => true,
        [0xC2, second, ..] => (0x80..0xA0).contains(second) && *second != 0x85,
        [0xEF, 0xBF, 0xBE | 0xBF, ..] => true,
        _ => false,
    }
}

/// A collection that is not complete yet.
enum Frame {
    List { items: Vec<Value>, anchor: Option<String> },
    Map { map: Map, key: Key, anchor: Option<String>, line: usize },
}

/// What a mapping waits for.
enum Key {
    Wanted,
    Named(String),
    Merge,
}

/// A finished anchor: its value and how many nodes a copy of it adds.
struct Anchored {
    value: Value,
    nodes: usize,
}

pub(crate) struct Composer {
    options: Options,
    stack: Vec<Frame>,
    anchors: BTreeMap<String, Anchored>,
    open_anchors: BTreeSet<String>,
    /// Nodes decoded, and how many of them came from aliases.
    nodes: usize,
    alias_nodes: usize,
    duplicates: Vec<String>,
    root: Value,
}

impl Composer {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            stack: Vec::new(),
            anchors: BTreeMap::new(),
            open_anchors: BTreeSet::new(),
            nodes: 0,
            alias_nodes: 0,
            duplicates: Vec::new(),
            root: Value::Null,
        }
    }

    pub(crate) fn finish(self) -> Result<Value, Error> {
        if !self.duplicates.is_empty() {
            let problem = format!("unmarshal errors:\n  {}", self.duplicates.join("\n  "));
            return Err(Error::plain(problem));
        }
        Ok(self.root)
    }

    /// Registers a finished node under its anchor and puts it where it belongs.
    fn place(&mut self, value: Value, anchor: Option<String>, origin: &Origin) -> Result<(), Error> {
        self.count(1)?;
        if let Some(name) = anchor {
            self.open_anchors.remove(&name);
            self.anchors.insert(name, Anchored { nodes: count_nodes(&value), value: value.clone() });
        }
        self.put(value, origin)
    }

    fn count(&mut self, nodes: usize) -> Result<(), Error> {
        self.nodes += nodes;
        if self.alias_nodes > 100 && self.nodes > 1000 {
            let ratio = self.alias_nodes as f64 / self.nodes as f64;
            if ratio > allowed_alias_ratio(self.nodes) {
                return Err(Error::plain("document contains excessive aliasing"));
            }
        }
        Ok(())
    }

    /// A node that is nothing but text: most are.
    fn text(&mut self, text: String, mark: Mark) -> Result<(), Error> {
        self.count(1)?;
        match self.stack.last_mut() {
            Some(Frame::Map { key: key @ Key::Wanted, .. }) => {
                *key = Key::Named(text);
                Ok(())
            }
            _ => self.put(Value::String(text), &Origin { line: mark.line, ..Origin::default() }),
        }
    }

    fn put(&mut self, value: Value, origin: &Origin) -> Result<(), Error> {
        match self.stack.last_mut() {
            None => self.root = value,
            Some(Frame::List { items, .. }) => items.push(value),
            Some(Frame::Map { map, key, line, .. }) => match std::mem::replace(key, Key::Wanted) {
                Key::Wanted if origin.merge => *key = Key::Merge,
                Key::Wanted => *key = Key::Named(key_text(value, origin)?),
                Key::Merge => merge(map, value)?,
                Key::Named(name) => {
                    if self.options.unique_keys && map.contains_key(&name) {
                        let line = origin.line.max(*line) + 1;
                        self.duplicates.push(format!("line {line}: key {name:?} already set in map"));
                    }
                    map.insert(name, value);
                }
            },
        }
        Ok(())
    }

    fn number(&self, resolved: Resolved) -> Result<Value, Error> {
        let value = match resolved {
            Resolved::Int(value) if self.options.integers => return Ok(Value::Int(value)),
            Resolved::Uint(value) if self.options.integers => return Ok(Value::Uint(value)),
            Resolved::Int(value) => value as f64,
            Resolved::Uint(value) => value as f64,
            Resolved::Float(value) => value,
            _ => 0.0,
        };
        if !value.is_finite() && !self.is_key() {
            let problem = format!("json: unsupported value: {}", number::format_general(value));
            return Err(Error::NotJson { problem });
        }
        Ok(Value::Float(value))
    }

    fn is_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Map { key: Key::Wanted, .. }))
    }

    fn scalar_value(&self, tag: &str, scalar: Scalar<'_>) -> Result<(Value, Origin), Error> {
        let text = scalar.text.as_ref();
        if tag.is_empty() && !scalar.implicit {
            return Ok((Value::String(scalar.text.into_owned()), Origin::default()));
        }
        let resolved = match short_tag(tag) {
            "" => resolve(text),
            "!!binary" => return Ok((binary(text)?, Origin::default())),
            wanted @ ("!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp") => tagged(wanted, text)?,
            "!!merge" => Resolved::Merge,
            _ => Resolved::String,
        };
        self.meant(resolved, scalar.text)
    }

    /// A node of what a bare scalar is read as.
    fn meant(&self, resolved: Resolved, text: Cow<'_, str>) -> Result<(Value, Origin), Error> {
        let key = if self.is_key() { key_form(resolved) } else { None };
        let origin = Origin { merge: resolved == Resolved::Merge && text == "<<", key, line: 0 };
        let value = match resolved {
            Resolved::Null => Value::Null,
            Resolved::Bool(value) => Value::Bool(value),
            Resolved::Int(_) | Resolved::Uint(_) | Resolved::Float(_) => self.number(resolved)?,
            Resolved::Timestamp | Resolved::Merge | Resolved::String => Value::String(text.into_owned()),
        };
        Ok((value, origin))
    }
}

/// What must be known of a node beyond its value, should it be a key.
#[derive(Debug, Default)]
struct Origin {
    merge: bool,
    key: Option<String>,
    line: usize,
}

/// The spelling of a number that is a key.
fn key_form(resolved: Resolved) -> Option<String> {
    match resolved {
        Resolved::Int(value) => Some(value.to_string()),
        Resolved::Uint(value) => Some(value.to_string()),
        Resolved::Float(value) => Some(match number::format_general_32(value).as_str() {
            "+Inf" => ".inf".to_owned(),
            "-Inf" => "-.inf".to_owned(),
            "NaN" => ".nan".to_owned(),
            text => text.to_owned(),
        }),
        _ => None,
    }
}

fn key_text(value: Value, origin: &Origin) -> Result<String, Error> {
    if let Some(text) = &origin.key {
        return Ok(text.clone());
    }
    match value {
        Value::String(text) => Ok(text),
        Value::Binary(binary) => Ok(binary.as_str().to_owned()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Err(Error::NotJson {
            problem: "unsupported map key of type: %!s(<nil>), key: <nil>, value: <nil>".to_owned(),
        }),
        Value::Int(value) => Ok(value.to_string()),
        Value::Uint(value) => Ok(value.to_string()),
        Value::Float(value) => Ok(number::format_general_32(value)),
        Value::List(_) => Err(Error::plain("invalid map key: []interface {}{}")),
        Value::Map(_) => Err(Error::plain("invalid map key: map[interface {}]interface {}{}")),
    }
}

/// Merges `<<` in place, as go-yaml v2 does: what stood before is overwritten, what follows overwrites.
fn merge(map: &mut Map, value: Value) -> Result<(), Error> {
    let wrong = || Error::plain("map merge requires map or sequence of maps as the value");
    match value {
        Value::Map(source) => map.extend(source),
        Value::List(sources) => {
            for source in sources.into_iter().rev() {
                let Value::Map(source) = source else { return Err(wrong()) };
                map.extend(source);
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn short_tag(tag: &str) -> &str {
    // Every tag that matters here has the long prefix; "!" resolves to a string.
    match tag.strip_prefix("tag:yaml.org,2002:") {
        Some("str") => "!!str",
        Some("binary") => "!!binary",
        Some("bool") => "!!bool",
        Some("int") => "!!int",
        Some("float") => "!!float",
        Some("null") => "!!null",
        Some("timestamp") => "!!timestamp",
        Some("merge") => "!!merge",
        Some(_) => "!!other",
        None if tag.is_empty() => "",
        None => "!",
    }
}

fn tagged(wanted: &str, text: &str) -> Result<Resolved, Error> {
    let found = resolve(text);
    match found {
        Resolved::Int(value) if wanted == "!!float" => Ok(Resolved::Float(value as f64)),
        _ if found.tag() == wanted => Ok(found),
        _ => Err(Error::plain(format!("cannot decode {} `{text}` as a {wanted}", found.tag()))),
    }
}

fn binary(text: &str) -> Result<Value, Error> {
    let compact: String = text.chars().filter(|character| !matches!(character, '\n' | '\r')).collect();
    let bytes = STANDARD.decode(compact).map_err(|_| Error::plain("!!binary value contains invalid base64 data"))?;
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

fn count_nodes(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(count_nodes).sum::<usize>(),
        Value::Map(map) => 1 + map.values().map(|value| 1 + count_nodes(value)).sum::<usize>(),
        _ => 1,
    }
}

/// go-yaml's bound: nearly all of a small document may come from aliases, a tenth of a huge one.
fn allowed_alias_ratio(nodes: usize) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let nodes = nodes as f64;
    (0.99 - 0.89 * ((nodes - LOW) / (HIGH - LOW))).clamp(0.10, 0.99)
}

impl Composer {
    /// Whether the value of a key that is not wanted comes next.
    pub(crate) fn is_at_unwanted(&self, keep: &impl Fn(usize, &str) -> bool) -> bool {
        let depth = self.stack.len();
        matches!(self.stack.last(), Some(Frame::Map { key: Key::Named(name), .. }) if !keep(depth - 1, name))
    }

    /// Forgets the key whose value was left out.
    pub(crate) fn drop_key(&mut self) {
        if let Some(Frame::Map { key, .. }) = self.stack.last_mut() {
            *key = Key::Wanted;
        }
    }
}

impl<'a> Sink<'a> for Composer {
    fn alias(&mut self, name: &'a str, mark: Mark) -> Result<(), Error> {
        if self.open_anchors.contains(name) {
            return Err(Error::plain(format!("anchor '{name}' value contains itself")));
        }
        let anchored = self.anchors.get(name);
        let anchored = anchored.ok_or_else(|| Error::plain(format!("unknown anchor '{name}' referenced")))?;
        let nodes = anchored.nodes;
        self.alias_nodes += nodes;
        self.count(nodes + 1)?;
        let value = self.anchors.get(name).map(|anchored| anchored.value.clone()).unwrap_or_default();
        self.put(value, &Origin { line: mark.line, ..Origin::default() })
    }

    fn scalar(&mut self, properties: Properties<'a>, scalar: Scalar<'a>, mark: Mark) -> Result<(), Error> {
        let is_bare = properties.anchor.is_none() && properties.tag.is_empty();
        let (value, mut origin) = if is_bare {
            let resolved = if scalar.implicit { resolve(&scalar.text) } else { Resolved::String };
            if resolved == Resolved::String {
                return self.text(scalar.text.into_owned(), mark);
            }
            self.meant(resolved, scalar.text)?
        } else {
            self.scalar_value(&properties.tag, scalar)?
        };
        origin.line = mark.line;
        self.place(value, properties.anchor.map(str::to_owned), &origin)
    }

    fn begin_sequence(&mut self, properties: Properties<'a>, _mark: Mark) -> Result<(), Error> {
        let anchor = properties.anchor.map(str::to_owned);
        self.open_anchors.extend(anchor.clone());
        self.stack.push(Frame::List { items: Vec::new(), anchor });
        Ok(())
    }

    fn begin_mapping(&mut self, properties: Properties<'a>, mark: Mark) -> Result<(), Error> {
        let anchor = properties.anchor.map(str::to_owned);
        self.open_anchors.extend(anchor.clone());
        self.stack.push(Frame::Map { map: Map::new(), key: Key::Wanted, anchor, line: mark.line });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        let (value, anchor, line) = match self.stack.pop() {
            Some(Frame::List { items, anchor }) => (Value::List(items), anchor, 0),
            Some(Frame::Map { map, anchor, line, .. }) => (Value::Map(map), anchor, line),
            None => return Ok(()),
        };
        self.place(value, anchor, &Origin { line, ..Origin::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        match read(text) {
            Ok(value) => value.to_json().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn documents() {
        let cases = [
            ("", "null"),
            ("a: 1\nb: [x, 'y', {c: d}]\n", r#"{"a":1,"b":["x","y",{"c":"d"}]}"#),
            ("a:\n- 1\n- b: 2\n  c: 3\nd: e\n", r#"{"a":[1,{"b":2,"c":3}],"d":"e"}"#),
            ("a: |\n  x\n   y\n\nb: >-\n  p\n  q\n\n  r\n", r#"{"a":"x\n y\n","b":"p q\nr"}"#),
            ("a: yes\nb: 0777\nc: 1_0\nd: ~\ne: \"no\"\n", r#"{"a":true,"b":511,"c":10,"d":null,"e":"no"}"#),
            ("1: a\n1.5: b\ntrue: c\n", r#"{"1":"a","1.5":"b","true":"c"}"#),
            ("a: &x {b: 1, c: 2}\nd:\n  c: 5\n  <<: *x\n  b: 3\n", r#"{"a":{"b":1,"c":2},"d":{"b":3,"c":2}}"#),
            ("a: x y\n  z\nb: 'it''s\n  so'\n", r#"{"a":"x y z","b":"it's so"}"#),
            ("--- # c\na: 1\n---\nb: [\n", r#"{"a":1}"#),
            ("a: !!str 1\nb: !!float 2\nc: !x y\n", r#"{"a":"1","b":2,"c":"y"}"#),
            ("? a\n: b\n", r#"{"a":"b"}"#),
            ("- - a\n  - b\n-\n", r#"[["a","b"],null]"#),
            ("a: 2020-01-01\n", r#"{"a":"2020-01-01"}"#),
            ("{a, b: c}", r#"{"a":null,"b":"c"}"#),
        ];
        for (text, want) in cases {
            assert_eq!(json(text), want, "{text}");
        }
    }

    #[test]
    fn refusals() {
        let cases = [
            ("a: b: c\n", "yaml: mapping values are not allowed in this context"),
            ("x: 1\na: b: c\n", "yaml: line 2: mapping values are not allowed in this context"),
            ("a: [1, 2\n", "yaml: line 1: did not find expected ',' or ']'"),
            ("a: *x\n", "yaml: unknown anchor 'x' referenced"),
            ("a: .nan\n", "json: unsupported value: NaN"),
            ("a: \"x\n", "yaml: line 2: found unexpected end of stream"),
            ("a: &b [*b]\n", "yaml: anchor 'b' value contains itself"),
            ("a: \u{1}\n", "yaml: control characters are not allowed"),
        ];
        for (text, want) in cases {
            assert_eq!(json(text), want, "{text}");
        }
    }

    #[test]
    fn bombs_stay_small() {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (previous, name) in ('a'..='i').zip('b'..='j') {
            let copies = vec![format!("*{previous}"); 10].join(",");
            text.push_str(&format!("{name}: &{name} [{copies}]\n"));
        }
        assert_eq!(json(&text), "yaml: document contains excessive aliasing");
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&"- ".repeat(100_000)).is_err());
    }
}
