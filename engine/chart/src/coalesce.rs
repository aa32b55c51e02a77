//! Values of several layers into one, as Helm coalesces them.
//!
//! Works on the templates' shared maps, not on plain ones, because Helm's result depends on sharing:
//! a map deep inside `global` is one and the same for a chart and its subcharts.

use kpkg_template::{Entries, Map, MapKind, Text, Value};

use crate::chart::Chart;
use crate::dependencies::Asked;

const GLOBAL: &[u8] = b"global";

/// All values of a chart: what was supplied over the defaults of the chart and its subcharts. With
/// `merge`, nulls stay for a later round; without, they remove the default below them.
pub(crate) fn coalesce(chart: &Chart, supplied: &Map, merge: bool) -> Result<Map, String> {
    let values = copy(supplied);
    coalesce_chart(chart, &values, merge, Part::All)?;
    Ok(values)
}

/// As [`coalesce`] without `merge`, but only of what is asked for, and of what was supplied.
pub(crate) fn coalesce_asked(chart: &Chart, supplied: &Map, asked: &Asked) -> Result<Map, String> {
    let values = copy(supplied);
    coalesce_chart(chart, &values, false, Part::of_asked(Some(asked)))?;
    Ok(values)
}

/// Which defaults are merged.
#[derive(Clone, Copy)]
enum Part<'a> {
    All,
    /// Those asked for, if any are.
    Asked(Option<&'a Asked>),
}

impl<'a> Part<'a> {
    fn of_asked(asked: Option<&'a Asked>) -> Self {
        if asked.is_some_and(|asked| asked.is_whole) { Self::All } else { Self::Asked(asked) }
    }

    fn below(self, key: &str) -> Self {
        match self {
            Self::All => Self::All,
            Self::Asked(asked) => Self::of_asked(asked.and_then(|asked| asked.below(key))),
        }
    }

    fn is_nothing(self) -> bool {
        matches!(self, Self::Asked(None))
    }
}

fn coalesce_chart(chart: &Chart, values: &Map, merge: bool, part: Part<'_>) -> Result<(), String> {
    coalesce_defaults(chart, values, merge, part);
    for subchart in &chart.dependencies {
        let name = subchart.name();
        let inner = match values.get(name.as_bytes()) {
            None => {
                let empty = new_map();
                values.insert(name.into(), Value::Map(empty.clone()));
                empty
            }
            Some(Value::Map(inner)) => inner,
            Some(other) => return Err(type_mismatch(name, &other)),
        };
        coalesce_globals(&inner, values);
        coalesce_chart(subchart, &inner, merge, part.below(name))?;
    }
    Ok(())
}

fn type_mismatch(name: &str, value: &Value) -> String {
    let shown = match value {
        Value::Bool(value) => value.to_string(),
        Value::Nil => "%!t(<nil>)".to_owned(),
        other => format!("%!t({}={})", other.type_name(), kpkg_template::print(other)),
    };
    format!("type mismatch on {name}: {shown}")
}

pub(crate) fn new_map() -> Map {
    Map::new(MapKind::Any, Entries::new())
}

/// A map of a plain one.
pub(crate) fn from_plain(map: &kpkg_yaml::Map) -> Map {
    Map::new(MapKind::Any, kpkg_template::entries(map))
}

/// The plain map of a shared one.
pub(crate) fn to_plain(map: &Map) -> kpkg_yaml::Map {
    map.entries().iter().map(|(key, value)| (key.to_str().into_owned(), plain_value(value))).collect()
}

pub(crate) fn plain_value(value: &Value) -> kpkg_yaml::Value {
    match value {
        Value::Nil => kpkg_yaml::Value::Null,
        Value::Bool(value) => kpkg_yaml::Value::Bool(*value),
        Value::Int(value, _) => kpkg_yaml::Value::Int(*value),
        Value::Float(value) => kpkg_yaml::Value::Float(*value),
        Value::String(text) => text.as_bytes().to_vec().into(),
        Value::Bytes(bytes) => kpkg_yaml::Value::String(bytes.to_string()),
        Value::List(list) => kpkg_yaml::Value::List(list.items().iter().map(plain_value).collect()),
        Value::Map(map) => kpkg_yaml::Value::Map(to_plain(map)),
        Value::Object(object) => plain_value(&object.plain()),
    }
}

/// A deep copy; nothing in it is shared with the original.
pub(crate) fn copy(map: &Map) -> Map {
    Map::new(map.kind, map.entries().iter().map(|(key, value)| (key.clone(), copy_value(value))).collect())
}

fn copy_value(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(copy(map)),
        Value::List(list) => Value::list(list.items().iter().map(copy_value).collect()),
        other => other.clone(),
    }
}

