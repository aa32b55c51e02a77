//! The functions that templates can call: Go's own, Sprig's, Helm's. One table, a file per subject.

mod bases;
mod builtin;
mod cases;
mod cast;
mod certificates;
mod crypto;
mod dates;
mod defaults;
mod dict;
mod encoding;
mod expressions;
mod helm;
mod list;
mod names;
mod numeric;
mod paths;
mod primes;
mod regexes;
mod strings;
mod toml;
mod versions;

use kpkg_gounicode::lossy;

use crate::error::Failure;
use crate::exec::Context;
use crate::text::Text;
use crate::value::{IntKind, List, ListKind, Map, MapKind, Value};
use crate::weight::{Effort, is_one_of, walks};

pub(crate) use expressions::{Pattern, go_regex};
pub(crate) use helm::remove_no_value;
pub use names::names;
pub(crate) use names::{FunctionId, find};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`
    Any,
    /// `reflect.Value`: anything, nil and its absence kept apart.
    Reflect,
    /// `string`
    String,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint32`
    Uint32,
    /// `float64`
    Float,
    /// `bool`
    Bool,
    /// `map[string]interface {}`
    Map,
    /// `[]interface {}`
    List,
    /// `time.Time`
    Time,
}

impl Type {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::String => "string",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Time => "time.Time",
        }
    }

    /// Whether nil may be given.
    pub(crate) fn takes_nil(self) -> bool {
        matches!(self, Self::Any | Self::Reflect | Self::Map | Self::List)
    }

    /// Whether a value that is not nil may be given.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Any | Self::Reflect => true,
            Self::String => matches!(value, Value::String(_)),
            Self::Int => matches!(value, Value::Int(_, IntKind::Int)),
            Self::Int64 => matches!(value, Value::Int(_, IntKind::Int64)),
            Self::Uint32 => matches!(value, Value::Int(_, IntKind::Uint32)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Map => matches!(value, Value::Map(map) if !map.kind.is_of_strings()),
            Self::List => matches!(value, Value::List(list) if matches!(list.kind, ListKind::Any | ListKind::Nil)),
            Self::Time => value.type_name() == "time.Time",
        }
    }
}

/// What a function gives.
pub(crate) type Answer = Result<Value, Failure>;

/// A function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Type],
    pub(crate) variadic: bool,
    /// Whether it walks over all that its arguments hold.
    pub(crate) walks: bool,
    pub(crate) effort: Effort,
    /// Whether arguments are evaluated only as far as needed.
    pub(crate) is_short_circuit: bool,
    pub(crate) call: fn(&mut Context, &[Value]) -> Answer,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A function with as many arguments as parameters.
const fn fixed(name: &'static str, params: &'static [Type], call: fn(&mut Context, &[Value]) -> Answer) -> Function {
    function(name, params, false, call)
}

/// A function whose last parameter takes any number of arguments.
const fn variadic(name: &'static str, params: &'static [Type], call: fn(&mut Context, &[Value]) -> Answer) -> Function {
    function(name, params, true, call)
}

const fn function(
    name: &'static str,
    params: &'static [Type],
    variadic: bool,
    call: fn(&mut Context, &[Value]) -> Answer,
) -> Function {
    let is_short_circuit = is_one_of(name, &["and", "or"]);
    Function { name, params, variadic, walks: walks(name), effort: Effort::of(name), is_short_circuit, call }
}

/// Every table; a later one wins where two name a function, as Helm's functions replace Sprig's.
static TABLES: &[&[Function]] = &[
    builtin::FUNCTIONS,
    strings::FUNCTIONS,
    numeric::FUNCTIONS,
    list::FUNCTIONS,
    dict::FUNCTIONS,
    defaults::FUNCTIONS,
    encoding::FUNCTIONS,
    dates::FUNCTIONS,
    regexes::FUNCTIONS,
    paths::FUNCTIONS,
    versions::FUNCTIONS,
    crypto::FUNCTIONS,
    certificates::FUNCTIONS,
    toml::FUNCTIONS,
    helm::FUNCTIONS,
];

// === arguments, whose types the evaluator has checked ===

fn text(value: &Value) -> &[u8] {
    match value {
        Value::String(text) => text.as_bytes(),
        _ => b"",
    }
}

fn string(value: &Value) -> std::borrow::Cow<'_, str> {
    lossy(text(value))
}

/// What a function of texts, to which only ASCII means anything, makes of bytes: what is not UTF-8 goes through it as Latin-1.
fn on_bytes(bytes: &[u8], function: impl Fn(&str) -> String) -> Value {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return function(text).into();
    }
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    function(&text).chars().filter_map(|character| u8::try_from(character).ok()).collect::<Vec<u8>>().into()
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(value, _) => *value,
        _ => 0,
    }
}

/// A map, or an empty one for nil.
fn map(value: &Value) -> Map {
    match value {
        Value::Map(map) => map.clone(),
        _ => Map::new(MapKind::Any, crate::value::Entries::new()),
    }
}

/// The items of any slice; `None` for other kinds.
fn items(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list.items().to_vec()),
        Value::Bytes(bytes) => {
            Some(bytes.as_bytes().iter().map(|byte| Value::Int(i64::from(*byte), IntKind::Uint8)).collect())
        }
        Value::Object(object) => object.items(),
        _ => None,
    }
}

fn list_of(list: &List) -> Value {
    Value::List(list.clone())
}

/// Sprig's `strval`: strings and bytes as they are, all else as it prints.
fn strval(value: &Value) -> Text {
    match value.text() {
        Some(text) => text.clone(),
        None => crate::format::print(value).unwrap_or_default().into(),
    }
}

/// Sprig's `strslice`: a list of strings of anything; nil items are left out.
fn strslice(value: &Value) -> Vec<Text> {
    match value {
        Value::Nil => Vec::new(),
        _ => match items(value) {
            Some(items) => items.iter().filter(|item| !item.is_nil()).map(strval).collect(),
            None => vec![strval(value)],
        },
    }
}

/// Go's complaint when `reflect.TypeOf(nil).Kind()` is asked for.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";
