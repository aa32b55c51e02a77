//! Messages into JSON objects.
//!
//! Go writes plain zero values too, so that a reader must drop those that mean nothing: see [`Field::keeps_zero`].

use super::{
    MAX_DEPTH, ProtobufError,
    wire::{Reader, Value as Wire},
};
use crate::{
    schema::{Element, Field, Shape, Slot, Type, WireField, table},
    time,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Reads the message of a type.
pub(super) fn message(type_: &Type, bytes: &[u8]) -> Result<Value, ProtobufError> {
    nested(type_, bytes, 0)
}

/// As [`message`], that many levels down already.
pub(super) fn nested(type_: &Type, bytes: &[u8], depth: usize) -> Result<Value, ProtobufError> {
    let mut object = Map::new();
    fields(type_, &type_.wire, bytes, depth, &mut object)?;
    Ok(Value::Object(object))
}

fn fields(
    type_: &Type,
    wire: &[WireField],
    bytes: &[u8],
    depth: usize,
    object: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    if depth > MAX_DEPTH {
        return Err(ProtobufError::TooDeep);
    }
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next()? {
        let Ok(at) = wire.binary_search_by_key(&number, |field| field.number) else { continue };
        match &wire[at].slot {
            Slot::Embedded(inner) => match value {
                Wire::Bytes(bytes) => fields(type_, inner, bytes, depth + 1, object)?,
                other => return Err(wrong(other, type_.name)),
            },
            Slot::Field(index) => put(&type_.fields[*index], value, depth, object)?,
        }
    }
    Ok(())
}

fn put(field: &Field, wire: Wire<'_>, depth: usize, object: &mut Map<String, Value>) -> Result<(), ProtobufError> {
    match field.shape {
        Shape::Single => {
            let value = element(field, wire, depth)?;
            if field.keeps_zero || field.required || !is_zero(&value) {
                object.insert(field.name.to_owned(), value);
            } else {
                object.remove(field.name);
            }
        }
        Shape::List => {
            let list = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(items) = list {
                list_items(field, wire, depth, items)?;
            }
        }
        Shape::Map | Shape::MapOfLists => {
            let (key, value) = entry(field, wire, depth)?;
            let map = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = map {
                map.insert(key, value);
            }
        }
    }
    Ok(())
}

/// One item, or several where numbers are packed.
fn list_items(field: &Field, wire: Wire<'_>, depth: usize, items: &mut Vec<Value>) -> Result<(), ProtobufError> {
    let numeric = matches!(field.element, Element::Int32 | Element::Int64 | Element::Bool);
    if let (true, Wire::Bytes(packed)) = (numeric, wire) {
        // Packed numbers are bare varints: each is read as the content of a made-up field.
        let mut rest = packed;
        while !rest.is_empty() {
            let length = rest.iter().position(|byte| byte & 0x80 == 0).ok_or(ProtobufError::Truncated)? + 1;
            let one: Vec<u8> = std::iter::once(8).chain(rest[..length].iter().copied()).collect();
            if let Some((_, value)) = Reader::new(&one).next()? {
                items.push(element(field, value, depth)?);
            }
            rest = &rest[length..];
        }
        return Ok(());
    }
    items.push(element(field, wire, depth)?);
    Ok(())
}

/// A map's entry is a message of key (1) and value (2).
fn entry(field: &Field, wire: Wire<'_>, depth: usize) -> Result<(String, Value), ProtobufError> {
    let Wire::Bytes(bytes) = wire else { return Err(wrong(wire, field.name)) };
    let (mut key, mut value) = (String::new(), None);
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = text(field, bytes)?,
            (2, Wire::Bytes(bytes)) if field.shape == Shape::MapOfLists => value = Some(strings(field, bytes)?),
            (2, wire) => value = Some(element(field, wire, depth)?),
            _ => {}
        }
    }
    let value = match value {
        Some(value) => value,
        None if field.shape == Shape::MapOfLists => Value::Array(Vec::new()),
        None => element(field, Wire::Bytes(b""), depth).or_else(|_| element(field, Wire::Varint(0), depth))?,
    };
    Ok((key, value))
}

/// A message of nothing but a list of strings (`ExtraValue`).
fn strings(field: &Field, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let mut items = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        if let (1, Wire::Bytes(bytes)) = (number, wire) {
            items.push(text(field, bytes)?.into());
        }
    }
    Ok(Value::Array(items))
}