fn snapshot(map: &Map) -> Vec<(Text, Value)> {
    map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The chart's own values into the gaps. They are plain, and most of them are there already when subcharts' values come
/// down from their parents: only what is missing is made into shared values.
fn coalesce_defaults(chart: &Chart, values: &Map, merge: bool, part: Part<'_>) {
    for (key, default) in chart.values.iter() {
        let part = part.below(key);
        if part.is_nothing() {
            continue;
        }
        match (values.get(key.as_bytes()), default) {
            (Some(Value::Nil), _) if !merge => values.remove(key.as_bytes()),
            (Some(Value::Map(given)), kpkg_yaml::Value::Map(default)) => {
                let is_subchart = chart.dependencies.iter().any(|sub| sub.name() == key);
                fill(&given, default, merge || is_subchart, part);
            }
            (Some(Value::Map(_)), other) if !other.is_null() => {
                let default: Value = other.into();
                tracing::warn!(key = %key, value = %default.type_name(), "skipped value: not a table");
            }
            (Some(_), _) => {}
            (None, kpkg_yaml::Value::Null) if !merge => {}
            (None, default) => values.insert(key.as_str().into(), part.shared(default, merge)),
        }
    }
}

impl Part<'_> {
    /// The part of a plain value, to be shared. A null among a chart's defaults says only that the key exists.
    fn shared(self, plain: &kpkg_yaml::Value, merge: bool) -> Value {
        match plain {
            kpkg_yaml::Value::Map(map) => {
                let wanted =
                    map.iter().filter(|(key, value)| (merge || !value.is_null()) && !self.below(key).is_nothing());
                let entries = wanted.map(|(key, value)| (key.as_str().into(), self.below(key).shared(value, merge)));
                Value::map(entries.collect())
            }
            other => other.into(),
        }
    }
}

/// Fills the gaps of one table from a plain one.
fn fill(target: &Map, source: &kpkg_yaml::Map, merge: bool, part: Part<'_>) {
    for (key, value) in source {
        let part = part.below(key);
        if part.is_nothing() || (!merge && value.is_null()) {
            continue;
        }
        match (target.get(key.as_bytes()), value) {
            // A null takes a default away; where there is none, it stays a null.
            (Some(Value::Nil), _) if !merge => target.remove(key.as_bytes()),
            (Some(Value::Nil), _) => {}
            (None, value) => target.insert(key.as_str().into(), part.shared(value, merge)),
            (Some(Value::Map(inner)), kpkg_yaml::Value::Map(value)) => fill(&inner, value, merge, part),
            (Some(Value::Map(_)), value) if !value.is_null() => {
                tracing::warn!(key = %key, "destination is a table, ignoring non-table value");
            }
            (Some(_), kpkg_yaml::Value::Map(_)) => tracing::warn!(key = %key, "cannot overwrite table with non table"),
            (Some(_), _) => {}
        }
    }
}

/// Fills the gaps of one table from another that is shared as well, and may change.
pub(crate) fn coalesce_tables(target: &Map, source: &Map, merge: bool) {
    let is_null = |(key, value): (&Text, &Value)| value.is_nil().then(|| key.clone());
    let nulls: Vec<Text> = target.entries().iter().filter_map(is_null).collect();
    for key in nulls {
        // A null takes a default away; where there is none, it stays a null.
        if !merge && source.get(key.as_bytes()).is_some_and(|default| !default.is_nil()) {
            source.remove(key.as_bytes());
            target.remove(key.as_bytes());
        } else {
            source.insert(key, Value::Nil);
        }
    }
    for (key, value) in snapshot(source) {
        match (target.get(key.as_bytes()), value) {
            (None, value) => target.insert(key, value),
            (Some(Value::Map(inner)), Value::Map(value)) => coalesce_tables(&inner, &value, merge),
            (Some(Value::Map(_)), value) if !value.is_nil() => {
                tracing::warn!(key = %key, "destination is a table, ignoring non-table value");
            }
            (Some(_), Value::Map(_)) => tracing::warn!(key = %key, "cannot overwrite table with non table"),
            (Some(_), _) => {}
        }
    }
}

/// Hands a chart's globals down to a subchart; what the parent says wins.
fn coalesce_globals(inner: &Map, outer: &Map) {
    let globals = |map: &Map| match map.get(GLOBAL) {
        None => Some(new_map()),
        Some(Value::Map(globals)) => Some(globals),
        Some(_) => None,
    };
    let (Some(target), Some(source)) = (globals(inner), globals(outer)) else {
        tracing::warn!("skipping globals because they are not a table");
        return;
    };
    for (key, value) in snapshot(&source) {
        let existing = target.get(key.as_bytes());
        match (value, existing) {
            (Value::Map(value), existing) => {
                // One level is copied; the maps inside stay shared with the parent.
                let shallow = Map::new(MapKind::Any, value.entries().clone());
                match existing {
                    None => target.insert(key, Value::Map(shallow)),
                    Some(Value::Map(existing)) => {
                        coalesce_tables(&shallow, &existing, true);
                        target.insert(key, Value::Map(shallow));
                    }
                    Some(_) => tracing::warn!(key = %key, "cannot merge map onto non-map"),
                }
            }
            (_, Some(Value::Map(_))) => tracing::warn!(key = %key, "key is table, skipping"),
            (value, _) => target.insert(key, value),
        }
    }
    inner.insert("global".into(), Value::Map(target));
}
