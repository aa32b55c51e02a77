//! Values as Jinja sees them: scalars as its own, everything else as handles.
//!
//! minijinja's values may cross threads, the engine's may not. So what minijinja holds is a [`Handle`]:
//! the number of a slot in a table of this thread, freed when the handle is dropped. The same table holds
//! the [`Context`] while Jinja runs, because minijinja's functions cannot borrow it: [`during`] puts it
//! there, [`with_context`] takes it out for as long as one function runs.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Environment, ErrorKind, Output, State, Value as Jinja};

use super::functions::{self, refused};
use crate::encode::{self, JsonStyle};
use crate::error::Failure;
use crate::exec::Context;
use crate::trace::Trace;
use crate::value::{Entries, Value};

/// What every template sees, under the name that Go templates use and in lower case.
const OBJECTS: [&str; 7] = ["Values", "Release", "Chart", "Files", "Capabilities", "Template", "Subcharts"];

/// How deep Jinja's own lists and maps may nest to become values.
const MAX_NESTING: usize = 500;

/// Floats below this that are whole are integers to Jinja: all numbers of YAML files are floats.
const WHOLE: f64 = 9_007_199_254_740_992.0;

#[derive(Default)]
struct Table {
    slots: Vec<Option<Value>>,
    free: Vec<usize>,
    frames: Vec<Frame>,
}

/// A rendering that is under way.
struct Frame {
    /// Absent while a function has it.
    context: Option<Context>,
    dot: Value,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

/// Runs something that calls [`with_context`] and [`dot`].
pub(super) fn during<T>(context: &mut Context, dot: &Value, work: impl FnOnce() -> T) -> T {
    let stand_in = context.stand_in();
    let frame = Frame { context: Some(std::mem::replace(context, stand_in)), dot: dot.clone() };
    TABLE.with_borrow_mut(|table| table.frames.push(frame));
    let result = work();
    let frame = TABLE.with_borrow_mut(|table| table.frames.pop());
    if let Some(Frame { context: Some(own), .. }) = frame {
        *context = own;
    }
    result
}

/// Runs something with the context of the rendering under way.
pub(super) fn with_context<T>(work: impl FnOnce(&mut Context) -> Result<T, Failure>) -> Result<T, Failure> {
    let taken = TABLE.with_borrow_mut(|table| table.frames.last_mut()?.context.take());
    let Some(mut context) = taken else { return Err(Failure::new("no template is running")) };
    let result = work(&mut context);
    TABLE.with_borrow_mut(|table| {
        if let Some(frame) = table.frames.last_mut() {
            frame.context = Some(context);
        }
    });
    result
}

/// The value that the running template was given.
pub(super) fn dot() -> Value {
    TABLE.with_borrow(|table| table.frames.last().map(|frame| frame.dot.clone()).unwrap_or_default())
}

/// Notes what is read, if that is to be remembered.
fn watch(report: impl FnOnce(&mut Trace)) {
    TABLE.with_borrow_mut(|table| {
        if let Some(Frame { context: Some(context), .. }) = table.frames.last_mut()
            && let Some(trace) = &mut context.trace
        {
            report(trace);
        }
    });
}

/// A slot of this thread's table.
pub(super) struct Handle {
    slot: usize,
    /// Names may be given in lower case: for `release.name` and its like.
    relaxed: bool,
}

impl Handle {
    fn of(value: Value, relaxed: bool) -> Jinja {
        let slot = TABLE.with_borrow_mut(|table| match table.free.pop() {
            Some(slot) => {
                table.slots[slot] = Some(value);
                slot
            }
            None => {
                table.slots.push(Some(value));
                table.slots.len() - 1
            }
        });
        Jinja::from_object(Self { slot, relaxed })
    }

    pub(super) fn value(&self) -> Value {
        TABLE.with_borrow(|table| table.slots.get(self.slot).cloned().flatten().unwrap_or_default())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The value is dropped after the table is free again: it may hold anything.
        let held = TABLE.try_with(|table| {
            let mut table = table.borrow_mut();
            table.free.push(self.slot);
            table.slots[self.slot].take()
        });
        drop(held);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.value()))
    }
}

/// The entries and items of a value, as far as it has any.
fn shape(value: &Value) -> ObjectRepr {
    match value {
        Value::Map(_) => ObjectRepr::Map,
        Value::List(_) => ObjectRepr::Seq,
        Value::Object(object) if object.entries().is_some() => ObjectRepr::Map,
        Value::Object(object) if object.items().is_some() => ObjectRepr::Seq,
        _ => ObjectRepr::Plain,
    }
}

