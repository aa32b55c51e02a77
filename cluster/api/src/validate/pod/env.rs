//! Environment variables and the downward API.

use crate::{
    names,
    validate::{
        FieldError,
        checks::{self, Errors},
        path::Path,
    },
    value::Read as _,
};
use serde_json::Value;

/// The fields of a pod that an environment variable may show.
const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// The fields of a pod that a file may show.
pub(super) const FILE_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// A container's variables.
pub(super) fn env(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("env");
    for (at, variable) in container.items("env").iter().enumerate() {
        let path = list.index(at);
        match variable.text("name") {
            "" => errors.push(FieldError::required(path.child("name"), "")),
            name => checks::text(&path.child("name"), name, names::env_name(name), errors),
        }
        if variable.has("valueFrom") {
            value_from(variable, &path.child("valueFrom"), errors);
        }
    }
    let list = path.child("envFrom");
    for (at, source) in container.items("envFrom").iter().enumerate() {
        env_from(source, &list, &list.index(at), errors);
    }
}

fn value_from(variable: &Value, path: &Path<'_>, errors: &mut Errors) {
    let from = &variable["valueFrom"];
    let mut sources = 0;
    for (name, source) in from.as_object().into_iter().flatten() {
        sources += 1;
        let path = path.child(name);
        match name.as_str() {
            "fieldRef" => field_ref(source, ENV_FIELDS, &path, errors),
            "resourceFieldRef" => resource_ref(source, false, &path, errors),
            "configMapKeyRef" | "secretKeyRef" => key_ref(source, &path, errors),
            _ => {}
        }
    }
    let why = match sources {
        0 => "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        _ if !variable.text("value").is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(path, "", why));
}

fn key_ref(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    checks::subdomain(&path.child("name"), reference.text("name"), errors);
    match reference.text("key") {
        "" => errors.push(FieldError::required(path.child("key"), "")),
        key => checks::text(&path.child("key"), key, names::config_key(key), errors),
    }
}

fn env_from(source: &Value, list: &Path<'_>, path: &Path<'_>, errors: &mut Errors) {
    let prefix = source.text("prefix");
    if !prefix.is_empty() {
        checks::text(&path.child("prefix"), prefix, names::env_name(prefix), errors);
    }
    let mut sources = 0;
    for field in ["configMapRef", "secretRef"].into_iter().filter(|field| source.has(field)) {
        sources += 1;
        let path = path.child(field);
        match source[field].text("name") {
            "" => errors.push(FieldError::required(path.child("name"), "")),
            name => checks::subdomain(&path.child("name"), name, errors),
        }
    }
    match sources {
        0 => errors.push(FieldError::invalid(list, "", "must specify one of: `configMapRef` or `secretRef`")),
        1 => {}
        _ => errors.push(FieldError::invalid(list, "", "may not have more than one field specified at a time")),
    }
}

/// A reference to a field of the pod itself.
pub(super) fn field_ref(reference: &Value, fields: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let field = reference.text("fieldPath");
    if reference.text("apiVersion").is_empty() {
        errors.push(FieldError::required(path.child("apiVersion"), ""));
        return;
    }
    if field.is_empty() {
        errors.push(FieldError::required(path.child("fieldPath"), ""));
        return;
    }
    if let Some((map, key)) = subscript(field) {
        match map {
            "metadata.annotations" => checks::qualified(path, &key.to_lowercase(), errors),
            "metadata.labels" => checks::qualified(path, key, errors),
            _ => {
                let why = format!("error converting fieldPath: field label does not support subscript: {field}");
                errors.push(FieldError::invalid(path.child("fieldPath"), field, why));
            }
        }
    } else if !fields.contains(&field) {
        if ENV_FIELDS.contains(&field) || FILE_FIELDS.contains(&field) {
            errors.push(FieldError::not_supported(path.child("fieldPath"), field, fields));
        } else {
            let why = format!("error converting fieldPath: field label not supported: {field}");
            errors.push(FieldError::invalid(path.child("fieldPath"), field, why));
        }
    }
}

/// `metadata.labels['app']` as (`metadata.labels`, `app`).
fn subscript(field: &str) -> Option<(&str, &str)> {
    field.strip_suffix("']")?.split_once("['")
}

/// A reference to a container's resources.
pub(super) fn resource_ref(reference: &Value, in_volume: bool, path: &Path<'_>, errors: &mut Errors) {
    let resource = reference.text("resource");
    let huge = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if in_volume && reference.text("containerName").is_empty() {
        errors.push(FieldError::required(path.child("containerName"), ""));
    } else if resource.is_empty() {
        errors.push(FieldError::required(path.child("resource"), ""));
    } else if !huge && !RESOURCES.contains(&resource) {
        errors.push(FieldError::not_supported(path.child("resource"), resource, RESOURCES));
    }
    divisor(resource, &reference["divisor"], &path.child("divisor"), errors);
}

fn divisor(resource: &str, divisor: &Value, path: &Path<'_>, errors: &mut Errors) {
    const SIZES: &str = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
    let amount = checks::quantity(divisor);
    if amount.is_zero() {
        return;
    }
    let text = amount.to_string();
    let (allowed, named) = match resource.split_once('.').unwrap_or_default().1 {
        "cpu" => ("1m, 1", "1m and 1 are supported with the cpu resource".to_owned()),
        "memory" => (SIZES, format!("{SIZES} are supported with the memory resource")),
        "ephemeral-storage" => (SIZES, format!("{SIZES} are supported with the local ephemeral storage resource")),
        name if name.starts_with("hugepages-") => (SIZES, format!("{SIZES} are supported with the hugepages resource")),
        _ => return,
    };
    if !allowed.split(", ").any(|size| size == text) {
        errors.push(FieldError::invalid(path, resource, format!("only divisor's values {named}")));
    }
}
