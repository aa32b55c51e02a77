//! Values, written in BurntSushi/toml's layout.

use kpkg_yaml::number::format_general;

use crate::datetime::Time;
use crate::format::MAX_NESTING;
use crate::text::Text;
use crate::value::{Map, MapKind, Value};

use super::local;

/// The text of a value. Strings that are not UTF-8 stand in it as they are.
pub(crate) fn write(value: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer { out: Vec::new() };
    match value {
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        Value::Map(map) => writer.table(&[], map)?,
        other if is_array_of_tables(other) => {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        Value::Object(object) => match object.plain() {
            Value::Map(map) => writer.table(&[], &map)?,
            _ => inline(value, 0, &mut writer.out)?,
        },
        other => inline(other, 0, &mut writer.out)?,
    }
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
}

fn is_array_of_tables(value: &Value) -> bool {
    matches!(value, Value::List(list) if !list.is_empty() && list.items().iter().all(|item| matches!(item, Value::Map(_))))
}

type Pairs = Vec<(Text, Value)>;

/// The entries of a table: those that are no tables first.
fn parts(map: &Map) -> (Pairs, Pairs) {
    let entries: Pairs = map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    entries.into_iter().partition(|(_, value)| !(matches!(value, Value::Map(_)) || is_array_of_tables(value)))
}

/// What is left out of a table.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Map(map) => map.kind == MapKind::NilString,
        Value::List(list) => list.kind.is_nil(),
        _ => false,
    }
}

impl Writer {
    fn table(&mut self, path: &[Vec<u8>], map: &Map) -> Result<(), String> {
        if path.len() > MAX_NESTING {
            return Err("toml: value is nested too deeply".to_owned());
        }
        let (plain, tables) = parts(map);
        for (key, value) in plain.iter().filter(|(_, value)| !is_nothing(value)) {
            let mut text = key_text(key.as_bytes());
            text.extend_from_slice(b" = ");
            inline(value, 0, &mut text)?;
            self.line(path.len(), &[&text]);
        }
        for (key, value) in tables.into_iter().filter(|(_, value)| !is_nothing(value)) {
            let inner: Vec<Vec<u8>> = path.iter().cloned().chain([key_text(key.as_bytes())]).collect();
            let name = inner.join(&b'.');
            match value {
                Value::Map(map) => {
                    if inner.len() == 1 {
                        self.blank();
                    }
                    self.line(path.len(), &[b"[", &name, b"]"]);
                    self.table(&inner, &map)?;
                }
                Value::List(list) => {
                    for item in list.items() {
                        let Value::Map(map) = item else { continue };
                        self.blank();
                        self.line(path.len(), &[b"[[", &name, b"]]"]);
                        self.table(&inner, map)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn blank(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn line(&mut self, depth: usize, parts: &[&[u8]]) {
        self.out.extend(b"  ".repeat(depth));
        for part in parts {
            self.out.extend_from_slice(part);
        }
        self.out.push(b'\n');
    }
}

/// A part of a key, in quotes if it needs them.
pub(super) fn key_text(key: &[u8]) -> Vec<u8> {
    let bare = !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare {
        return key.to_owned();
    }
    let mut out = Vec::with_capacity(key.len() + 2);
    push_string(key, &mut out);
    out
}

fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            b'\x08' => out.extend(b"\\b"),
            b'\x0C' => out.extend(b"\\f"),
            b'\0'..=b'\x1F' | b'\x7F' => out.extend(format!("\\u{byte:04x}").bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'"');
}

fn inline(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if depth > MAX_NESTING {
        return Err("toml: value is nested too deeply".to_owned());
    }
    match value {
        Value::Nil => return Err("toml: cannot encode array with nil element".to_owned()),
        Value::Bool(value) => out.extend(value.to_string().bytes()),
        Value::Int(value, kind) => out.extend(crate::format::int_text(*value, *kind).bytes()),
        Value::Float(value) => out.extend(float_text(*value).bytes()),
        Value::String(text) => push_string(text.as_bytes(), out),
        Value::Bytes(bytes) => {
            let numbers: Vec<String> = bytes.as_bytes().iter().map(ToString::to_string).collect();
            out.extend(format!("[{}]", numbers.join(", ")).bytes());
        }
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.extend(b", ");
                }
                inline(item, depth + 1, out)?;
            }
            out.push(b']');
        }
        Value::Map(map) => inline_table(map, depth, out)?,
        Value::Object(object) => match (Time::of(value), object.plain()) {
            (Some(time), _) => out.extend(local::text(&time).bytes()),
            (None, plain) => inline(&plain, depth + 1, out)?,
        },
    }
    Ok(())
}

/// A comma stands after each entry but the last, even if that one is left out.
fn inline_table(map: &Map, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let (plain, tables) = parts(map);
    let count = plain.len() + tables.len();
    out.push(b'{');
    for (index, (key, value)) in plain.iter().chain(&tables).enumerate() {
        if is_nothing(value) {
            continue;
        }
        out.extend(key_text(key.as_bytes()));
        out.extend(b" = ");
        inline(value, depth + 1, out)?;
        if index + 1 < count {
            out.extend(b", ");
        }
    }
    out.push(b'}');
    Ok(())
}

fn float_text(value: f64) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format_general(value);
    if text.contains(['e', '.']) { text } else { text + ".0" }
}
