//! ConfigMaps, Secrets, volumes, claims and their classes.

use kpkg_api::meta;
use serde_json::Value;

use super::{Columns, NAMED, age, items, join, number, text, text_or_none, wide};

/// How ConfigMaps are shown.
pub(super) const CONFIG_MAP: Columns = Columns {
    columns: &[text("Data"), text("Age")],
    cells: |object| vec![(size(&object["data"]) + size(&object["binaryData"])).into(), age(object)],
    ..NAMED
};

/// How Secrets are shown.
pub(super) const SECRET: Columns = Columns {
    columns: &[text("Type"), number("Data"), text("Age")],
    cells: |object| vec![text_or_none(object, "/type"), size(&object["data"]).into(), age(object)],
    ..NAMED
};

/// How PersistentVolumes are shown.
pub(super) const VOLUME: Columns = Columns {
    columns: &[
        text("Capacity"),
        text("Access Modes"),
        text("Reclaim Policy"),
        text("Status"),
        text("Claim"),
        text("StorageClass"),
        text("VolumeAttributesClass"),
        text("Reason"),
        text("Age"),
        wide("VolumeMode"),
    ],
    cells: |object| {
        let claim = &object["spec"]["claimRef"];
        let word = |key: &str| claim[key].as_str().unwrap_or_default();
        let claim = if claim.is_object() { format!("{}/{}", word("namespace"), word("name")) } else { String::new() };
        vec![
            plain(object, "/spec/capacity/storage"),
            modes(object, "/spec/accessModes"),
            plain(object, "/spec/persistentVolumeReclaimPolicy"),
            phase(object),
            claim.into(),
            plain(object, "/spec/storageClassName"),
            unset(object, "/spec/volumeAttributesClassName"),
            plain(object, "/status/reason"),
            age(object),
            unset(object, "/spec/volumeMode"),
        ]
    },
    ..NAMED
};

/// How PersistentVolumeClaims are shown.
pub(super) const CLAIM: Columns = Columns {
    columns: &[
        text("Status"),
        text("Volume"),
        text("Capacity"),
        text("Access Modes"),
        text("StorageClass"),
        text("VolumeAttributesClass"),
        text("Age"),
        wide("VolumeMode"),
    ],
    cells: |object| {
        let bound = object["spec"]["volumeName"].as_str().is_some_and(|name| !name.is_empty());
        let (capacity, access) = if bound {
            (plain(object, "/status/capacity/storage"), modes(object, "/status/accessModes"))
        } else {
            (Value::from(""), Value::from(""))
        };
        vec![
            phase(object),
            plain(object, "/spec/volumeName"),
            capacity,
            access,
            plain(object, "/spec/storageClassName"),
            unset(object, "/spec/volumeAttributesClassName"),
            age(object),
            unset(object, "/spec/volumeMode"),
        ]
    },
    ..NAMED
};

/// How StorageClasses are shown. The name says which one is the default.
pub(super) const CLASS: Columns = Columns {
    columns: &[
        text("Provisioner"),
        text("ReclaimPolicy"),
        text("VolumeBindingMode"),
        text("AllowVolumeExpansion"),
        text("Age"),
    ],
    cells: |object| {
        vec![
            plain(object, "/provisioner"),
            plain(object, "/reclaimPolicy"),
            plain(object, "/volumeBindingMode"),
            object["allowVolumeExpansion"].as_bool().unwrap_or(false).into(),
            age(object),
        ]
    },
    name: Some(class_name),
};

/// The name, and whether claims get this class that name none.
fn class_name(class: &Value) -> String {
    let name = meta::name(class);
    match meta::annotation(class, "storageclass.kubernetes.io/is-default-class") {
        Some("true") => format!("{name} (default)"),
        _ => name.to_owned(),
    }
}

fn size(map: &Value) -> usize {
    map.as_object().map_or(0, serde_json::Map::len)
}

fn plain(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().into()
}

fn unset(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("<unset>").into()
}

fn phase(object: &Value) -> Value {
    if object["metadata"]["deletionTimestamp"].is_string() {
        "Terminating".into()
    } else {
        plain(object, "/status/phase")
    }
}

/// Access modes by their short names.
fn modes(object: &Value, pointer: &str) -> Value {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => Some("RWO"),
        Some("ReadOnlyMany") => Some("ROX"),
        Some("ReadWriteMany") => Some("RWX"),
        Some("ReadWriteOncePod") => Some("RWOP"),
        _ => None,
    };
    let modes: Vec<String> = items(object, pointer).filter_map(short).map(str::to_owned).collect();
    if modes.is_empty() { "".into() } else { join(modes) }
}
