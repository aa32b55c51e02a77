//! ConfigMap, Secret, Namespace, Node, Lease and Binding.

use super::{
    FieldError,
    checks::{self, Errors},
    path::Path,
};
use crate::{meta, names, value::Read as _};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

/// How many bytes the contents of a ConfigMap or Secret may have.
const DATA_LIMIT: usize = 1024 * 1024;

const KEPT: &str = "field is immutable when `immutable` is set";

const DATA: Path<'_> = Path::root("data");

// === ConfigMap ===

pub(super) fn config_map(object: &Value, errors: &mut Errors) {
    let binary = &object["binaryData"];
    let mut size = 0;
    for (key, value) in meta::strings(&object["data"]) {
        let path = DATA.key(key);
        checks::text(&path, key, names::config_key(key), errors);
        if binary.has(key) {
            errors.push(FieldError::invalid(path, key, "duplicate of key present in binaryData"));
        }
        size += value.len();
    }
    for (key, value) in meta::strings(binary) {
        checks::text(&Path::root("binaryData").key(key), key, names::config_key(key), errors);
        size += decoded_length(value);
    }
    if size > DATA_LIMIT {
        errors.push(FieldError::too_long("", DATA_LIMIT));
    }
}

pub(super) fn config_map_update(old: &Value, new: &Value, errors: &mut Errors) {
    immutable_data(old, new, &["data", "binaryData"], errors);
}

fn immutable_data(old: &Value, new: &Value, fields: &[&str], errors: &mut Errors) {
    if !old.flag("immutable") {
        return;
    }
    if !new.flag("immutable") {
        errors.push(FieldError::forbidden("immutable", KEPT));
    }
    for field in fields.iter().filter(|field| old[**field] != new[**field]) {
        errors.push(FieldError::forbidden(*field, KEPT));
    }
}

fn decoded_length(base64: &str) -> usize {
    base64.len() / 4 * 3 - base64.bytes().rev().take_while(|c| *c == b'=').count()
}

// === Secret ===

pub(super) fn secret(object: &Value, errors: &mut Errors) {
    let data = &object["data"];
    let mut size = 0;
    for (key, value) in meta::strings(data) {
        checks::text(&DATA.key(key), key, names::config_key(key), errors);
        size += decoded_length(value);
    }
    if size > DATA_LIMIT {
        errors.push(FieldError::too_long(DATA, DATA_LIMIT));
    }
    let needs = |key: &str| {
        if !data.has(key) {
            errors.push(FieldError::required(DATA.key(key), ""));
        }
    };
    match object.text("type") {
        "kubernetes.io/tls" => ["tls.crt", "tls.key"].into_iter().for_each(needs),
        "kubernetes.io/basic-auth" if !data.has("username") && !data.has("password") => {
            ["username", "password"].into_iter().for_each(needs);
        }
        "kubernetes.io/ssh-auth" if data.text("ssh-privatekey").is_empty() => {
            errors.push(FieldError::required(DATA.key("ssh-privatekey"), ""));
        }
        "kubernetes.io/dockercfg" => json_content(data, ".dockercfg", errors),
        "kubernetes.io/dockerconfigjson" => json_content(data, ".dockerconfigjson", errors),
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if meta::annotation(object, ACCOUNT).unwrap_or_default().is_empty() {
                errors.push(FieldError::required(Path::root("metadata").child("annotations").key(ACCOUNT), ""));
            }
        }
        _ => {}
    }
}

fn json_content(data: &Value, key: &str, errors: &mut Errors) {
    let Some(content) = data[key].as_str() else {
        errors.push(FieldError::required(DATA.key(key), ""));
        return;
    };
    let bytes = BASE64_STANDARD.decode(content).unwrap_or_default();
    if let Err(why) = serde_json::from_slice::<Map<String, Value>>(&bytes) {
        errors.push(FieldError::invalid(DATA.key(key), "<secret contents redacted>", why.to_string()));
    }
}

