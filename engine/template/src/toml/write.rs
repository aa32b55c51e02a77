//! Values, written in BurntSushi/toml's layout.

use kpkg_yaml::number::format_general;

use crate::datetime::{self, Time};
use crate::format::MAX_NESTING;
use crate::text::Text;
use crate::value::{Map, MapKind, Value};

/// The text of a value.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let mut writer = Writer { out: String::new() };
    match value {
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        Value::Map(map) => writer.table(&[], map)?,
        other if is_array_of_tables(other) => {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        Value::Object(object) => match object.plain() {
            Value::Map(map) => writer.table(&[], &map)?,
            other => writer.out.push_str(&inline(&other, 0)?),
        },
        other => writer.out.push_str(&inline(other, 0)?),
    }
    Ok(writer.out)
}

struct Writer {
    out: String,
}

fn is_array_of_tables(value: &Value) -> bool {
    matches!(value, Value::List(list) if !list.is_empty() && list.items().iter().all(|item| matches!(item, Value::Map(_))))
}

impl Writer {
    /// The keys of a table: plain ones first, then the tables inside.
    fn table(&mut self, path: &[String], map: &Map) -> Result<(), String> {
        if path.len() > MAX_NESTING {
            return Err("toml: value is nested too deeply".to_owned());
        }
        let entries: Vec<(Text, Value)> =
            map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let (tables, plain): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .filter(|(_, value)| {
                !matches!(value, Value::Nil) && !matches!(value, Value::Map(map) if map.kind == MapKind::NilString)
            })
            .partition(|(_, value)| matches!(value, Value::Map(_)) || is_array_of_tables(value));
        for (key, value) in plain {
            let text = inline(&value, 0)?;
            self.line(path.len(), &format!("{} = {text}", key_text(&key.to_str())));
        }
        for (key, value) in tables {
            let inner: Vec<String> = path.iter().cloned().chain([key_text(&key.to_str())]).collect();
            match value {
                Value::Map(map) => {
                    if inner.len() == 1 {
                        self.blank();
                    }
                    self.line(path.len(), &format!("[{}]", inner.join(".")));
                    self.table(&inner, &map)?;
                }
                Value::List(list) => {
                    for item in list.items() {
                        let Value::Map(map) = item else { continue };
                        self.blank();
                        self.line(path.len(), &format!("[[{}]]", inner.join(".")));
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
            self.out.push('\n');
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.out.push_str(&"  ".repeat(depth));
        self.out.push_str(text);
        self.out.push('\n');
    }
}

fn key_text(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { key.to_owned() } else { string_text(key) }
}

fn string_text(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x08' => out.push_str("\\b"),
            '\x0C' => out.push_str("\\f"),
            '\0'..='\x1F' | '\x7F' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn inline(value: &Value, depth: usize) -> Result<String, String> {
    if depth > MAX_NESTING {
        return Err("toml: value is nested too deeply".to_owned());
    }
    Ok(match value {
        Value::Nil => return Err("toml: cannot encode array with nil element".to_owned()),
        Value::Bool(value) => value.to_string(),
        Value::Int(value, kind) => crate::format::int_text(*value, *kind),
        Value::Float(value) => float_text(*value),
        Value::String(text) => string_text(&text.to_str()),
        Value::Bytes(bytes) => {
            let numbers: Vec<String> = bytes.as_bytes().iter().map(ToString::to_string).collect();
            format!("[{}]", numbers.join(", "))
        }
        Value::List(list) => {
            let items: Result<Vec<String>, String> = list.items().iter().map(|item| inline(item, depth + 1)).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Map(map) => {
            let mut pairs = Vec::new();
            for (key, value) in map.entries().iter().filter(|(_, value)| !value.is_nil()) {
                pairs.push(format!("{} = {}", key_text(&key.to_str()), inline(value, depth + 1)?));
            }
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Object(object) => match (Time::of(value), object.plain()) {
            (Some(time), _) => datetime::format(&time, "2006-01-02T15:04:05.999999999Z07:00"),
            (None, plain) => inline(&plain, depth + 1)?,
        },
    })
}

fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format_general(value);
    if text.contains(['e', '.']) { text } else { text + ".0" }
}
