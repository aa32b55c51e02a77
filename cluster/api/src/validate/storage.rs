//! PersistentVolume, PersistentVolumeClaim and StorageClass.

use super::{
    FieldError,
    checks::{self, Errors},
    path::Path,
    pod,
};
use crate::{meta, names, value::Read as _};
use serde_json::Value;

const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
const RECLAIM_POLICIES: &[&str] = &["Delete", "Recycle", "Retain"];

const SPEC: Path<'_> = Path::root("spec");

/// The fields of a volume's spec that say where the data is; all others may change.
const NO_SOURCE: &[&str] = &[
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

fn access_modes(spec: &Value, path: &Path<'_>, detail: &str, errors: &mut Errors) {
    let path = path.child("accessModes");
    let modes: Vec<&str> = spec.items("accessModes").iter().filter_map(Value::as_str).collect();
    if modes.is_empty() {
        errors.push(FieldError::required(path, detail));
    }
    for mode in &modes {
        checks::one_of_if_set(&path, Some(mode), ACCESS_MODES, errors);
    }
    let single = |mode: &&str| *mode == "ReadWriteOncePod";
    if modes.iter().any(single) && modes.iter().any(|mode| !single(mode) && ACCESS_MODES.contains(mode)) {
        errors.push(FieldError::forbidden(path, "may not use ReadWriteOncePod with other access modes"));
    }
}

fn class_name(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let class = spec.text("storageClassName");
    if !class.is_empty() {
        checks::subdomain(&path.child("storageClassName"), class, errors);
    }
}

// === PersistentVolume ===

pub(super) fn volume(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    access_modes(spec, &SPEC, "", errors);
    capacity(&spec["capacity"], &SPEC.child("capacity"), errors);
    let policy = spec.text("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        let path = SPEC.child("persistentVolumeReclaimPolicy");
        checks::one_of_if_set(&path, Some(policy), RECLAIM_POLICIES, errors);
    }
    if spec.has("nodeAffinity") {
        let path = SPEC.child("nodeAffinity");
        let required = &spec["nodeAffinity"]["required"];
        if required.is_null() {
            errors.push(FieldError::required(path.child("required"), "must specify required node constraints"));
        } else {
            pod::node_selector(required, &path.child("required"), errors);
        }
    }
    let mut sources = spec.as_object().into_iter().flatten().filter(|(name, _)| !NO_SOURCE.contains(&name.as_str()));
    match sources.next() {
        None => errors.push(FieldError::required(SPEC, "must specify a volume type")),
        Some((name, source)) => {
            volume_source(name, source, spec, errors);
            for (name, _) in sources {
                errors.push(FieldError::forbidden(SPEC.child(name), "may not specify more than 1 volume type"));
            }
        }
    }
    class_name(spec, &SPEC, errors);
    checks::one_of_if_set(&SPEC.child("volumeMode"), spec["volumeMode"].as_str(), VOLUME_MODES, errors);
}

fn volume_source(name: &str, source: &Value, spec: &Value, errors: &mut Errors) {
    let path = SPEC.child(name);
    match name {
        "hostPath" => {
            pod::host_path(source, &path, errors);
            let is_root = source.text("path").split('/').all(str::is_empty);
            if is_root && spec.text("persistentVolumeReclaimPolicy") == "Recycle" {
                let why = "may not be 'recycle' for a hostPath mount of '/'";
                errors.push(FieldError::forbidden(SPEC.child("persistentVolumeReclaimPolicy"), why));
            }
        }
        "local" => {
            checks::required(&path.child("path"), source.text("path"), errors);
            checks::no_backsteps(&path.child("path"), source.text("path"), errors);
            if !spec.has("nodeAffinity") {
                errors.push(FieldError::required(SPEC.child("nodeAffinity"), "Local volume requires node affinity"));
            }
        }
        "nfs" => pod::nfs(source, &path, errors),
        _ => {}
    }
}

fn capacity(capacity: &Value, path: &Path<'_>, errors: &mut Errors) {
    let amounts = capacity.as_object().into_iter().flatten();
    let mut count = 0;
    for (resource, value) in amounts {
        count += 1;
        let path = path.key(resource);
        if resource != "storage" {
            errors.push(FieldError::not_supported(path, resource.as_str(), &["storage"]));
        }
        positive(value, &path, errors);
    }
    if count == 0 {
        errors.push(FieldError::required(path, ""));
    }
}

fn positive(value: &Value, path: &Path<'_>, errors: &mut Errors) {
    let amount = checks::quantity(value);
    if amount.sign() <= 0 {
        errors.push(FieldError::invalid(path, amount.to_string(), "must be greater than zero"));
    }
}

pub(super) fn volume_update(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["spec"], &new["spec"]);
    let names = [old, new].into_iter().filter_map(Value::as_object).flat_map(|spec| spec.keys());
    if names.filter(|name| !NO_SOURCE.contains(&name.as_str())).any(|name| old[name] != new[name]) {
        let why = "spec.persistentvolumesource is immutable after creation";
        errors.push(FieldError::forbidden("spec.persistentvolumesource", why));
    }
    checks::immutable(&Path::root("volumeMode"), &old["volumeMode"], &new["volumeMode"], errors);
    if old.has("nodeAffinity") {
        checks::immutable(&Path::root("nodeAffinity"), &old["nodeAffinity"], &new["nodeAffinity"], errors);
    }
}