impl Object for Handle {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        shape(&self.value())
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        match (self.value(), key.as_str()) {
            (Value::Map(map), Some(name)) => {
                let names = spellings(name, self.relaxed);
                let found = names.iter().find_map(|name| map.get(name.as_bytes()));
                watch(|trace| trace.read(&map, Some(&name.into())));
                Some(to_jinja(&found?))
            }
            (Value::Object(object), Some(name)) => {
                let field = spellings(name, self.relaxed).iter().find_map(|name| object.field(name));
                let entry = || object.entries().and_then(|entries| entries.get(name.as_bytes()).cloned());
                Some(handle(&field.or_else(entry)?, self.relaxed))
            }
            (Value::List(list), None) => Some(to_jinja(list.items().get(index(key, list.len())?)?)),
            (Value::Object(object), None) => {
                let items = object.items()?;
                Some(to_jinja(items.get(index(key, items.len())?)?))
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let value = self.value();
        match &value {
            Value::Map(map) => Enumerator::Values(map.entries().keys().map(|key| key.to_str().into()).collect()),
            Value::List(list) => Enumerator::Seq(list.len()),
            Value::Object(object) => match (object.entries(), object.items()) {
                (Some(entries), _) => Enumerator::Values(entries.keys().map(|key| key.to_str().into()).collect()),
                (None, Some(items)) => Enumerator::Seq(items.len()),
                (None, None) => Enumerator::NonEnumerable,
            },
            _ => Enumerator::NonEnumerable,
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.value().truth()
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Jinja],
    ) -> Result<Jinja, minijinja::Error> {
        match self.value() {
            Value::Object(object) => {
                let found = spellings(method, self.relaxed)
                    .into_iter()
                    .find_map(|name| object.method(&name).map(|signature| (name, signature)));
                let Some((name, signature)) = found else { return Err(ErrorKind::UnknownMethod.into()) };
                let values = functions::arguments(&name, signature, args)?;
                let result = with_context(|context| object.call(context, &name, &values));
                result.map(|value| handle(&value, self.relaxed)).map_err(|failure| refused(&name, failure))
            }
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.value()))
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<std::cmp::Ordering> {
        let other = other.downcast_ref::<Self>()?.value();
        (text(&self.value()) == text(&other)).then_some(std::cmp::Ordering::Equal)
    }
}

/// An index into a list; a negative one counts from the end.
fn index(key: &Jinja, len: usize) -> Option<usize> {
    let index = key.as_i64()?;
    usize::try_from(if index < 0 { index + i64::try_from(len).ok()? } else { index }).ok()
}

/// A name, and how Go would write it.
fn spellings(name: &str, relaxed: bool) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    let mut letters = name.chars();
    if let (true, Some(first)) = (relaxed, letters.next().filter(char::is_ascii_lowercase)) {
        let rest = letters.as_str();
        names.push(format!("{}{rest}", first.to_ascii_uppercase()));
        if let Some(rest) = name.strip_prefix("api") {
            names.push(format!("API{rest}"));
        }
    }
    names
}

/// What a value that is not a scalar prints as: JSON, which is YAML too.
fn text(value: &Value) -> String {
    let plain = match value {
        Value::Object(object) => object.plain(),
        other => other.clone(),
    };
    encode::json(&plain, JsonStyle { pretty: false, escape_html: false }).unwrap_or_default()
}

/// A value for Jinja.
pub(super) fn to_jinja(value: &Value) -> Jinja {
    handle(value, false)
}

fn handle(value: &Value, relaxed: bool) -> Jinja {
    match value {
        Value::Nil => Jinja::from(()),
        Value::Bool(value) => Jinja::from(*value),
        Value::Int(value, _) => Jinja::from(*value),
        #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
        Value::Float(value) if value.fract() == 0.0 && value.abs() < WHOLE => Jinja::from(*value as i64),
        Value::Float(value) => Jinja::from(*value),
        Value::String(text) => match std::str::from_utf8(text.as_bytes()) {
            Ok(text) => Jinja::from(text),
            Err(_) => Jinja::from_bytes(text.as_bytes().to_vec()),
        },
        Value::Bytes(bytes) => Jinja::from_bytes(bytes.as_bytes().to_vec()),
        Value::List(_) | Value::Map(_) | Value::Object(_) => Handle::of(value.clone(), relaxed),
    }
}

