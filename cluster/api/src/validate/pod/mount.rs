//! Volume mounts and block devices of containers.

use super::Whole;
use crate::{
    validate::{
        FieldError,
        checks::{self, Errors},
        path::Path,
    },
    value::Read as _,
};
use serde_json::Value;

/// Checks what a container mounts.
pub(super) fn mounts(whole: &Whole<'_>, container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (mounts, devices) = (container.items("volumeMounts"), container.items("volumeDevices"));
    let list = path.child("volumeMounts");
    for (at, mount) in mounts.iter().enumerate() {
        let path = list.index(at);
        let (name, target) = (mount.text("name"), mount.text("mountPath"));
        checks::required(&path.child("name"), name, errors);
        if whole.volume(name).is_none() {
            errors.push(FieldError::not_found(path.child("name"), name));
        }
        checks::required(&path.child("mountPath"), target, errors);
        if mounts[..at].iter().any(|other| other.text("mountPath") == target) {
            errors.push(FieldError::invalid(path.child("mountPath"), target, "must be unique"));
        }
        if devices.iter().any(|device| device.text("name") == name) {
            errors.push(FieldError::invalid(path.child("name"), name, "must not already exist in volumeDevices"));
        }
        if devices.iter().any(|device| device.text("devicePath") == target) {
            let why = "must not already exist as a path in volumeDevices";
            errors.push(FieldError::invalid(path.child("mountPath"), target, why));
        }
        sub_path(mount, &list, &path, errors);
        propagation(container, mount, &list, errors);
    }
    for (at, device) in devices.iter().enumerate() {
        self::device(whole, device, &devices[..at], mounts, &path.child("volumeDevices").index(at), errors);
    }
}

fn sub_path(mount: &Value, list: &Path<'_>, path: &Path<'_>, errors: &mut Errors) {
    let (plain, expression) = (mount.text("subPath"), mount.text("subPathExpr"));
    if !plain.is_empty() {
        checks::descending_path(&list.child("subPath"), plain, errors);
    }
    if !expression.is_empty() {
        if !plain.is_empty() {
            let why = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid(path.child("subPathExpr"), expression, why));
        }
        checks::descending_path(&list.child("subPathExpr"), expression, errors);
    }
}

fn propagation(container: &Value, mount: &Value, list: &Path<'_>, errors: &mut Errors) {
    let path = list.child("mountPropagation");
    let propagation = mount["mountPropagation"].as_str();
    checks::one_of_if_set(&path, propagation, &["Bidirectional", "HostToContainer", "None"], errors);
    if propagation == Some("Bidirectional") && !container["securityContext"].flag("privileged") {
        let why = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(FieldError::forbidden(path, why));
    }
    let path = list.child("recursiveReadOnly");
    match mount["recursiveReadOnly"].as_str() {
        Some("Enabled" | "IfPossible") => {
            if !mount.flag("readOnly") {
                errors.push(FieldError::forbidden(path, "may only be specified when readOnly is true"));
            }
            if propagation.is_some_and(|propagation| propagation != "None") {
                let why = "may only be specified when mountPropagation is None or not specified";
                errors.push(FieldError::forbidden(path, why));
            }
        }
        other => checks::one_of_if_set(&path, other, &["Disabled", "Enabled", "IfPossible"], errors),
    }
}

fn device(whole: &Whole<'_>, device: &Value, before: &[Value], mounts: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let (name, target) = (device.text("name"), device.text("devicePath"));
    let mut invalid =
        |field: &str, value: &str, why: &str| errors.push(FieldError::invalid(path.child(field), value, why));
    if before.iter().any(|other| other.text("name") == name) {
        invalid("name", name, "must be unique");
    }
    if before.iter().any(|other| other.text("devicePath") == target) {
        invalid("devicePath", target, "must be unique");
    }
    if target.split('/').any(|part| part == "..") {
        invalid("devicePath", target, "can not contain backsteps ('..')");
    }
    if mounts.iter().any(|mount| mount.text("name") == name) {
        invalid("name", name, "must not already exist in volumeMounts");
    }
    if mounts.iter().any(|mount| mount.text("mountPath") == target) {
        invalid("devicePath", target, "must not already exist as a path in volumeMounts");
    }
    match whole.volume(name) {
        Some(volume) if !volume.is_claim => {
            let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
            invalid("name", name, why);
        }
        Some(_) => {}
        None => errors.push(FieldError::not_found(path.child("name"), name)),
    }
    checks::required(&path.child("name"), name, errors);
    checks::required(&path.child("devicePath"), target, errors);
}
