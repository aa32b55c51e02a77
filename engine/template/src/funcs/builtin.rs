//! The functions of Go's text/template itself.

use kpkg_gounicode::{is_print, lossy, runes};

use super::{Answer, Function, NIL_POINTER, Type, fixed, text, variadic};
use crate::error::Failure;
use crate::exec::Context;
use crate::printf::{sprint, sprintf_to, sprintln};
use crate::text::Text;
use crate::value::{IntKind, Kind, List, Value};

use Type::{Any, Reflect, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("and", &[Reflect], |_, args| Ok(args.last().cloned().unwrap_or_default())),
    variadic("or", &[Reflect], |_, args| Ok(args.last().cloned().unwrap_or_default())),
    fixed("not", &[Reflect], |_, args| Ok(Value::Bool(!args[0].truth()))),
    fixed("len", &[Reflect], |_, args| length(&args[0])),
    variadic("index", &[Reflect, Reflect], |_, args| index(args)),
    variadic("call", &[Reflect, Reflect], |_, _| Err("call of nil".into())),
    variadic("print", &[Any], |context, args| spent(context, sprint(args))),
    variadic("println", &[Any], |context, args| spent(context, sprintln(args))),
    variadic("printf", &[Str, Any], |context, args| {
        let limit = context.output_left();
        let out = sprintf_to(text(&args[0]), &args[1..], context.take_buffer(), limit);
        context.spend(out.len())?;
        Ok(context.finish_buffer(out).into())
    }),
    variadic("html", &[Any], |context, args| spent(context, html(&printed(args)))),
    variadic("js", &[Any], |context, args| spent(context, js(&printed(args)))),
    variadic("urlquery", &[Any], |context, args| spent(context, url_query(&printed(args)))),
    variadic("eq", &[Reflect, Reflect], |_, args| equal(args)),
    fixed("ne", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!equal_pair(&args[0], &args[1])?))),
    fixed("lt", &[Reflect, Reflect], |_, args| less(&args[0], &args[1]).map(Value::Bool)),
    fixed("le", &[Reflect, Reflect], |_, args| {
        Ok(Value::Bool(less(&args[0], &args[1])? || equal_pair(&args[0], &args[1])?))
    }),
    fixed("gt", &[Reflect, Reflect], |_, args| {
        Ok(Value::Bool(!(less(&args[0], &args[1])? || equal_pair(&args[0], &args[1])?)))
    }),
    fixed("ge", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!less(&args[0], &args[1])?))),
];

fn spent(context: &mut Context, bytes: Vec<u8>) -> Answer {
    context.spend(bytes.len())?;
    Ok(bytes.into())
}

fn printed(args: &[Value]) -> Vec<u8> {
    match args {
        [Value::String(text)] => text.as_bytes().to_vec(),
        _ => {
            let printable = |arg: &Value| match arg {
                Value::Nil => "<no value>".into(),
                Value::Object(object) if object.show() != object.print() => object.show().into(),
                other => other.clone(),
            };
            sprint(&args.iter().map(printable).collect::<Vec<_>>())
        }
    }
}

fn length(value: &Value) -> Answer {
    let length = match value {
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Object(object) => match (object.entries(), object.items()) {
            (Some(entries), _) => entries.len(),
            (_, Some(items)) => items.len(),
            _ => return Err(format!("len of type {}", value.type_name().trim_start_matches('*')).into()),
        },
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::count(length))
}

fn index(args: &[Value]) -> Answer {
    let (first, rest) = args.split_first().expect("checked by the evaluator");
    if first.is_nil() {
        return Err("index of untyped nil".into());
    }
    let mut value = first.clone();
    for key in rest {
        value = index_one(&value, key)?;
    }
    Ok(value)
}

fn index_one(value: &Value, key: &Value) -> Answer {
    match value {
        Value::Nil => Err("index of nil pointer".into()),
        Value::List(list) => {
            let at = position(key, list.len(), "slice")?;
            Ok(list.items()[at].clone())
        }
        Value::String(_) | Value::Bytes(_) => {
            let text = value.text().map_or(&b""[..], Text::as_bytes);
            let kind = if matches!(value, Value::Bytes(_)) { "slice" } else { "string" };
            let at = position(key, text.len(), kind)?;
            Ok(Value::Int(i64::from(text[at]), IntKind::Uint8))
        }
        Value::Map(map) => {
            let key = map_key(key)?;
            let missing = || if map.kind.is_of_strings() { Value::from("") } else { Value::Nil };
            Ok(map.get(key).unwrap_or_else(missing))
        }
        Value::Object(object) => {
            if let Some(entries) = object.entries() {
                let key = map_key(key)?;
                return Ok(entries.get(key).cloned().unwrap_or(Value::bytes("")));
            }
            if let Some(items) = object.items() {
                let at = position(key, items.len(), "slice")?;
                return Ok(items[at].clone());
            }
            Err(format!("can't index item of type {}", value.type_name()).into())
        }
        other => Err(format!("can't index item of type {}", other.type_name()).into()),
    }
}

fn map_key(key: &Value) -> Result<&[u8], Failure> {
    match key {
        Value::String(text) => Ok(text.as_bytes()),
        Value::Nil => Err("value is nil; should be of type string".into()),
        other => Err(format!("value has type {}; should be string", other.type_name()).into()),
    }
}

