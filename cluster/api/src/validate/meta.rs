//! `metadata`: names, labels, annotations, owners, finalizers, and what of it may change.

use super::{
    FieldError,
    checks::{self, Errors, IMMUTABLE, NEGATIVE},
    path::Path,
};
use crate::{meta, names, schema::Kind, text::quote, value::Read as _};
use serde_json::{Value, json};

/// How many bytes all annotations together may have.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

const METADATA: Path<'_> = Path::root("metadata");

/// Checks the metadata of a new object.
pub(super) fn create(kind: &Kind, object: &Value, errors: &mut Errors) {
    let metadata = &object["metadata"];
    let check = name_check(kind);
    let generate_name = metadata.text("generateName");
    if !generate_name.is_empty() {
        let wrong = check(&names::mask_trailing_dash(generate_name));
        checks::text(&METADATA.child("generateName"), generate_name, wrong, errors);
    }
    match metadata.text("name") {
        "" => errors.push(FieldError::required("metadata.name", "name or generateName is required")),
        name => checks::text(&METADATA.child("name"), name, check(name), errors),
    }
    if kind.namespaced {
        match metadata.text("namespace") {
            "" => errors.push(FieldError::required("metadata.namespace", "")),
            namespace => checks::label(&METADATA.child("namespace"), namespace, errors),
        }
    } else if !metadata.text("namespace").is_empty() {
        errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type"));
    }
    common(kind, metadata, errors);
}

/// Checks changed metadata.
pub(super) fn update(kind: &Kind, old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["metadata"], &new["metadata"]);
    no_new_finalizers(old, new, errors);
    let generation = new.int("generation").unwrap_or_default();
    if generation < old.int("generation").unwrap_or_default() {
        errors.push(FieldError::invalid("metadata.generation", generation, "must not be decremented"));
    }
    for key in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if new[key] != old[key] {
            let shown = if new[key].is_null() && !key.starts_with("deletion") { json!("") } else { new[key].clone() };
            errors.push(FieldError::invalid(METADATA.child(key), shown, IMMUTABLE));
        }
    }
    common(kind, new, errors);
}

/// The metadata of a pod template, which has no name of its own.
pub(super) fn template(metadata: &Value, path: &Path<'_>, errors: &mut Errors) {
    checks::labels(&metadata["labels"], &path.child("labels"), errors);
    annotations(&metadata["annotations"], &path.child("annotations"), errors);
}

fn common(kind: &Kind, metadata: &Value, errors: &mut Errors) {
    if metadata.int("generation").is_some_and(|generation| generation < 0) {
        errors.push(FieldError::invalid("metadata.generation", metadata["generation"].clone(), NEGATIVE));
    }
    template(metadata, &METADATA, errors);
    owners(&metadata["ownerReferences"], &METADATA.child("ownerReferences"), errors);
    finalizers(kind, metadata, &METADATA.child("finalizers"), errors);
}

/// What a kind's names must look like.
fn name_check(kind: &Kind) -> fn(&str) -> Vec<String> {
    match (kind.group, kind.kind) {
        ("", "Namespace") => names::dns1123_label,
        ("", "Service") => names::dns1035_label,
        ("" | "events.k8s.io", "Event") | ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::dns1123_subdomain,
    }
}

fn annotations(annotations: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in meta::strings(annotations) {
        checks::text(path, key, names::qualified_name(&key.to_lowercase()), errors);
        size += key.len() + value.len();
    }
    if size > ANNOTATIONS_LIMIT {
        errors.push(FieldError::too_long(path, ANNOTATIONS_LIMIT));
    }
}

fn owners(owners: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut controller: Option<String> = None;
    for (at, owner) in owners.as_array().into_iter().flatten().enumerate() {
        owner_ref(owner, &path.index(at), errors);
        if !owner.flag("controller") {
            continue;
        }
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

fn owner_ref(owner: &Value, path: &Path<'_>, errors: &mut Errors) {
    let api_version = owner.text("apiVersion");
    if api_version.is_empty() {
        errors.push(FieldError::required(path.child("apiVersion"), "must not be empty"));
    } else if api_version.matches('/').count() > 1 || api_version.ends_with('/') {
        let why = "must be <group>/<version> or <version>";
        errors.push(FieldError::invalid(path.child("apiVersion"), api_version, why));
    }
    for key in ["kind", "name", "uid"] {
        if owner.text(key).is_empty() {
            errors.push(FieldError::required(path.child(key), "must not be empty"));
        }
    }
    if api_version == "v1" && owner.text("kind") == "Event" {
        let why = "/v1, Kind=Event is disallowed from being an owner";
        errors.push(FieldError::invalid(path, owner.clone(), why));
    }
}

fn finalizers(kind: &Kind, metadata: &Value, path: &Path<'_>, errors: &mut Errors) {
    const ORPHAN: &str = "orphan";
    const FOREGROUND: &str = "foregroundDeletion";
    const STANDARD: [&str; 3] = [ORPHAN, FOREGROUND, "kubernetes"];
    let list: Vec<&str> = metadata.items("finalizers").iter().filter_map(Value::as_str).collect();
    for finalizer in &list {
        checks::qualified(path, finalizer, errors);
        if !kind.custom
            && kind.group != "apiextensions.k8s.io"
            && !finalizer.contains('/')
            && !STANDARD.contains(finalizer)
        {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(path, *finalizer, why));
        }
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
    let added = new.items("finalizers").iter().filter(|finalizer| !known.contains(finalizer));
    let mut added: Vec<&str> = added.filter_map(Value::as_str).collect();
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
