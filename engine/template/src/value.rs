//! Go's values, as far as templates meet them.
//!
//! Maps are shared and change in place (`set`, `merge`), so values live on one thread: each rendering
//! thread makes its own from plain [`kpkg_yaml::Value`]s. Lists and strings never change.

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use crate::changes;
use crate::object::Object;
use crate::text::Text;

/// The kinds of Go's integers that templates can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntKind {
    /// `int`, what literals and `len` are.
    Int,
    /// `int64`, what arithmetic gives.
    Int64,
    /// `int32`, a character.
    Int32,
    /// `uint8`, a byte.
    Uint8,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
}

impl IntKind {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Uint8 => "uint8",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
        }
    }

    /// Whether it has no sign.
    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::Uint8 | Self::Uint32 | Self::Uint64)
    }
}

/// What a list holds, by Go's type of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// `[]interface {}`
    Any,
    /// `[]interface {}` that was never made: JSON has it as null.
    Nil,
    /// `[]string`
    String,
    /// `[]string` that was never made: JSON has it as null.
    NilString,
    /// `[]int`
    Int,
    /// `[]map[string]interface {}`
    Maps,
}

impl ListKind {
    /// Whether the list was never made.
    pub fn is_nil(self) -> bool {
        matches!(self, Self::Nil | Self::NilString)
    }
}

/// What a map holds, by Go's type of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// `map[string]interface {}`
    Any,
    /// `map[string]string`
    String,
    /// `map[string]string` that was never made: JSON has it as null.
    NilString,
    /// `common.Values`, which is `map[string]interface {}` under another name.
    Values,
}

impl MapKind {
    /// Whether it holds nothing but strings.
    pub fn is_of_strings(self) -> bool {
        matches!(self, Self::String | Self::NilString)
    }
}

/// A value.
#[derive(Clone, Default)]
pub enum Value {
    /// `nil`
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// An integer.
    Int(i64, IntKind),
    /// `float64`
    Float(f64),
    /// `string`
    String(Text),
    /// `[]uint8`; rare, and so apart: values stay as small as texts.
    Bytes(Rc<Text>),
    /// A slice.
    List(List),
    /// A map with strings for keys.
    Map(Map),
    /// Anything else: structs, times, values with methods.
    Object(Rc<dyn Object>),
}

/// The entries of a map.
pub type Entries = kpkg_yaml::Entries<Text, Value>;

/// A slice.
#[derive(Clone)]
pub struct List {
    /// Its type.
    pub kind: ListKind,
    items: Rc<ListItems>,
}

struct ListItems(Vec<Value>);

impl List {
    /// A list of a type.
    pub fn new(kind: ListKind, items: Vec<Value>) -> Self {
        Self { kind, items: Rc::new(ListItems(items)) }
    }

    /// The items.
    pub fn items(&self) -> &[Value] {
        &self.items.0
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.items.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.0.is_empty()
    }
}

/// A shared map.
#[derive(Clone)]
pub struct Map {
    /// Its type.
    pub kind: MapKind,
    shared: Rc<MapEntries>,
}

struct MapEntries {
    entries: RefCell<Entries>,
    /// The file whose templates made it.
    maker: u32,
}

impl Map {
    /// A map of a type.
    pub fn new(kind: MapKind, entries: Entries) -> Self {
        Self { kind, shared: Rc::new(MapEntries { entries: RefCell::new(entries), maker: changes::file() }) }
    }

    /// The same map under another type.
    #[must_use]
    pub fn with_kind(&self, kind: MapKind) -> Self {
        Self { kind, shared: self.shared.clone() }
    }

    /// The entries, to read. Templates never run while this is held.
    pub fn entries(&self) -> Ref<'_, Entries> {
        self.shared.entries.borrow()
    }

    /// The value under a key.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.entries().get(key).cloned()
    }

    /// Sets a key, for everyone who shares the map.
    pub fn insert(&self, key: Text, value: Value) {
        changes::note(self.shared.maker);
        self.shared.entries.borrow_mut().insert(key, value);
    }

    /// Removes a key, for everyone who shares the map.
    pub fn remove(&self, key: &[u8]) {
        changes::note(self.shared.maker);
        self.shared.entries.borrow_mut().remove(key);
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Whether two are the same shared map.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    /// What tells this map from others as long as it lives.
    pub fn identity(&self) -> usize {
        Rc::as_ptr(&self.shared).addr()
    }
}

// A chain of lists in lists may be longer than the stack is deep: they are taken apart in a loop.
impl Drop for ListItems {
    fn drop(&mut self) {
        if takes_others_along(self.0.iter()) {
            dismantle(std::mem::take(&mut self.0));
        }
    }
}

impl Drop for MapEntries {
    fn drop(&mut self) {
        let entries = self.entries.get_mut();
        if takes_others_along(entries.values()) {
            dismantle(std::mem::take(entries).into_iter().map(|(_, value)| value));
        }
    }
}

/// Whether a chain of lists and maps may go when these values go: not if others hold them too, or if they are the last of
/// a chain.
fn takes_others_along<'a>(values: impl Iterator<Item = &'a Value> + Clone) -> bool {
    let holders = |value: &Value| match value {
        Value::List(list) => Rc::strong_count(&list.items),
        Value::Map(map) => Rc::strong_count(&map.shared),
        _ => usize::MAX,
    };
    let nested = values.clone().filter(|value| is_nested(value)).count();
    nested > 0 && values.into_iter().any(|value| holders(value) <= nested && holds_nested(value))
}

