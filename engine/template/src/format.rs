//! `%v`: values as Go's `fmt.Print` writes them.

use kpkg_gounicode::lossy;
use kpkg_yaml::number::format_general;

use crate::value::{IntKind, Value};

/// How deep a value may nest to be printed; maps can contain themselves.
pub(crate) const MAX_NESTING: usize = 2000;

const TOO_DEEP: &str = "value is nested too deeply to print";

/// The text of a value.
pub(crate) fn print(value: &Value) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    print_to(value, &mut out, 0)?;
    Ok(out)
}

/// The text of a value that a template prints by itself, without a function.
pub(crate) fn show(value: &Value) -> Result<Vec<u8>, &'static str> {
    match value {
        Value::Object(object) => Ok(object.show().into_bytes()),
        other => print(other),
    }
}

/// The text of a value as a string; empty where it cannot be printed.
pub(crate) fn text(value: &Value) -> String {
    lossy(&print(value).unwrap_or_default()).into_owned()
}

fn print_to(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), &'static str> {
    if depth > MAX_NESTING {
        return Err(TOO_DEEP);
    }
    match value {
        Value::Nil => out.extend_from_slice(b"<nil>"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value, kind) => out.extend_from_slice(int_text(*value, *kind).as_bytes()),
        Value::Float(value) => out.extend_from_slice(format_general(*value).as_bytes()),
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => print_bytes(bytes.as_bytes(), out),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                print_to(item, out, depth + 1)?;
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.extend_from_slice(b"map[");
            for (index, (key, value)) in map.entries().iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(key.as_bytes());
                out.push(b':');
                print_to(value, out, depth + 1)?;
            }
            out.push(b']');
        }
        Value::Object(object) => out.extend_from_slice(object.print().as_bytes()),
    }
    Ok(())
}

/// Writes bytes as Go prints them: their numbers. Where a template prints all that it sees, that is each file of the chart.
pub fn print_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        push_decimal(*byte, out);
    }
    out.push(b']');
}

fn push_decimal(byte: u8, out: &mut Vec<u8>) {
    let digit = |unit: u8| b'0' + byte / unit % 10;
    match byte {
        0..10 => out.push(digit(1)),
        10..100 => out.extend_from_slice(&[digit(10), digit(1)]),
        100.. => out.extend_from_slice(&[digit(100), digit(10), digit(1)]),
    }
}

pub(crate) fn int_text(value: i64, kind: IntKind) -> String {
    if kind == IntKind::Uint64 { (value as u64).to_string() } else { value.to_string() }
}
