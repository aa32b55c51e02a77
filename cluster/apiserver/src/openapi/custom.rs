//! The documents of custom kinds, made anew whenever they are asked for: definitions come and go.

use super::{Texts, add_paths, collect, schemas};
use crate::{catalog::Catalog, custom::Custom};
use bytes::Bytes;
use kpkg_api::schema::{self, Kind};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn path_of(kind: &Kind) -> String {
    format!("apis/{}/{}", kind.group, kind.version)
}

/// The document at a path below `/openapi/v3`, if it is one of custom kinds.
pub(super) fn document(catalog: &Catalog, path: &str) -> Option<Bytes> {
    let customs: Vec<&Custom> =
        catalog.customs().iter().map(AsRef::as_ref).filter(|custom| path_of(custom.kind) == path).collect();
    (!customs.is_empty()).then(|| make(&customs))
}

/// All documents of custom kinds, by path.
pub(super) fn documents(catalog: &Catalog) -> BTreeMap<String, Bytes> {
    let mut paths: BTreeMap<String, Vec<&Custom>> = BTreeMap::new();
    for custom in catalog.customs() {
        paths.entry(path_of(custom.kind)).or_default().push(custom);
    }
    paths.into_iter().map(|(path, customs)| (path, make(&customs))).collect()
}

fn make(customs: &[&Custom]) -> Bytes {
    let mut wanted = BTreeSet::new();
    if let Some(id) = schema::table().id("apimachinery.pkg.apis.meta.v1.ObjectMeta") {
        collect(id, &mut wanted);
    }
    let mut schemas = schemas(wanted, &Texts::none());
    let mut paths = Map::new();
    for custom in customs {
        let name = definition_name(custom.kind);
        add_paths(custom.kind, &name, &mut paths);
        schemas.insert(name, schema_of(custom));
    }
    let document = json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    });
    Bytes::from(document.to_string())
}

/// `com.example.v1.CronTab`: the group backwards.
fn definition_name(kind: &Kind) -> String {
    let group: Vec<&str> = kind.group.rsplit('.').collect();
    format!("{}.{}.{}", group.join("."), kind.version, kind.kind)
}

fn schema_of(custom: &Custom) -> Value {
    let mut schema = custom.written.clone();
    if !schema.is_object() {
        schema = json!({"type": "object"});
    }
    let text = |description: &str| json!({"type": "string", "description": description});
    schema["properties"]["apiVersion"] = text("The version of the object's schema.");
    schema["properties"]["kind"] = text("What the object is.");
    schema["properties"]["metadata"] = json!({
        "description": "Standard object's metadata.",
        "allOf": [{"$ref": format!("#/components/schemas/{META}")}],
    });
    let kind = custom.kind;
    schema["x-kubernetes-group-version-kind"] =
        json!([{"group": kind.group, "version": kind.version, "kind": kind.kind}]);
    schema
}