pub(super) fn secret_update(old: &Value, new: &Value, errors: &mut Errors) {
    checks::immutable(&Path::root("type"), &old["type"], &new["type"], errors);
    immutable_data(old, new, &["data"], errors);
}

// === Namespace ===

pub(super) fn namespace(object: &Value, errors: &mut Errors) {
    let spec = Path::root("spec");
    let path = spec.child("finalizers");
    for finalizer in object["spec"].items("finalizers").iter().filter_map(Value::as_str) {
        checks::qualified(&path, finalizer, errors);
        if !finalizer.contains('/') && !["kubernetes", "orphan", "foregroundDeletion"].contains(&finalizer) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(path, finalizer, why));
        }
    }
}

pub(super) fn namespace_status(object: &Value, errors: &mut Errors) {
    let phase = object["status"].text("phase");
    let (wanted, when) = match meta::deletion_timestamp(object) {
        None => ("Active", "empty"),
        Some(_) => ("Terminating", "not empty"),
    };
    if phase != wanted {
        let why = format!("may only be '{wanted}' if `deletionTimestamp` is {when}");
        errors.push(FieldError::invalid("status.Phase", phase, why));
    }
}

// === Node ===

pub(super) fn node(object: &Value, errors: &mut Errors) {
    let metadata = Path::root("metadata");
    taints(object["spec"].items("taints"), &metadata.child("taints"), errors);
    let status = Path::root("status");
    for list in ["capacity", "allocatable"] {
        let path = status.child(list);
        for (resource, value) in object["status"][list].as_object().into_iter().flatten() {
            checks::amount(resource, value, &path.child(resource), errors);
        }
    }
}

fn taints(taints: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (at, taint) in taints.iter().enumerate() {
        let path = path.index(at);
        checks::qualified(&path.child("key"), taint.text("key"), errors);
        let wrong = names::label_value(taint.text("value"));
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(path.child("value"), taint.text("value"), wrong.join(";")));
        }
        checks::one_of(&path.child("effect"), taint.text("effect"), super::pod::TAINT_EFFECTS, errors);
        let same = |other: &Value| other["key"] == taint["key"] && other["effect"] == taint["effect"];
        if taints[..at].iter().any(same) {
            let mut error = FieldError::duplicate(path, taint.clone());
            "taints must be unique by key and effect pair".clone_into(&mut error.detail);
            errors.push(error);
        }
    }
}

pub(super) fn node_update(old: &Value, new: &Value, errors: &mut Errors) {
    for field in ["podCIDR", "podCIDRs", "providerID"] {
        let (before, after) = (&old["spec"][field], &new["spec"][field]);
        if !before.is_null() && before != after && field != "podCIDR" {
            let name = if field == "podCIDRs" { "podCIDR" } else { field };
            let why = format!("node updates may not change {name} except from \"\" to valid");
            errors.push(FieldError::forbidden(format!("spec.{field}"), why));
        }
    }
}

// === Lease ===

pub(super) fn lease(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::root("spec"));
    if let Some(seconds) = spec.int("leaseDurationSeconds")
        && seconds <= 0
    {
        errors.push(FieldError::invalid(path.child("leaseDurationSeconds"), seconds, "must be greater than 0"));
    }
    checks::nonnegative(spec, "leaseTransitions", &path, errors);
    if !spec.text("preferredHolder").is_empty() && spec.text("strategy").is_empty() {
        let why = "may only be specified if `strategy` is defined";
        errors.push(FieldError::forbidden(path.child("preferredHolder"), why));
    }
}

// === Binding ===

pub(super) fn binding(object: &Value, errors: &mut Errors) {
    let (target, path) = (&object["target"], Path::root("target"));
    if !["", "Node"].contains(&target.text("kind")) {
        errors.push(FieldError::not_supported(path.child("kind"), target.text("kind"), &["Node", "<empty>"]));
    }
    checks::required(&path.child("name"), target.text("name"), errors);
}