/// A value of Jinja's.
pub(super) fn from_jinja(value: &Jinja) -> Result<Value, minijinja::Error> {
    convert(value, 0)
}

fn convert(value: &Jinja, depth: usize) -> Result<Value, minijinja::Error> {
    let wrong = |detail: String| minijinja::Error::new(ErrorKind::InvalidOperation, detail);
    if depth > MAX_NESTING {
        return Err(wrong("value is nested too deeply".to_owned()));
    }
    if let Some(handle) = value.downcast_object_ref::<Handle>() {
        return Ok(handle.value());
    }
    if let Some(scoped) = value.downcast_object_ref::<Scoped>() {
        return Ok(scoped.value().unwrap_or_default());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Value::Nil),
        ValueKind::Bool => Ok(value.is_true().into()),
        ValueKind::Number => match value.as_i64() {
            Some(int) if value.is_integer() => Ok(Value::int(int)),
            _ => f64::try_from(value.clone()).map(Value::Float),
        },
        ValueKind::String => Ok(value.as_str().unwrap_or_default().into()),
        ValueKind::Bytes => Ok(Value::bytes(value.as_bytes().unwrap_or_default())),
        ValueKind::Map => {
            let mut entries = Entries::new();
            for key in value.try_iter()? {
                let item = convert(&value.get_item(&key)?, depth + 1)?;
                entries.insert(key.to_string().into(), item);
            }
            Ok(Value::map(entries))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Result<_, _> = value.try_iter()?.map(|item| convert(&item, depth + 1)).collect();
            Ok(Value::list(items?))
        }
        other => Err(wrong(format!("{other} cannot be given to a function of the engine"))),
    }
}

/// One of the objects, of whichever chart is rendering: what macros see, wherever they were imported from.
#[derive(Debug)]
struct Scoped {
    /// The key in the dot; the dot itself if absent.
    key: Option<&'static str>,
    relaxed: bool,
}

impl Scoped {
    fn value(&self) -> Option<Value> {
        match (dot(), self.key) {
            (dot, None) => Some(dot),
            (Value::Map(map), Some(key)) => map.get(key.as_bytes()),
            _ => None,
        }
    }

    fn handle(&self) -> Jinja {
        self.value().map_or(Jinja::UNDEFINED, |value| handle(&value, self.relaxed))
    }
}

impl Object for Scoped {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        self.value().map_or(ObjectRepr::Plain, |value| shape(&value))
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.handle().as_object()?.get_value(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.handle().as_object().map_or(Enumerator::NonEnumerable, DynObject::enumerate)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.value().is_some_and(|value| value.truth())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Jinja],
    ) -> Result<Jinja, minijinja::Error> {
        self.handle().call_method(state, method, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.value().unwrap_or_default()))
    }
}

/// Adds the objects, and `dot` for all of them.
pub(super) fn add_globals(environment: &mut Environment<'static>) {
    environment.add_global("dot", Jinja::from_object(Scoped { key: None, relaxed: false }));
    for key in OBJECTS {
        let relaxed = !matches!(key, "Values" | "Subcharts");
        environment.add_global(key, Jinja::from_object(Scoped { key: Some(key), relaxed: false }));
        environment.add_global(key.to_lowercase(), Jinja::from_object(Scoped { key: Some(key), relaxed }));
    }
}

/// What a template starts with: the entries of its dot, if it has any.
pub(super) fn root(dot: &Value) -> Jinja {
    match dot {
        Value::Map(_) => to_jinja(dot),
        _ => Jinja::from_pairs(Vec::<(String, Jinja)>::new()),
    }
}

/// Writes a value into the output: null as nothing, as Helm does; lists and maps as JSON.
pub(super) fn format(out: &mut Output<'_>, _state: &mut State<'_, '_>, value: &Jinja) -> Result<(), minijinja::Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if value.is_none() {
        return Ok(());
    }
    let text = match value.kind() {
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            let value = from_jinja(value)?;
            watch(|trace| trace.read_all(&value, 0));
            text(&value)
        }
        // minijinja would write Python's `True`.
        ValueKind::Bool => value.is_true().to_string(),
        _ => value.to_string(),
    };
    with_context(|context| context.spend(text.len())).map_err(|failure| refused("", failure))?;
    out.write_str(&text)?;
    Ok(())
}
