//! What a definition says of its kind, version by version.

use super::{columns::Column, scale::ScalePaths};
use kpkg_api::{
    meta,
    schema::{self, CustomKind, Kind},
    structural::Structural,
    validate::FieldError,
};
use serde_json::Value;

/// A custom kind in one version.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) kind: &'static Kind,
    pub(crate) schema: Structural,
    /// The schema as it is written, for OpenAPI.
    pub(crate) written: Value,
    pub(crate) columns: Vec<Column>,
    pub(crate) scale: Option<ScalePaths>,
    /// What clients of a deprecated version are told.
    pub(crate) deprecation: Option<String>,
    /// Whether the definition is being deleted, so that nothing new may be made.
    pub(crate) terminating: bool,
}

impl Custom {
    /// What the schema and then its rules have against an object, which was `old` before.
    pub(crate) fn faults(&self, old: Option<&Value>, object: &Value) -> Vec<FieldError> {
        let faults = self.schema.validate(object);
        if faults.is_empty() { self.schema.rule_faults(old, object) } else { faults }
    }

    /// The served versions of an established definition; none of any other.
    pub(crate) fn all_of(definition: &Value) -> Vec<Self> {
        let established = |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
        let conditions = definition["status"]["conditions"].as_array();
        if !conditions.is_some_and(|conditions| conditions.iter().any(established)) {
            return Vec::new();
        }
        let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
        versions.filter(|version| version["served"] == true).map(|version| Self::of(definition, version)).collect()
    }

    fn of(definition: &Value, version: &Value) -> Self {
        let spec = &definition["spec"];
        let names = &definition["status"]["acceptedNames"];
        let kind = custom_kind(spec, names, version).intern();
        let written = version["schema"]["openAPIV3Schema"].clone();
        Self {
            kind,
            schema: Structural::parse(&written),
            written,
            columns: Column::all_of(&version["additionalPrinterColumns"]),
            scale: ScalePaths::of(&version["subresources"]["scale"]),
            deprecation: (version["deprecated"] == true).then(|| deprecation(kind, version)),
            terminating: meta::deletion_timestamp(definition).is_some(),
        }
    }

    /// Brings an object into canonical form; answers the fields that the schema does not know, which are gone.
    pub(crate) fn conform(&self, object: &mut Value) -> Result<Vec<String>, String> {
        let mut unknown = Vec::new();
        if let Some(metadata) = object.get_mut("metadata").filter(|metadata| !metadata.is_null()) {
            let found = schema::conform(self.kind.type_(), metadata).map_err(|error| error.to_string())?;
            unknown.extend(found.unknown.into_iter().map(|fault| fault.replacen('"', "\"metadata.", 1)));
        }
        unknown.extend(self.schema.prune(object));
        Ok(unknown)
    }
}

fn custom_kind(spec: &Value, names: &Value, version: &Value) -> CustomKind {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    let versions = spec["versions"].as_array().into_iter().flatten();
    let storage = versions.into_iter().find(|version| version["storage"] == true);
    let selectable = version["selectableFields"].as_array().into_iter().flatten();
    CustomKind {
        group: text(&spec["group"]),
        version: text(&version["name"]),
        storage_version: text(storage.map_or(&Value::Null, |storage| &storage["name"])),
        kind: text(&names["kind"]),
        plural: text(&names["plural"]),
        singular: text(&names["singular"]),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        status: !version["subresources"]["status"].is_null(),
        scale: !version["subresources"]["scale"].is_null(),
        selectable: selectable.map(|field| text(&field["jsonPath"]).trim_start_matches('.').to_owned()).collect(),
    }
}

fn deprecation(kind: &Kind, version: &Value) -> String {
    match version["deprecationWarning"].as_str() {
        Some(warning) => warning.to_owned(),
        None => format!("{} {} is deprecated", kind.api_version(), kind.kind),
    }
}
