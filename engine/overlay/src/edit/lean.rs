//! Fields as Kustomize writes them: what is empty is left out, a few are there even so.

use serde_json::{Map, Value, json};

use crate::kustomization::Shape;

/// What is written of a field; nothing if it is empty.
pub(super) fn lean(value: &Value, shape: &Shape) -> Option<Value> {
    Some(match (shape, value) {
        (Shape::Fields(_) | Shape::Joined(_), Value::Object(map)) => fields(map, shape),
        (Shape::List(_), Value::Array(list)) if list.is_empty() => return None,
        (Shape::List(inner), Value::Array(list)) => {
            // An element is there, empty or not.
            list.iter().map(|item| lean(item, inner).unwrap_or_else(|| item.clone())).collect()
        }
        (Shape::Texts | Shape::Any, Value::Object(map)) if map.is_empty() => return None,
        (_, Value::Null | Value::Bool(false)) => return None,
        (_, Value::String(text)) if text.is_empty() => return None,
        (Shape::Int, value) if value.as_i64() == Some(0) => return None,
        (_, value) => value.clone(),
    })
}

fn fields(map: &Map<String, Value>, shape: &Shape) -> Value {
    let written = shape.known().filter_map(|(name, inner)| {
        let value = map.get(*name)?;
        // A value to put in may be empty.
        let kept = if *name == "sourceValue" { Some(value.clone()) } else { lean(value, inner) };
        Some(((*name).to_owned(), kept?))
    });
    Value::Object(written.collect())
}

/// Adds the parts that Kustomize writes even where they are empty.
pub(super) fn complete(field: &str, value: &mut Value) {
    let empty = &mut Vec::new();
    let list = value.as_array_mut().unwrap_or(empty);
    match field {
        "replicas" => list.iter_mut().for_each(|item| default(item, "count", json!(0))),
        "vars" => list.iter_mut().for_each(|item| {
            default(item, "name", json!(""));
            default(item, "fieldref", json!({}));
            default(item, "objref", json!({}));
            default(&mut item["objref"], "name", json!(""));
        }),
        "replacements" => {
            for target in list.iter_mut().filter_map(|item| item.get_mut("targets")?.as_array_mut()).flatten() {
                default(target, "select", Value::Null);
            }
        }
        "sortOptions" => {
            if let Some(legacy) = value.get_mut("legacySortOptions") {
                default(legacy, "orderFirst", Value::Null);
                default(legacy, "orderLast", Value::Null);
            }
        }
        _ => {}
    }
}

fn default(item: &mut Value, name: &str, value: Value) {
    if let Some(map) = item.as_object_mut() {
        map.entry(name).or_insert(value);
    }
}

/// A patch without its empty parts.
pub(super) fn lean_patch(patch: &Value) -> Option<Value> {
    let (_, list) = crate::kustomization::KUSTOMIZATION.known().find(|(name, _)| *name == "patches")?;
    match list {
        Shape::List(shape) => lean(patch, shape),
        _ => None,
    }
}

/// A kustomization as Kustomize writes it, all fields at once.
pub(crate) fn lean_kustomization(fields: &Map<String, Value>) -> Value {
    let mut written = self::fields(fields, &crate::kustomization::KUSTOMIZATION);
    for (name, value) in written.as_object_mut().into_iter().flatten() {
        complete(name, value);
    }
    written
}
