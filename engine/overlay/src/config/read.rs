//! Rules from files: configurations of the user's, and annotated OpenAPI definitions of custom resources.

use serde_json::Value;

use super::{BackReference, Config};
use crate::error::{Error, Result};
use crate::fieldspec::{FieldSpec, merge_specs};
use crate::id::Gvk;
use crate::kustomization::{CONFIGURATION, FieldSpecArgs, Strictness, conform};

/// Rules from a configuration file.
pub(crate) fn from_value(value: &Value) -> Result<Config> {
    let invalid = |problem: String| Error::invalid("transformer configuration", problem);
    let value = conform(value, &CONFIGURATION, Strictness::Names).map_err(invalid)?;
    let mut config = Config::default();
    for (name, rules) in value.as_object().into_iter().flatten() {
        if name == "nameReference" {
            for reference in rules.as_array().into_iter().flatten() {
                let target = gvk(reference);
                let referrers = specs(reference.get("fieldSpecs").unwrap_or(&Value::Null))?;
                config.refer(BackReference { target, referrers })?;
            }
        } else if let Some(list) = config.list(name) {
            *list = specs(rules)?;
        }
    }
    Ok(config)
}

fn gvk(value: &Value) -> Gvk {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Gvk { group: text("group"), version: text("version"), kind: text("kind") }
}

fn specs(value: &Value) -> Result<Vec<FieldSpec>> {
    let args: Option<Vec<FieldSpecArgs>> = serde_json::from_value(value.clone())
        .map_err(|error| Error::invalid("transformer configuration", error.to_string()))?;
    Ok(args.unwrap_or_default().into_iter().map(FieldSpec::from).collect())
}

impl From<FieldSpecArgs> for FieldSpec {
    fn from(args: FieldSpecArgs) -> Self {
        Self::new(Gvk { group: args.group, version: args.version, kind: args.kind }, &args.path, args.create)
    }
}

/// Rules from the annotations of custom resources' definitions (`crds`).
pub(crate) fn from_crds(definitions: &Value) -> Result<Config> {
    let mut config = Config::default();
    let Some(definitions) = definitions.as_object() else {
        return Err(Error::invalid("open API definition", "it must be a mapping"));
    };
    for (name, definition) in definitions {
        let properties = property(definition, "properties");
        let is_object = ["kind", "apiVersion", "metadata"]
            .iter()
            .all(|field| properties.is_some_and(|properties| properties.get(*field).is_some()));
        if is_object {
            let kind = name.rsplit('.').next().unwrap_or(name).to_owned();
            let gvk = Gvk { kind, ..Gvk::default() };
            collect(&mut config, &gvk, definitions, name, &mut Vec::new())?;
        }
    }
    Ok(config)
}

/// A part of a definition's schema, whose name Go reads in any case.
fn property<'a>(definition: &'a Value, name: &str) -> Option<&'a Value> {
    let schema = definition.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case("schema"))?.1;
    schema.get(name)
}

fn collect(
    config: &mut Config,
    gvk: &Gvk,
    definitions: &serde_json::Map<String, Value>,
    type_name: &str,
    path: &mut Vec<String>,
) -> Result<()> {
    let Some(definition) = definitions.get(type_name) else { return Ok(()) };
    if path.len() > 100 {
        return Err(Error::invalid("open API definition", format!("{type_name} refers to itself")));
    }
    for (name, schema) in property(definition, "properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name.clone());
        let says = |key: &str| schema.get(key).and_then(Value::as_str);
        let spec = || FieldSpec::new(gvk.clone(), &path.join("/"), false);
        if says("x-kubernetes-annotation").is_some() {
            merge_specs(&mut config.common_annotations, &[spec()])?;
        }
        if says("x-kubernetes-label-selector").is_some() {
            merge_specs(&mut config.common_labels, &[spec()])?;
        }
        if says("x-kubernetes-identity").is_some() {
            merge_specs(&mut config.name_prefix, &[spec()])?;
        }
        let (version, kind) = (says("x-kubernetes-object-ref-api-version"), says("x-kubernetes-object-ref-kind"));
        if let (Some(version), Some(kind)) = (version, kind) {
            let key = says("x-kubernetes-object-ref-name-key").unwrap_or("name");
            let target = Gvk { group: String::new(), version: version.to_owned(), kind: kind.to_owned() };
            let referrer = FieldSpec::new(gvk.clone(), &format!("{}/{key}", path.join("/")), false);
            config.refer(BackReference { target, referrers: vec![referrer] })?;
        }
        if let Some(reference) = says("$ref") {
            collect(config, gvk, definitions, reference, path)?;
        }
        path.pop();
    }
    Ok(())
}
