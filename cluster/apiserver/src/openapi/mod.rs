//! OpenAPI v3, made from the type table: what `kubectl apply` and `kubectl explain` read.
//!
//! One document a group and version. Documents are made at first use and kept.

mod custom;
mod texts;

use crate::catalog::Catalog;
use bytes::Bytes;
use kpkg_api::schema::{self, Element, Field, Kind, ListType, Shape, Type, TypeId};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};
use texts::Texts;

static DOCUMENTS: LazyLock<BTreeMap<String, Bytes>> = LazyLock::new(|| {
    let mut groups: BTreeMap<String, Vec<&'static Kind>> = BTreeMap::new();
    for kind in schema::kinds() {
        let path =
            if kind.group.is_empty() { "api/v1".to_owned() } else { format!("apis/{}/{}", kind.group, kind.version) };
        groups.entry(path).or_default().push(kind);
    }
    let texts = Texts::gather();
    groups.into_iter().map(|(path, kinds)| (path, Bytes::from(make(&kinds, &texts).to_string()))).collect()
});

/// The document at `/openapi/v3` (the index) or `/openapi/v3/...`.
pub(crate) fn document(catalog: &Catalog, path: &str) -> Option<Bytes> {
    let rest = path.trim_matches('/').strip_prefix("openapi/v3")?.trim_matches('/');
    if rest.is_empty() {
        return Some(index(catalog));
    }
    DOCUMENTS.get(rest).cloned().or_else(|| custom::document(catalog, rest))
}

/// Names every document with a hash, so that clients keep what has not changed.
fn index(catalog: &Catalog) -> Bytes {
    let entry = |(path, document): (&String, &Bytes)| {
        let digest = ring::digest::digest(&ring::digest::SHA256, document);
        let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        (path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}))
    };
    let customs = custom::documents(catalog);
    let paths: Map<String, Value> = DOCUMENTS.iter().chain(&customs).map(entry).collect();
    json!({"paths": paths}).to_string().into()
}

