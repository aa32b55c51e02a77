//! What the layers below show at a path.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

/// The attribute that hides everything below a directory.
pub(super) const OPAQUE_XATTR: &str = "trusted.overlay.opaque";

/// Whether this is overlayfs's mark of a deletion.
pub(super) fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// `lstat`, with `None` for what is not there.
pub(super) fn stat(path: &Path) -> io::Result<Option<rustix::fs::Stat>> {
    match rustix::fs::lstat(path) {
        Ok(stat) => Ok(Some(stat)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_opaque(path: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(path, OPAQUE_XATTR, &mut value[..]) == Ok(1) && value == *b"y"
}

/// The file that `parents` (the uppermost first) together show at `relative`, a path without
/// symbolic links on the way.
pub(super) fn look_up(parents: &[PathBuf], relative: &Path) -> io::Result<Option<(PathBuf, FileType)>> {
    for parent in parents {
        match look_into(parent, relative)? {
            Found::File(path, kind) => return Ok(Some((path, kind))),
            Found::Hidden => return Ok(None),
            Found::Nothing => {}
        }
    }
    Ok(None)
}

enum Found {
    File(PathBuf, FileType),
    Hidden,
    Nothing,
}

fn look_into(parent: &Path, relative: &Path) -> io::Result<Found> {
    let mut path = parent.to_owned();
    let mut hidden = false;
    let mut components = relative.components().peekable();
    while let Some(component) = components.next() {
        path.push(component);
        let Some(found) = stat(&path)? else {
            return Ok(if hidden { Found::Hidden } else { Found::Nothing });
        };
        let kind = FileType::from_raw_mode(found.st_mode);
        if is_whiteout(&found) || (components.peek().is_some() && kind != FileType::Directory) {
            return Ok(Found::Hidden);
        }
        if components.peek().is_none() {
            return Ok(Found::File(path, kind));
        }
        hidden |= is_opaque(&path);
    }
    Ok(Found::Nothing)
}
