//! PersistentVolume, PersistentVolumeClaim and StorageClass.

use super::{Object, at, make, set};

pub(super) fn volume(object: &mut Object) {
    set(make(object, "status"), "phase", "Pending");
    let spec = make(object, "spec");
    set(spec, "persistentVolumeReclaimPolicy", "Retain");
    set(spec, "volumeMode", "Filesystem");
    if let Some(path) = at(spec, "hostPath") {
        set(path, "type", "");
    }
    if let Some(iscsi) = at(spec, "iscsi") {
        set(iscsi, "iscsiInterface", "default");
    }
}

pub(super) fn claim(object: &mut Object) {
    set(make(object, "status"), "phase", "Pending");
    claim_spec(make(object, "spec"));
}

pub(super) fn claim_spec(spec: &mut Object) {
    set(spec, "volumeMode", "Filesystem");
    make(spec, "resources");
}

pub(super) fn class(object: &mut Object) {
    set(object, "reclaimPolicy", "Delete");
    set(object, "volumeBindingMode", "Immediate");
}