fn is_nested(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}

fn holds_nested(value: &Value) -> bool {
    match value {
        Value::List(list) => list.items().iter().any(is_nested),
        Value::Map(map) => map.entries().values().any(is_nested),
        _ => false,
    }
}

fn dismantle(values: impl IntoIterator<Item = Value>) {
    let mut stack: Vec<Value> = values.into_iter().filter(holds_nested).collect();
    while let Some(value) = stack.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut items) = Rc::into_inner(list.items) {
                    stack.extend(std::mem::take(&mut items.0).into_iter().filter(holds_nested));
                }
            }
            Value::Map(map) => {
                if let Some(mut entries) = Rc::into_inner(map.shared) {
                    let values = std::mem::take(entries.entries.get_mut()).into_iter().map(|(_, value)| value);
                    stack.extend(values.filter(holds_nested));
                }
            }
            _ => {}
        }
    }
}

/// Go's kinds of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No type at all.
    Invalid,
    /// `bool`
    Bool,
    /// An integer of some size.
    Int(IntKind),
    /// `float64`
    Float64,
    /// `string`
    String,
    /// A slice.
    Slice,
    /// A map.
    Map,
    /// A struct.
    Struct,
    /// A pointer.
    Ptr,
}

impl Kind {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int(kind) => kind.name(),
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Ptr => "ptr",
        }
    }
}

impl Value {
    /// An `int`.
    pub fn int(value: i64) -> Self {
        Self::Int(value, IntKind::Int)
    }

    /// An `int` from a length.
    pub fn count(value: usize) -> Self {
        Self::int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// An `int64`.
    pub fn int64(value: i64) -> Self {
        Self::Int(value, IntKind::Int64)
    }

    /// A `[]uint8`.
    pub fn bytes(bytes: impl Into<Text>) -> Self {
        Self::Bytes(Rc::new(bytes.into()))
    }

    /// The bytes of a string or a `[]uint8`.
    pub(crate) fn text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(List::new(ListKind::Any, items))
    }

    /// A `[]string`.
    pub fn strings(items: impl IntoIterator<Item = impl Into<Text>>) -> Self {
        let items = items.into_iter().map(|item| Self::String(item.into())).collect();
        Self::List(List::new(ListKind::String, items))
    }

    /// A `map[string]interface {}`.
    pub fn map(entries: Entries) -> Self {
        Self::Map(Map::new(MapKind::Any, entries))
    }

    /// An object.
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    /// Go's kind of its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_, kind) => Kind::Int(*kind),
            Self::Float(_) => Kind::Float64,
            Self::String(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// Go's name of its type; `<nil>` for nil.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Nil => "<nil>",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => match list.kind {
                ListKind::Any | ListKind::Nil => "[]interface {}",
                ListKind::String | ListKind::NilString => "[]string",
                ListKind::Int => "[]int",
                ListKind::Maps => "[]map[string]interface {}",
            },
            Self::Map(map) => match map.kind {
                MapKind::Any => "map[string]interface {}",
                MapKind::String | MapKind::NilString => "map[string]string",
                MapKind::Values => "common.Values",
            },
            Self::Object(object) => object.type_name(),
            _ => self.kind().name(),
        }
    }

    /// Whether templates take it for true: not the zero value of its type.
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value, _) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.truth(),
        }
    }

    /// Whether this is nil.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::String(bytes.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&kpkg_yaml::Value> for Value {
    fn from(plain: &kpkg_yaml::Value) -> Self {
        match plain {
            kpkg_yaml::Value::Null => Self::Nil,
            kpkg_yaml::Value::Bool(value) => Self::Bool(*value),
            // Files hold floats; an integer comes from `--set`.
            kpkg_yaml::Value::Int(value) => Self::int64(*value),
            kpkg_yaml::Value::Uint(value) => Self::Float(*value as f64),
            kpkg_yaml::Value::Float(value) => Self::Float(*value),
            kpkg_yaml::Value::String(text) => text.as_str().into(),
            kpkg_yaml::Value::Binary(binary) => Self::String(binary.as_bytes().into()),
            kpkg_yaml::Value::List(items) => Self::list(items.iter().map(Self::from).collect()),
            kpkg_yaml::Value::Map(map) => Self::map(entries(map)),
        }
    }
}

/// The entries of a plain map.
pub fn entries(map: &kpkg_yaml::Map) -> Entries {
    map.iter().map(|(key, value)| (key.as_str().into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chains are longer than the stack is deep, also where links are held twice.
    #[test]
    fn long_chains_are_taken_apart() {
        let twice = |value: &Value| vec![value.clone(), value.clone()];
        for width in 1..=2 {
            let (mut lists, mut maps) = (Value::Nil, Value::Nil);
            for _ in 0..200_000 {
                lists = Value::list(twice(&lists)[..width].to_vec());
                let entries = twice(&maps).into_iter().take(width).enumerate();
                maps = Value::map(entries.map(|(index, value)| (index.to_string().into(), value)).collect());
            }
            drop((lists, maps));
        }
    }
}
