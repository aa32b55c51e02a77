//! `metadata`: names, labels, annotations, owners, finalizers, and what of it may change.

use super::FieldError;
use crate::{meta, names, schema::Kind, text::quote, value::Read as _};
use serde_json::{Value, json};

/// How many bytes all annotations together may have.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

const IMMUTABLE: &str = "field is immutable";

type Errors = Vec<FieldError>;

/// Checks the metadata of a new object.
pub(super) fn create(kind: &Kind, object: &Value, errors: &mut Errors) {
    let metadata = &object["metadata"];
    let check = name_check(kind);
    let generate_name = metadata.text("generateName");
    if !generate_name.is_empty() {
        each(errors, "metadata.generateName", generate_name, check(&names::mask_trailing_dash(generate_name)));
    }
    match metadata.text("name") {
        "" => errors.push(FieldError::required("metadata.name", "name or generateName is required")),
        name => each(errors, "metadata.name", name, check(name)),
    }
    if kind.namespaced {
        match metadata.text("namespace") {
            "" => errors.push(FieldError::required("metadata.namespace", "")),
            namespace => each(errors, "metadata.namespace", namespace, names::dns1123_label(namespace)),
        }
    } else if !metadata.text("namespace").is_empty() {
        errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type"));
    }
    common(metadata, "metadata", errors);
}

/// Checks changed metadata.
pub(super) fn update(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["metadata"], &new["metadata"]);
    no_new_finalizers(old, new, errors);
    let generation = new.int("generation").unwrap_or_default();
    if generation < old.int("generation").unwrap_or_default() {
        errors.push(FieldError::invalid("metadata.generation", generation, "must not be decremented"));
    }
    let immutable: &[&str] =
        &["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];
    for key in immutable.iter().filter(|key| new[**key] != old[**key]) {
        let shown = if new[*key].is_null() && !key.starts_with("deletion") { json!("") } else { new[*key].clone() };
        errors.push(FieldError::invalid(format!("metadata.{key}"), shown, IMMUTABLE));
    }
    common(new, "metadata", errors);
}

/// The metadata of a pod template, which has no name of its own.
pub(super) fn template(metadata: &Value, path: &str, errors: &mut Errors) {
    labels(&metadata["labels"], &format!("{path}.labels"), errors);
    annotations(&metadata["annotations"], &format!("{path}.annotations"), errors);
}

fn common(metadata: &Value, path: &str, errors: &mut Errors) {
    let generation = metadata.int("generation").unwrap_or_default();
    if generation < 0 {
        errors.push(FieldError::invalid(format!("{path}.generation"), generation, super::NEGATIVE));
    }
    template(metadata, path, errors);
    owners(&metadata["ownerReferences"], &format!("{path}.ownerReferences"), errors);
    finalizers(metadata, &format!("{path}.finalizers"), errors);
}

/// What a kind's names must look like.
fn name_check(kind: &Kind) -> fn(&str) -> Vec<String> {
    match (kind.group, kind.kind) {
        ("", "Namespace") => names::dns1123_label,
        ("", "Service") => names::dns1035_label,
        ("events.k8s.io", "Event") | ("", "Event" | "Binding") => names::path_segment,
        _ => names::dns1123_subdomain,
    }
}

fn each(errors: &mut Errors, path: &str, value: &str, wrong: Vec<String>) {
    errors.extend(wrong.into_iter().map(|why| FieldError::invalid(path, value, why)));
}

/// Checks a map of labels.
pub(super) fn labels(labels: &Value, path: &str, errors: &mut Errors) {
    for (key, value) in meta::strings(labels) {
        each(errors, path, key, names::qualified_name(key));
        each(errors, path, value, names::label_value(value));
    }
}

fn annotations(annotations: &Value, path: &str, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in meta::strings(annotations) {
        each(errors, path, key, names::qualified_name(&key.to_lowercase()));
        size += key.len() + value.len();
    }
    if size > ANNOTATIONS_LIMIT {
        errors.push(FieldError::too_long(path, ANNOTATIONS_LIMIT));
    }
}

fn owners(owners: &Value, path: &str, errors: &mut Errors) {
    let list = owners.as_array().map_or(&[][..], Vec::as_slice);
    let mut controller = None;
    for (at, owner) in list.iter().enumerate() {
        let path_at = format!("{path}[{at}]");
        let api_version = owner.text("apiVersion");
        if api_version.is_empty() {
            errors.push(FieldError::required(format!("{path_at}.apiVersion"), "must not be empty"));
        } else if api_version.matches('/').count() > 1 || api_version.ends_with('/') {
            let why = "must be <group>/<version> or <version>";
            errors.push(FieldError::invalid(format!("{path_at}.apiVersion"), api_version, why));
        }
        for key in ["kind", "name", "uid"] {
            if owner.text(key).is_empty() {
                errors.push(FieldError::required(format!("{path_at}.{key}"), "must not be empty"));
            }
        }
        if api_version == "v1" && owner.text("kind") == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(FieldError::invalid(path_at, owner.clone(), why));
        }
        if owner.flag("controller") {
            let name = format!("{}/{}", owner.text("kind"), owner.text("name"));
            match &controller {
                None => controller = Some(name),
                Some(first) => {
                    let why = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                    );
                    errors.push(FieldError::invalid(path, owners.clone(), why));
                }
            }
        }
    }
}

fn finalizers(metadata: &Value, path: &str, errors: &mut Errors) {
    const ORPHAN: &str = "orphan";
    const FOREGROUND: &str = "foregroundDeletion";
    let list: Vec<&str> = metadata.items("finalizers").iter().filter_map(Value::as_str).collect();
    for finalizer in &list {
        each(errors, path, finalizer, names::qualified_name(finalizer));
    }
    if list.contains(&ORPHAN) && list.contains(&FOREGROUND) {
        let why = format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set");
        errors.push(FieldError::invalid(path, json!(list), why));
    }
}

/// An object that is being deleted can lose finalizers but not gain any.
fn no_new_finalizers(old: &Value, new: &Value, errors: &mut Errors) {
    if !old.has("deletionTimestamp") {
        return;
    }
    let known = old.items("finalizers");
    let mut added: Vec<&str> = new
        .items("finalizers")
        .iter()
        .filter(|finalizer| !known.contains(finalizer))
        .filter_map(Value::as_str)
        .collect();
    added.sort_unstable();
    if !added.is_empty() {
        let added: Vec<String> = added.into_iter().map(quote).collect();
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        errors.push(FieldError::forbidden("metadata.finalizers", why));
    }
}
