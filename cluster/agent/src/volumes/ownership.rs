//! Who may use a volume's files (`fsGroup`).

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

/// Anybody may write, as in a fresh `emptyDir`.
pub(super) fn open_to_all(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))
}

/// Whether the top of a volume is the group's already.
pub(super) fn belongs_to_group(path: &Path, group: u32) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.gid() == group && meta.mode() & 0o2070 == 0o2070)
}

/// Gives everything below `path` to a group that may read and write it; what is made in its
/// directories later is the group's too. Links are not followed.
pub(super) fn give_to_group(path: &Path, group: u32) -> io::Result<()> {
    let meta = std::fs::symlink_metadata(path)?;
    if meta.gid() != group {
        lchown(path, None, Some(group))?;
    }
    if meta.file_type().is_symlink() {
        return Ok(());
    }
    let wanted = meta.mode() & 0o7777 | if meta.is_dir() { 0o2770 } else { 0o660 };
    if wanted != meta.mode() & 0o7777 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(wanted))?;
    }
    if meta.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give_to_group(&entry?.path(), group)?;
        }
    }
    Ok(())
}

/// Gives everything below `path` to a group, permissions unchanged.
pub(super) fn chown_group(path: &Path, group: u32) -> io::Result<()> {
    lchown(path, None, Some(group))?;
    if std::fs::symlink_metadata(path)?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            chown_group(&entry?.path(), group)?;
        }
    }
    Ok(())
}
