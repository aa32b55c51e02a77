//! Values to JSON and YAML text, as Go's encoders write them.

use kpkg_yaml::{Emitter, Flavour, compare_keys, number};

use crate::format::MAX_NESTING;
use crate::text::Text;
use crate::value::{Entries, MapKind, Value};

/// How to write JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonStyle {
    /// Two spaces a level, or all on one line.
    pub(crate) pretty: bool,
    /// Write `<`, `>` and `&` as escapes.
    pub(crate) escape_html: bool,
}

impl JsonStyle {
    pub(crate) const COMPACT: Self = Self { pretty: false, escape_html: true };
}

/// What most texts come to take.
const ROOM: usize = 256;

const TOO_DEEP: &str = "json: unsupported value: encountered a cycle";

/// `json.Marshal`
pub(crate) fn json(value: &Value, style: JsonStyle) -> Result<String, String> {
    let mut out = String::with_capacity(ROOM);
    write_json(value, style, &mut out, 0)?;
    Ok(out)
}

fn write_json(value: &Value, style: JsonStyle, out: &mut String, depth: usize) -> Result<(), String> {
    if depth > MAX_NESTING {
        return Err(TOO_DEEP.to_owned());
    }
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value, kind) => out.push_str(&crate::format::int_text(*value, *kind)),
        Value::Float(value) => out.push_str(&json_number(*value)?),
        Value::String(text) => write_json_string(text.as_bytes(), style.escape_html, out),
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            out.push('"');
            out.push_str(&base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes()));
            out.push('"');
        }
        Value::List(list) if list.kind.is_nil() => out.push_str("null"),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items().iter().enumerate() {
                separate(style, out, index, depth);
                write_json(item, style, out, depth + 1)?;
            }
            close(style, out, list.len(), depth);
            out.push(']');
        }
        Value::Map(map) if map.kind == MapKind::NilString => out.push_str("null"),
        Value::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.entries().iter().enumerate() {
                separate(style, out, index, depth);
                write_json_string(key.as_bytes(), style.escape_html, out);
                out.push_str(if style.pretty { ": " } else { ":" });
                write_json(value, style, out, depth + 1)?;
            }
            close(style, out, map.len(), depth);
            out.push('}');
        }
        Value::Object(object) => match object.json_fields() {
            Some(fields) => {
                out.push('{');
                for (index, (key, value)) in fields.iter().enumerate() {
                    separate(style, out, index, depth);
                    write_json_string(key.as_bytes(), style.escape_html, out);
                    out.push_str(if style.pretty { ": " } else { ":" });
                    write_json(value, style, out, depth + 1)?;
                }
                close(style, out, fields.len(), depth);
                out.push('}');
            }
            None => write_json(&object.plain(), style, out, depth)?,
        },
    }
    Ok(())
}

fn json_number(value: f64) -> Result<String, String> {
    if let Some(whole) = number::whole(value) {
        return Ok(whole.to_string());
    }
    number::format_json(value).ok_or_else(|| format!("json: unsupported value: {}", number::format_general(value)))
}

fn separate(style: JsonStyle, out: &mut String, index: usize, depth: usize) {
    if index > 0 {
        out.push(',');
    }
    if style.pretty {
        out.push('\n');
        out.push_str(&"  ".repeat(depth + 1));
    }
}

fn close(style: JsonStyle, out: &mut String, count: usize, depth: usize) {
    if style.pretty && count > 0 {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
}

fn write_json_string(bytes: &[u8], escape_html: bool, out: &mut String) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        // What needs no escape is copied in one piece.
        while let Some(at) = rest.bytes().position(needs_look) {
            out.push_str(&rest[..at]);
            let mut characters = rest[at..].chars();
            let Some(character) = characters.next() else { break };
            rest = characters.as_str();
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\x08' => out.push_str("\\b"),
                '\x0C' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '<' | '>' | '&' if escape_html => escape(character, out),
                '\0'..=' ' if character != ' ' => escape(character, out),
                '\u{2028}' | '\u{2029}' => escape(character, out),
                other => out.push(other),
            }
        }
        out.push_str(rest);
        if !chunk.invalid().is_empty() {
            chunk.invalid().iter().for_each(|_| out.push_str("\\ufffd"));
        }
    }
    out.push('"');
}

/// Whether a byte begins a character that may have to be escaped.
fn needs_look(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | 0..b' ' | 0xE2)
}

fn escape(character: char, out: &mut String) {
    out.push_str(&format!("\\u{:04x}", u32::from(character)));
}

