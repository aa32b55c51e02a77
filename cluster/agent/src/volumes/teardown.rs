//! Takes a pod's directory away: mounts first, then files, and never through a mount.

use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

/// The mount points at or below `dir`, as the kernel lists them.
fn mounts_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let table = std::fs::read_to_string("/proc/self/mountinfo")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| PathBuf::from(unescape(point)));
    Ok(points.filter(|point| point.starts_with(dir)).collect())
}

/// Spaces and the like are written as octal numbers.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Whether something is mounted exactly there.
pub(super) fn is_mounted(path: &Path) -> io::Result<bool> {
    Ok(mounts_below(path)?.iter().any(|point| point == path))
}

/// Removes a pod's directory. If a mount stays, nothing below it is touched and the call fails.
pub(crate) fn teardown(dir: &Path) -> io::Result<()> {
    let mut points = mounts_below(dir)?;
    // The innermost first.
    points.sort_by_key(|point| std::cmp::Reverse(point.components().count()));
    for point in &points {
        unmount(point, UnmountFlags::DETACH)?;
    }
    if let Some(left) = mounts_below(dir)?.first() {
        return Err(io::Error::other(format!("{} is still mounted", left.display())));
    }
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