/// Go checks an index as it checks the end of a slice; reflection complains of the one that is left.
fn position(key: &Value, length: usize, of: &str) -> Result<usize, Failure> {
    match key {
        Value::Int(at, _) => match usize::try_from(*at) {
            Ok(at) if at < length => Ok(at),
            Ok(at) if at == length => Err(format!("reflect: {of} index out of range").into()),
            _ => Err(format!("index out of range: {at}").into()),
        },
        Value::Nil => Err("cannot index slice/array with nil".into()),
        other => Err(format!("cannot index slice/array with type {}", other.type_name()).into()),
    }
}

/// The classes of kinds that compare with each other.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Class {
    Bool,
    Int,
    Uint,
    Float,
    String,
}

fn class(value: &Value) -> Result<Class, Failure> {
    match value.kind() {
        Kind::Bool => Ok(Class::Bool),
        Kind::Int(kind) if kind.is_unsigned() => Ok(Class::Uint),
        Kind::Int(_) => Ok(Class::Int),
        Kind::Float64 => Ok(Class::Float),
        Kind::String => Ok(Class::String),
        _ => Err("invalid type for comparison".into()),
    }
}

fn equal(args: &[Value]) -> Answer {
    let (first, rest) = args.split_first().expect("checked by the evaluator");
    if rest.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in rest {
        if equal_pair(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn equal_pair(left: &Value, right: &Value) -> Result<bool, Failure> {
    match (class(left).ok(), class(right).ok()) {
        (Some(Class::Int), Some(Class::Uint)) | (Some(Class::Uint), Some(Class::Int)) => {
            Ok(number(left) == number(right))
        }
        (one, other) if one != other => {
            if left.is_nil() || right.is_nil() {
                Ok(false)
            } else {
                Err(incompatible(left, right))
            }
        }
        (Some(_), _) => Ok(same_basic(left, right)),
        (None, _) => equal_others(left, right),
    }
}

/// Values that are neither numbers, texts nor booleans.
fn equal_others(left: &Value, right: &Value) -> Result<bool, Failure> {
    if left.is_nil() || right.is_nil() {
        return Ok(left.is_nil() && right.is_nil());
    }
    let shown = |value: &Value| {
        let text = crate::printf::sprintf(b"%s", std::slice::from_ref(value));
        lossy(&text).into_owned()
    };
    if left.kind() != right.kind() {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(left),
            left.type_name(),
            right.type_name(),
            crate::format::text(right)
        )
        .into());
    }
    if matches!(right.kind(), Kind::Slice | Kind::Map) {
        return Err(format!("non-comparable type {}: {}", shown(right), right.type_name()).into());
    }
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => Ok(std::rc::Rc::ptr_eq(one, other) || one.same(other)),
        _ => Ok(false),
    }
}

fn incompatible(left: &Value, right: &Value) -> Failure {
    format!("incompatible types for comparison: {} and {}", left.type_name(), right.type_name()).into()
}

fn number(value: &Value) -> i128 {
    match value {
        Value::Int(value, IntKind::Uint64) => i128::from(*value as u64),
        Value::Int(value, _) => i128::from(*value),
        _ => 0,
    }
}

#[expect(clippy::float_cmp, reason = "Go compares floats exactly")]
fn same_basic(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Int(..), Value::Int(..)) => number(left) == number(right),
        _ => false,
    }
}

fn less(left: &Value, right: &Value) -> Result<bool, Failure> {
    let (one, other) = (class(left)?, class(right)?);
    if one != other && !matches!((one, other), (Class::Int, Class::Uint) | (Class::Uint, Class::Int)) {
        return Err(incompatible(left, right));
    }
    match (left, right) {
        (Value::Bool(_), _) => Err("invalid type for comparison".into()),
        (Value::Float(left), Value::Float(right)) => Ok(left < right),
        (Value::String(left), Value::String(right)) => Ok(left < right),
        _ => Ok(number(left) < number(right)),
    }
}

fn html(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice("\u{FFFD}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out
}

fn js(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (character, as_is) in runes(bytes) {
        match character {
            '\\' => out.extend_from_slice(b"\\\\"),
            '\'' => out.extend_from_slice(b"\\'"),
            '"' => out.extend_from_slice(b"\\\""),
            '<' | '>' | '&' | '=' | '\0'..='\x1F' => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(character)).as_bytes());
            }
            // Bytes that are not UTF-8 stay, too: U+FFFD, which they stand for, can be printed.
            other if other.is_ascii() || is_print(other) => out.extend_from_slice(as_is),
            other => out.extend_from_slice(format!("\\u{:04X}", u32::from(other)).as_bytes()),
        }
    }
    out
}

fn url_query(bytes: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(*byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out.into_bytes()
}

/// Go's `slice` is replaced by Sprig's; kept here is what both need.
pub(super) fn sliced(list: &List, start: i64, end: i64) -> Answer {
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    };
    if from > to || to > list.len() {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    }
    Ok(Value::List(List::new(list.kind, list.items()[from..to].to_vec())))
}

/// What Go says when the type of nil is asked for.
pub(super) fn nil_pointer<T>() -> Result<T, Failure> {
    Err(NIL_POINTER.into())
}
