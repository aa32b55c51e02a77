//! Sprig's dictionaries: maps that are shared and change in place.

use super::{Answer, Function, Type, fixed, map, strval, text, variadic};
use crate::error::Failure;
use crate::exec::Context;
use crate::format::MAX_NESTING;
use crate::text::Text;
use crate::value::{Entries, List, Map, MapKind, Value};

use Type::{Any, Map as Dict, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("dict", &[Any], |_, args| {
        let pairs = args.chunks(2).map(|pair| (strval(&pair[0]), pair.get(1).cloned().unwrap_or_else(|| "".into())));
        Ok(Value::map(pairs.collect()))
    }),
    fixed("get", &[Dict, Str], |_, args| Ok(map(&args[0]).get(text(&args[1])).unwrap_or_else(|| "".into()))),
    fixed("set", &[Dict, Str, Any], |_, args| {
        let Value::Map(target) = &args[0] else { return Err("assignment to entry in nil map".into()) };
        target.insert(text(&args[1]).into(), args[2].clone());
        Ok(as_any(target))
    }),
    fixed("unset", &[Dict, Str], |_, args| {
        let target = map(&args[0]);
        target.remove(text(&args[1]));
        Ok(as_any(&target))
    }),
    fixed("hasKey", &[Dict, Str], |_, args| Ok(Value::Bool(map(&args[0]).entries().contains_key(text(&args[1]))))),
    variadic("pluck", &[Str, Dict], |_, args| {
        Ok(Value::list(args[1..].iter().filter_map(|dict| map(dict).get(text(&args[0]))).collect()))
    }),
    variadic("keys", &[Dict], |_, args| {
        let keys: Vec<Text> =
            args.iter().flat_map(|dict| map(dict).entries().keys().cloned().collect::<Vec<_>>()).collect();
        Ok(Value::strings(keys))
    }),
    variadic("pick", &[Dict, Str], |_, args| {
        let source = map(&args[0]);
        let found = args[1..].iter().filter_map(|key| Some((Text::from(text(key)), source.get(text(key))?)));
        Ok(Value::map(found.collect()))
    }),
    variadic("omit", &[Dict, Str], |_, args| {
        let source = map(&args[0]);
        let kept = source
            .entries()
            .iter()
            .filter(|(key, _)| !args[1..].iter().any(|omitted| text(omitted) == key.as_bytes()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Ok(Value::map(kept))
    }),
    fixed("values", &[Dict], |_, args| Ok(Value::list(map(&args[0]).entries().values().cloned().collect()))),
    variadic("merge", &[Dict, Dict], |_, args| merge_all(args, false)),
    variadic("mustMerge", &[Dict, Dict], |_, args| merge_all(args, false)),
    variadic("mergeOverwrite", &[Dict, Dict], |_, args| merge_all(args, true)),
    variadic("mustMergeOverwrite", &[Dict, Dict], |_, args| merge_all(args, true)),
    fixed("deepCopy", &[Any], |context, args| copied(context, &args[0])),
    fixed("mustDeepCopy", &[Any], |context, args| copied(context, &args[0])),
    variadic("dig", &[Any], |_, args| dig(args)),
];

/// A map as functions give it back, whatever name its type had.
fn as_any(map: &Map) -> Value {
    Value::Map(map.with_kind(MapKind::Any))
}

fn merge_all(args: &[Value], overwrite: bool) -> Answer {
    let target = map(&args[0]);
    for source in &args[1..] {
        merge(&target, &map(source), overwrite, 0)?;
    }
    Ok(as_any(&target))
}

/// The library `mergo`: what is empty in the target is filled in, or all is overwritten; maps merge in place.
fn merge(target: &Map, source: &Map, overwrite: bool, depth: usize) -> Result<(), Failure> {
    if depth > MAX_NESTING {
        return Err("maps are nested too deeply to merge".into());
    }
    if target.is_same(source) {
        return Ok(());
    }
    let entries: Vec<(Text, Value)> =
        source.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in entries {
        let existing = target.get(key.as_bytes());
        if value.is_nil() {
            if overwrite {
                target.insert(key, value);
            }
            continue;
        }
        if let (Some(Value::Map(inner)), Value::Map(value)) = (&existing, &value)
            && !(inner.is_empty() && value.is_empty())
        {
            merge(inner, value, overwrite, depth + 1)?;
            continue;
        }
        let filled = existing.as_ref().is_some_and(Value::truth);
        if overwrite || !filled {
            target.insert(key, value);
        }
    }
    Ok(())
}

fn copied(context: &mut Context, value: &Value) -> Answer {
    if value.is_nil() {
        return Err(super::NIL_POINTER.into());
    }
    // A copy takes more room than the text that the weight stands for.
    context.spend(crate::weight::check(std::slice::from_ref(value))?.saturating_mul(4))?;
    deep_copy(value, 0)
}

fn deep_copy(value: &Value, depth: usize) -> Answer {
    if depth > MAX_NESTING {
        return Err("value is nested too deeply to copy".into());
    }
    Ok(match value {
        Value::List(list) => {
            let items: Result<Vec<Value>, Failure> =
                list.items().iter().map(|item| deep_copy(item, depth + 1)).collect();
            Value::List(List::new(list.kind, items?))
        }
        Value::Map(map) => {
            let copied: Result<Entries, Failure> =
                map.entries().iter().map(|(key, value)| Ok((key.clone(), deep_copy(value, depth + 1)?))).collect();
            Value::Map(Map::new(map.kind, copied?))
        }
        other => other.clone(),
    })
}

fn dig(args: &[Value]) -> Answer {
    let [path @ .., default, dict] = args else { return Err("dig needs at least three arguments".into()) };
    if path.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut current = any_map(dict)?;
    let keys = path.iter().map(|key| match key {
        Value::String(key) => Ok(key),
        other => Err(conversion(other, "string")),
    });
    // A wrong key counts even if an earlier one is missing.
    for (index, key) in keys.collect::<Result<Vec<_>, _>>()?.into_iter().enumerate() {
        let Some(step) = current.get(key.as_bytes()) else { return Ok(default.clone()) };
        if index + 1 == path.len() {
            return Ok(step);
        }
        current = any_map(&step)?;
    }
    Ok(default.clone())
}

fn any_map(value: &Value) -> Result<Map, Failure> {
    match value {
        Value::Map(map) if map.kind == MapKind::Any => Ok(map.clone()),
        other => Err(conversion(other, "map[string]interface {}")),
    }
}

fn conversion(value: &Value, wanted: &str) -> Failure {
    let found = if value.is_nil() { "nil" } else { value.type_name() };
    format!("interface conversion: interface {{}} is {found}, not {wanted}").into()
}
