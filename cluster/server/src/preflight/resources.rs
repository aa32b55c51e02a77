//! Disk and file system under the data directory.

use std::path::{Path, PathBuf};

use rustix::fs::{FsWord, statfs, statvfs};

use super::Problem;
use crate::Layout;

/// Less than this and not even images fit.
const LEAST_BYTES: u64 = 500 << 20;

/// `OVERLAYFS_SUPER_MAGIC`: containers' layers cannot be stacked on it.
const OVERLAY: FsWord = 0x794c_7630;
/// `NFS_SUPER_MAGIC`: no locks to rely on, no layers.
const NFS: FsWord = 0x6969;

/// What the place of the data directory lacks.
pub(super) fn check(layout: &Layout) -> Vec<Problem> {
    let place = existing(layout.root());
    [space(&place), kind(&place)].into_iter().flatten().collect()
}

/// The data directory, or the nearest one above it that is there.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn space(place: &Path) -> Option<Problem> {
    let found = statvfs(place).ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    (free < LEAST_BYTES).then(|| {
        let what = format!("{} MB are free on the disk of {}", free >> 20, place.display());
        Problem::new(what, format!("free {} MB, or choose a larger disk with --data-dir", LEAST_BYTES >> 20))
    })
}

fn kind(place: &Path) -> Option<Problem> {
    let name = match statfs(place).ok()?.f_type {
        OVERLAY => "an overlay",
        NFS => "a network file system",
        _ => return None,
    };
    Some(Problem::new(
        format!("{} lies on {name}, which cannot hold containers", place.display()),
        "choose a directory on a local disk (ext4, xfs, btrfs) with --data-dir",
    ))
}
