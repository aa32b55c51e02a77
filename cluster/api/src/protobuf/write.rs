//! JSON objects into messages. Fields without a number (newer than the table's source) are left out.

use super::{MAX_DEPTH, ProtobufError, wire};
use crate::{
    schema::{Element, Field, Shape, Slot, Type, WireField, table},
    time,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

/// Writes an object of a type as its message.
pub(super) fn message(type_: &Type, object: &Value) -> Result<Vec<u8>, ProtobufError> {
    nested(type_, object, 0)
}

fn nested(type_: &Type, object: &Value, depth: usize) -> Result<Vec<u8>, ProtobufError> {
    let mut out = Vec::new();
    fields(type_, &type_.wire, object, depth, &mut out)?;
    Ok(out)
}

fn fields(
    type_: &Type,
    wire: &[WireField],
    object: &Value,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), ProtobufError> {
    if depth > MAX_DEPTH {
        return Err(ProtobufError::TooDeep);
    }
    for WireField { number, slot } in wire {
        match slot {
            Slot::Field(index) => {
                let field = &type_.fields[*index];
                match &object[field.name] {
                    Value::Null => {}
                    value => put(field, *number, value, depth, out)?,
                }
            }
            Slot::Embedded(inner) => {
                let mut bytes = Vec::new();
                fields(type_, inner, object, depth + 1, &mut bytes)?;
                wire::put_bytes(out, *number, &bytes);
            }
        }
    }
    Ok(())
}

fn put(field: &Field, number: u32, value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), ProtobufError> {
    match (field.shape, value) {
        (Shape::Single, value) => element(field, number, value, depth, out),
        (Shape::List, Value::Array(items)) => {
            items.iter().try_for_each(|item| element(field, number, item, depth, out))
        }
        (Shape::Map | Shape::MapOfLists, Value::Object(map)) => {
            for (key, item) in map {
                let mut entry = Vec::new();
                wire::put_bytes(&mut entry, 1, key.as_bytes());
                if field.shape == Shape::Map {
                    element(field, 2, item, depth, &mut entry)?;
                } else {
                    wire::put_bytes(&mut entry, 2, &strings(field, item)?);
                }
                wire::put_bytes(out, number, &entry);
            }
            Ok(())
        }
        _ => Err(ProtobufError::Mismatch(field.name)),
    }
}

/// A message of nothing but a list of strings (`ExtraValue`).
fn strings(field: &Field, list: &Value) -> Result<Vec<u8>, ProtobufError> {
    let mut out = Vec::new();
    for item in list.as_array().into_iter().flatten() {
        let text = item.as_str().ok_or(ProtobufError::Mismatch(field.name))?;
        wire::put_bytes(&mut out, 1, text.as_bytes());
    }
    Ok(out)
}

fn element(field: &Field, number: u32, value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), ProtobufError> {
    let mismatch = || ProtobufError::Mismatch(field.name);
    match field.element {
        Element::Bool => wire::put_varint(out, number, u64::from(value.as_bool().ok_or_else(mismatch)?)),
        Element::Int32 | Element::Int64 => {
            wire::put_varint(out, number, value.as_i64().ok_or_else(mismatch)?.cast_unsigned());
        }
        Element::Double => wire::put_fixed64(out, number, value.as_f64().ok_or_else(mismatch)?.to_bits()),
        Element::String => wire::put_bytes(out, number, value.as_str().ok_or_else(mismatch)?.as_bytes()),
        _ => wire::put_bytes(out, number, &bytes(field, value, depth)?),
    }
    Ok(())
}

/// The content of an element that is bytes on the wire.
fn bytes(field: &Field, value: &Value, depth: usize) -> Result<Vec<u8>, ProtobufError> {
    let mismatch = || ProtobufError::Mismatch(field.name);
    let text = || value.as_str().ok_or_else(mismatch);
    let mut out = Vec::new();
    match field.element {
        Element::Bytes => out = BASE64_STANDARD.decode(text()?).map_err(|_| mismatch())?,
        Element::Message(id) => out = nested(table().get(id), value, depth + 1)?,
        Element::Quantity => match value {
            Value::String(text) => wire::put_bytes(&mut out, 1, text.as_bytes()),
            other => wire::put_bytes(&mut out, 1, other.to_string().as_bytes()),
        },
        Element::IntOrString => match value {
            Value::String(text) => {
                wire::put_varint(&mut out, 1, 1);
                wire::put_varint(&mut out, 2, 0);
                wire::put_bytes(&mut out, 3, text.as_bytes());
            }
            other => {
                wire::put_varint(&mut out, 1, 0);
                wire::put_varint(&mut out, 2, other.as_i64().ok_or_else(mismatch)?.cast_unsigned());
                wire::put_bytes(&mut out, 3, b"");
            }
        },
        Element::Time | Element::MicroTime => {
            let at = time::parse(text()?).ok_or(ProtobufError::Time(field.name))?;
            wire::put_varint(&mut out, 1, at.as_second().cast_unsigned());
            wire::put_varint(&mut out, 2, i64::from(at.subsec_nanosecond()).cast_unsigned());
        }
        Element::Duration => wire::put_varint(&mut out, 1, value.as_i64().ok_or_else(mismatch)?.cast_unsigned()),
        _ => wire::put_bytes(&mut out, 1, value.to_string().as_bytes()),
    }
    Ok(out)
}