// === PersistentVolumeClaim ===

pub(super) fn claim(object: &Value, errors: &mut Errors) {
    claim_spec(&object["spec"], &SPEC, errors);
}

pub(super) fn claim_spec(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    access_modes(spec, path, "at least 1 access mode is required", errors);
    if spec.has("selector") {
        checks::label_selector(&spec["selector"], &path.child("selector"), errors);
    }
    let resources = path.child("resources");
    let storage = resources.key("storage");
    match &spec["resources"]["requests"]["storage"] {
        Value::Null => errors.push(FieldError::required(storage, "")),
        value => positive(value, &storage, errors),
    }
    class_name(spec, path, errors);
    checks::one_of_if_set(&path.child("volumeMode"), spec["volumeMode"].as_str(), VOLUME_MODES, errors);
    for name in ["dataSource", "dataSourceRef"] {
        if spec.has(name) {
            let path = path.child(name);
            checks::required(&path.child("name"), spec[name].text("name"), errors);
            checks::required(&path.child("kind"), spec[name].text("kind"), errors);
        }
    }
}

pub(super) fn claim_update(old: &Value, new: &Value, errors: &mut Errors) {
    let bound = new["status"].text("phase") == "Bound";
    let (before, after) = (&old["spec"], &new["spec"]);
    let storage = |spec: &Value| checks::quantity(&spec["resources"]["requests"]["storage"]);
    // What the binder fills in, and what a bound claim may ask for, are set to what they were.
    let mut same = after.clone();
    if before.text("volumeName").is_empty() {
        keep(&mut same, before, "volumeName");
    }
    if !before.has("storageClassName") {
        keep(&mut same, before, "storageClassName");
    }
    if bound {
        keep(&mut same, before, "volumeAttributesClassName");
        if same["resources"]["requests"].is_object() {
            same["resources"]["requests"]["storage"] = before["resources"]["requests"]["storage"].clone();
        }
    }
    if same != *before {
        let why =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden(SPEC, why));
    }
    if storage(after) < storage(before) && storage(after) <= checks::quantity(&old["status"]["capacity"]["storage"]) {
        let path = "spec.resources.requests.storage";
        errors.push(FieldError::forbidden(path, "field can not be less than status.capacity"));
    }
    checks::immutable(&Path::root("volumeMode"), &before["volumeMode"], &after["volumeMode"], errors);
}

/// Sets a field to what it is in another object, or takes it out if it is not there.
fn keep(target: &mut Value, source: &Value, key: &str) {
    if let Value::Object(target) = target {
        match source.get(key) {
            Some(value) => target.insert(key.to_owned(), value.clone()),
            None => target.remove(key),
        };
    }
}

// === StorageClass ===

pub(super) fn class(object: &Value, errors: &mut Errors) {
    const LIMIT: usize = 256 * 1024;
    const COUNT: usize = 512;
    let provisioner = object.text("provisioner");
    let path = Path::root("provisioner");
    checks::required(&path, provisioner, errors);
    if !provisioner.is_empty() {
        checks::text(&path, provisioner, names::qualified_name(&provisioner.to_lowercase()), errors);
    }
    let parameters: Vec<(&str, &str)> = meta::strings(&object["parameters"]).collect();
    if parameters.len() > COUNT {
        errors.push(FieldError::too_long("parameters", COUNT));
    }
    if parameters.iter().any(|(key, _)| key.is_empty()) {
        errors.push(FieldError::invalid("parameters", "", "field can not be empty."));
    }
    if parameters.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > LIMIT {
        errors.push(FieldError::too_long("parameters", LIMIT));
    }
    let policy = object["reclaimPolicy"].as_str();
    checks::one_of_if_set(&Path::root("reclaimPolicy"), policy, &["Delete", "Retain"], errors);
    let mode = object.text("volumeBindingMode");
    checks::one_of(&Path::root("volumeBindingMode"), mode, &["Immediate", "WaitForFirstConsumer"], errors);
}

pub(super) fn class_update(old: &Value, new: &Value, errors: &mut Errors) {
    for field in ["parameters", "provisioner"] {
        if old[field] != new[field] {
            errors.push(FieldError::forbidden(field, format!("updates to {field} are forbidden.")));
        }
    }
    checks::immutable(&Path::root("reclaimPolicy"), &old["reclaimPolicy"], &new["reclaimPolicy"], errors);
    let path = Path::root("volumeBindingMode");
    checks::immutable(&path, &old["volumeBindingMode"], &new["volumeBindingMode"], errors);
}