/// `sigs.k8s.io/yaml`'s `Marshal`: by way of JSON, so numbers lose their types. Written to a buffer that is empty.
pub(crate) fn yaml(value: &Value, buffer: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut emitter = Emitter::with_buffer(Flavour::Compact, buffer);
    emit(value, &mut emitter, 0)?;
    if emitter.is_unreadable() {
        // The detour shows: what JSON says is refused, or read as something else.
        let json = json(value, JsonStyle::COMPACT)?;
        let read = kpkg_yaml::read(&json).map_err(|error| error.to_string())?;
        return Ok(kpkg_yaml::write(&read).into_bytes());
    }
    Ok(emitter.finish_bytes())
}

/// go-yaml v3's encoder with an indent of 2.
pub(crate) fn yaml_pretty(value: &Value) -> Result<String, String> {
    let mut emitter = Emitter::new(Flavour::Pretty);
    emit_pretty(value, &mut emitter, 0)?;
    Ok(emitter.finish())
}

fn emit(value: &Value, emitter: &mut Emitter, depth: usize) -> Result<(), String> {
    if depth > MAX_NESTING {
        return Err(TOO_DEEP.to_owned());
    }
    match value {
        Value::Nil => emitter.plain("null"),
        Value::Bool(value) => emitter.plain(if *value { "true" } else { "false" }),
        Value::Int(value, kind) => emitter.plain(&crate::format::int_text(*value, *kind)),
        Value::Float(value) => {
            if let Some(whole) = number::whole(*value) {
                emitter.plain(&whole.to_string());
            } else {
                json_number(*value)?;
                emitter.plain(&kpkg_yaml::float_text(*value));
            }
        }
        // JSON replaces what is not UTF-8.
        Value::String(text) => emitter.string(&text.to_str()),
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            emitter.string(&base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes()));
        }
        Value::List(list) if list.kind.is_nil() => emitter.plain("null"),
        Value::List(list) => {
            emitter.begin_list(list.is_empty());
            if !list.is_empty() {
                list.items().iter().try_for_each(|item| emit(item, emitter, depth + 1))?;
                emitter.end_list();
            }
        }
        Value::Map(map) if map.kind == MapKind::NilString => emitter.plain("null"),
        Value::Map(map) => {
            let entries = map.entries();
            emitter.begin_map(entries.is_empty());
            if !entries.is_empty() {
                in_order(&entries, |key, value| {
                    emitter.key(key);
                    emit(value, emitter, depth + 1)
                })?;
                emitter.end_map();
            }
        }
        Value::Object(object) => emit(&object.plain(), emitter, depth)?,
    }
    Ok(())
}

/// Writes entries in the order of go-yaml, in which most stand already.
fn in_order(entries: &Entries, mut write: impl FnMut(&str, &Value) -> Result<(), String>) -> Result<(), String> {
    let is_less = |left: &Text, right: &Text| compare_keys(&left.to_str(), &right.to_str()).is_le();
    if entries.keys().is_sorted_by(|left, right| is_less(left, right)) {
        return entries.iter().try_for_each(|(key, value)| write(&key.to_str(), value));
    }
    let mut sorted: Vec<_> = entries.iter().map(|(key, value)| (key.to_str(), value)).collect();
    kpkg_yaml::sort_by_keys(&mut sorted, |(key, _)| key);
    sorted.into_iter().try_for_each(|(key, value)| write(&key, value))
}

fn emit_pretty(value: &Value, emitter: &mut Emitter, depth: usize) -> Result<(), String> {
    if depth > MAX_NESTING {
        return Err(TOO_DEEP.to_owned());
    }
    match value {
        Value::Float(value) => emitter.plain(&match number::format_general(*value).as_str() {
            "NaN" => ".nan".to_owned(),
            "+Inf" => ".inf".to_owned(),
            "-Inf" => "-.inf".to_owned(),
            text => text.to_owned(),
        }),
        Value::String(text) => match std::str::from_utf8(text.as_bytes()) {
            Ok(text) => emitter.string(text),
            Err(_) => emitter.binary(text.as_bytes()),
        },
        Value::Bytes(bytes) => {
            emitter.begin_list(bytes.is_empty());
            if !bytes.is_empty() {
                bytes.as_bytes().iter().for_each(|byte| emitter.plain(&byte.to_string()));
                emitter.end_list();
            }
        }
        Value::List(list) => {
            emitter.begin_list(list.is_empty());
            if !list.is_empty() {
                list.items().iter().try_for_each(|item| emit_pretty(item, emitter, depth + 1))?;
                emitter.end_list();
            }
        }
        Value::Map(map) => {
            let entries = map.entries();
            emitter.begin_map(entries.is_empty());
            if !entries.is_empty() {
                in_order(&entries, |key, value| {
                    emitter.key(key);
                    emit_pretty(value, emitter, depth + 1)
                })?;
                emitter.end_map();
            }
        }
        Value::Object(object) => emit_pretty(&object.plain(), emitter, depth)?,
        other => emit(other, emitter, depth)?,
    }
    Ok(())
}