fn make(kinds: &[&'static Kind], texts: &Texts) -> Value {
    let mut paths = Map::new();
    let mut wanted = BTreeSet::new();
    for kind in kinds {
        add_paths(kind, &definition_name(kind.type_()), &mut paths);
        collect(kind.type_id, &mut wanted);
    }
    let schemas = schemas(wanted, texts);
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.37"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn schemas(types: BTreeSet<TypeId>, texts: &Texts) -> Map<String, Value> {
    let types = types.into_iter().map(|id| schema::table().get(id));
    types.map(|it| (definition_name(it), type_schema(it, texts))).collect()
}

/// The type and all that it is made of.
fn collect(id: TypeId, found: &mut BTreeSet<TypeId>) {
    if !found.insert(id) {
        return;
    }
    for field in &schema::table().get(id).fields {
        if let Element::Message(inner) = field.element {
            collect(inner, found);
        }
    }
}

/// The name of a type among the schemas.
fn definition_name(type_: &Type) -> String {
    format!("io.k8s.{}", type_.name)
}

fn type_schema(type_: &Type, texts: &Texts) -> Value {
    let name = definition_name(type_);
    let property = |field: &Field| {
        let mut value = field_schema(field);
        if let Some(text) = texts.of_field(&name, field.name) {
            value["description"] = text.into();
        }
        (field.name.to_owned(), value)
    };
    let properties: Map<String, Value> = type_.fields.iter().map(property).collect();
    let mut value = json!({"type": "object", "properties": properties});
    if let Some(text) = texts.of_type(&name) {
        value["description"] = text.into();
    }
    if type_.atomic {
        value["x-kubernetes-map-type"] = "atomic".into();
    }
    let required: Vec<&str> = type_.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    if !required.is_empty() {
        value["required"] = json!(required);
    }
    if !type_.kinds.is_empty() {
        value["x-kubernetes-group-version-kind"] = type_
            .kinds
            .iter()
            .map(|(group, version, kind)| json!({"group": group, "version": version, "kind": kind}))
            .collect();
    }
    value
}

fn field_schema(field: &Field) -> Value {
    let element = element_schema(field.element);
    let mut value = match field.shape {
        Shape::Single => element,
        Shape::List => json!({"type": "array", "items": element}),
        Shape::Map => json!({"type": "object", "additionalProperties": element}),
        Shape::MapOfLists => json!({"type": "object", "additionalProperties": {"type": "array", "items": element}}),
    };
    if field.shape == Shape::List {
        value["x-kubernetes-list-type"] = match field.list_type {
            ListType::Atomic => "atomic",
            ListType::Set => "set",
            ListType::Map => "map",
        }
        .into();
        if field.list_type == ListType::Map {
            value["x-kubernetes-list-map-keys"] = json!(field.map_keys);
        }
    }
    if field.atomic_map {
        value["x-kubernetes-map-type"] = "atomic".into();
    }
    let strategy = field.patch_strategy;
    let words: Vec<&str> =
        [(strategy.merge, "merge"), (strategy.retain_keys, "retainKeys"), (strategy.replace, "replace")]
            .into_iter()
            .filter_map(|(set, word)| set.then_some(word))
            .collect();
    if !words.is_empty() {
        value["x-kubernetes-patch-strategy"] = words.join(",").into();
    }
    if let Some(key) = field.patch_merge_key {
        value["x-kubernetes-patch-merge-key"] = key.into();
    }
    value
}

fn element_schema(element: Element) -> Value {
    match element {
        Element::String | Element::Duration => json!({"type": "string"}),
        Element::Bytes => json!({"type": "string", "format": "byte"}),
        Element::Bool => json!({"type": "boolean"}),
        Element::Int32 => json!({"type": "integer", "format": "int32"}),
        Element::Int64 => json!({"type": "integer", "format": "int64"}),
        Element::Double => json!({"type": "number", "format": "double"}),
        Element::Quantity => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        Element::IntOrString => json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        Element::Time | Element::MicroTime => json!({"type": "string", "format": "date-time"}),
        Element::RawExtension | Element::FieldsV1 | Element::Json => json!({"type": "object"}),
        Element::Message(id) => {
            let name = definition_name(schema::table().get(id));
            json!({"allOf": [{"$ref": format!("#/components/schemas/{name}")}]})
        }
    }
}

/// The paths of a kind, as far as clients look at them: which kind they are of, and which query
/// parameters writes take.
fn add_paths(kind: &Kind, definition: &str, paths: &mut Map<String, Value>) {
    let base =
        if kind.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}/{}", kind.group, kind.version) };
    let collection = if kind.namespaced {
        format!("{base}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{base}/{}", kind.plural)
    };
    let reference = json!({"$ref": format!("#/components/schemas/{definition}")});
    let content = json!({"application/json": {"schema": reference}});
    let operation = |action: &str, writes: bool| {
        let mut value = json!({
            "operationId": format!("{action}{}", kind.kind),
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        });
        if writes {
            let parameters = ["dryRun", "fieldManager", "fieldValidation"]
                .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}));
            value["parameters"] = json!(parameters);
            value["requestBody"] = json!({"content": content});
        }
        value
    };
    let pick = |actions: &[(&str, &str, &str, bool)]| -> Map<String, Value> {
        let served = actions.iter().filter(|(_, verb, ..)| kind.verbs.contains(verb));
        served.map(|(method, _, action, writes)| ((*method).to_owned(), operation(action, *writes))).collect()
    };
    let of_collection = pick(&[
        ("get", "list", "list", false),
        ("post", "create", "post", true),
        ("delete", "deletecollection", "deletecollection", false),
    ]);
    let of_object = pick(&[
        ("get", "get", "get", false),
        ("put", "update", "put", true),
        ("patch", "patch", "patch", true),
        ("delete", "delete", "delete", true),
    ]);
    paths.insert(format!("{collection}/{{name}}"), of_object.into());
    paths.insert(collection, of_collection.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_whole() {
        let index: Value = serde_json::from_slice(&document(&Catalog::default(), "/openapi/v3").unwrap()).unwrap();
        for (path, entry) in index["paths"].as_object().unwrap() {
            assert!(entry["serverRelativeURL"].as_str().unwrap().contains("?hash="));
            let text = document(&Catalog::default(), &format!("/openapi/v3/{path}")).unwrap();
            let value: Value = serde_json::from_slice(&text).unwrap();
            let schemas = value["components"]["schemas"].as_object().unwrap();
            for name in String::from_utf8_lossy(&text).split("#/components/schemas/").skip(1) {
                let name = name.split('"').next().unwrap();
                assert!(schemas.contains_key(name), "{path}: {name}");
            }
        }
        let core: Value =
            serde_json::from_slice(&document(&Catalog::default(), "/openapi/v3/api/v1").unwrap()).unwrap();
        let ports = &core["components"]["schemas"]["io.k8s.api.core.v1.Container"]["properties"]["ports"];
        assert_eq!(ports["x-kubernetes-patch-merge-key"], "containerPort");
        let patch = &core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
        assert_eq!(patch["parameters"][2]["name"], "fieldValidation");
        assert!(document(&Catalog::default(), "/openapi/v3/nothing").is_none());
    }
}
