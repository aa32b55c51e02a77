//! `fsGroup`: a volume's files belong to the pod's group.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::Path,
};

use k8s_openapi::api::core::v1::Pod;

use crate::pods::observed::{app_containers, init_containers};

/// The pod's `fsGroup`.
pub(crate) fn fs_group(pod: &Pod) -> Option<u32> {
    let context = pod.spec.as_ref()?.security_context.as_ref()?;
    u32::try_from(context.fs_group?).ok()
}

/// Whether the group is only set when the root of the volume does not have it yet.
pub(super) fn only_on_mismatch(pod: &Pod) -> bool {
    let context = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
    context.and_then(|context| context.fs_group_change_policy.as_deref()) == Some("OnRootMismatch")
}

/// The user that all containers run as, if it is one and the same.
pub(super) fn common_user(pod: &Pod) -> Option<u32> {
    let pod_user = pod.spec.as_ref()?.security_context.as_ref().and_then(|context| context.run_as_user);
    let mut users = app_containers(pod)
        .iter()
        .chain(init_containers(pod))
        .map(|container| container.security_context.as_ref().and_then(|context| context.run_as_user).or(pod_user));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then(|| u32::try_from(first).ok())?
}

/// Gives a tree to a group, readable, and writable unless `readonly`; directories pass the group on.
pub(super) fn give(root: &Path, group: u32, readonly: bool, only_on_mismatch: bool) -> io::Result<()> {
    if only_on_mismatch {
        let meta = fs::metadata(root)?;
        let wanted = bits(true, readonly);
        if meta.gid() == group && meta.mode() & wanted == wanted {
            return Ok(());
        }
    }
    walk(root, group, readonly)
}

fn walk(path: &Path, group: u32, readonly: bool) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    lchown(path, None, Some(group))?;
    if meta.is_symlink() {
        return Ok(());
    }
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), group, readonly)?;
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(meta.mode() & 0o7777 | bits(meta.is_dir(), readonly)))
}

fn bits(is_dir: bool, readonly: bool) -> u32 {
    let access = if readonly { 0o440 } else { 0o660 };
    if is_dir { access | 0o2110 } else { access }
}