fn element(field: &Field, wire: Wire<'_>, depth: usize) -> Result<Value, ProtobufError> {
    Ok(match (field.element, wire) {
        (Element::String, Wire::Bytes(bytes)) => text(field, bytes)?.into(),
        (Element::Bytes, Wire::Bytes(bytes)) => BASE64_STANDARD.encode(bytes).into(),
        (Element::Bool, Wire::Varint(value)) => (value != 0).into(),
        // Negative int32 are sent sign-extended to 64 bits; Go keeps the low 32.
        (Element::Int32, Wire::Varint(value)) => i64::from(low_32(value)).into(),
        (Element::Int64, Wire::Varint(value)) => value.cast_signed().into(),
        (Element::Double, Wire::Fixed64(value)) => f64::from_bits(value).into(),
        (Element::Message(id), Wire::Bytes(bytes)) => nested(table().get(id), bytes, depth + 1)?,
        (Element::Quantity, Wire::Bytes(bytes)) => quantity(field, bytes)?,
        (Element::IntOrString, Wire::Bytes(bytes)) => int_or_string(field, bytes)?,
        (Element::Time, Wire::Bytes(bytes)) => {
            timestamp(field, bytes)?.map_or(Value::Null, |at| time::seconds(at).into())
        }
        (Element::MicroTime, Wire::Bytes(bytes)) => {
            timestamp(field, bytes)?.map_or(Value::Null, |at| time::micros(at).into())
        }
        (Element::RawExtension | Element::FieldsV1 | Element::Json, Wire::Bytes(bytes)) => raw(field, bytes, depth)?,
        (Element::Duration, Wire::Bytes(bytes)) => first_varint(bytes)?.cast_signed().into(),
        (_, wire) => return Err(wrong(wire, field.name)),
    })
}

fn low_32(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

fn text(field: &Field, bytes: &[u8]) -> Result<String, ProtobufError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| ProtobufError::Utf8(field.name))
}

/// The bytes of field 1, which is all that wrapper messages have.
fn first_bytes(bytes: &[u8]) -> Result<&[u8], ProtobufError> {
    let mut found: &[u8] = b"";
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        if let (1, Wire::Bytes(bytes)) = (number, wire) {
            found = bytes;
        }
    }
    Ok(found)
}

fn first_varint(bytes: &[u8]) -> Result<u64, ProtobufError> {
    let mut reader = Reader::new(bytes);
    let mut found = 0;
    while let Some((number, wire)) = reader.next()? {
        if let (1, Wire::Varint(value)) = (number, wire) {
            found = value;
        }
    }
    Ok(found)
}

fn quantity(field: &Field, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let text = text(field, first_bytes(bytes)?)?;
    Ok(if text.is_empty() { "0".into() } else { text.into() })
}

fn int_or_string(field: &Field, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut string) = (false, 0_i64, String::new());
    let mut reader = Reader::new(bytes);
    while let Some(found) = reader.next()? {
        match found {
            (1, Wire::Varint(kind)) => is_text = kind == 1,
            (2, Wire::Varint(value)) => number = i64::from(low_32(value)),
            (3, Wire::Bytes(bytes)) => string = text(field, bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { string.into() } else { number.into() })
}

/// Seconds (1) and nanoseconds (2); nothing at all is no time.
fn timestamp(field: &Field, bytes: &[u8]) -> Result<Option<Timestamp>, ProtobufError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(bytes);
    while let Some(found) = reader.next()? {
        match found {
            (1, Wire::Varint(value)) => seconds = value.cast_signed(),
            (2, Wire::Varint(value)) => nanos = low_32(value),
            _ => {}
        }
    }
    Timestamp::new(seconds, nanos).map(Some).map_err(|_| ProtobufError::Time(field.name))
}

/// JSON inside protobuf. serde_json bounds its depth.
fn raw(field: &Field, bytes: &[u8], depth: usize) -> Result<Value, ProtobufError> {
    let bytes = first_bytes(bytes)?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    if bytes.starts_with(super::MAGIC) {
        return super::decode_nested(bytes, depth + 1);
    }
    serde_json::from_slice(bytes).map_err(|_| ProtobufError::Json(field.name))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn wrong(wire: Wire<'_>, field: &'static str) -> ProtobufError {
    let number = match wire {
        Wire::Varint(_) => 0,
        Wire::Fixed64(_) => 1,
        Wire::Bytes(_) => 2,
        Wire::Fixed32 => 5,
    };
    ProtobufError::WireType(number, field)
}
