//! Mounting and unmounting, and cleaning up what is mounted below a directory.

use std::{
    ffi::CString,
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags},
    mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags},
};

/// Mounts a tmpfs, with a size in bytes if given; nothing to do if one is there.
pub(super) fn tmpfs(target: &Path, size: Option<u64>) -> io::Result<()> {
    if is_mount_point(target)? {
        return Ok(());
    }
    let options = size.map_or_else(String::new, |size| format!("size={size}"));
    let options = CString::new(options).expect("digits have no NUL");
    rustix::mount::mount("tmpfs", target, "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, options.as_c_str())?;
    Ok(())
}

fn is_mount_point(path: &Path) -> io::Result<bool> {
    let stat = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)?;
    Ok(stat.stx_attributes.contains(rustix::fs::StatxAttributes::MOUNT_ROOT))
}

/// Makes `sub_path` of a volume appear at `target`, without ever leaving the volume: the path is opened beneath the volume's
/// root by the kernel, and what was opened, not the path, is mounted. A missing directory is made.
pub(super) fn bind_sub_path(volume: &Path, sub_path: &Path, target: &Path) -> io::Result<()> {
    let root = rustix::fs::open(volume, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let open = |path: &Path, flags| rustix::fs::openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), beneath);
    let found = match open(sub_path, OFlags::PATH) {
        Err(rustix::io::Errno::NOENT) => {
            make_beneath(&root, volume, sub_path)?;
            open(sub_path, OFlags::PATH)?
        }
        other => other?,
    };
    let is_dir = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode).is_dir();
    prepare_target(target, is_dir)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(&found, "", flags)?;
    rustix::mount::move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// Makes the missing directories of a path below an open root, each opened beneath it, with the root's permissions.
fn make_beneath(root: &impl std::os::fd::AsFd, volume: &Path, sub_path: &Path) -> io::Result<()> {
    let mode = Mode::from_raw_mode(rustix::fs::stat(volume)?.st_mode & 0o7777);
    let mut so_far = PathBuf::new();
    for component in sub_path.components() {
        let parent = if so_far.as_os_str().is_empty() { Path::new(".") } else { &so_far };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::openat2(
            root,
            parent,
            flags,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        )?;
        match rustix::fs::mkdirat(&parent, component.as_os_str(), mode) {
            Ok(()) => {
                let made = rustix::fs::openat(
                    &parent,
                    component.as_os_str(),
                    OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                    Mode::empty(),
                )?;
                // The process's umask must not show.
                rustix::fs::fchmod(&made, mode)?;
                let of_root = rustix::fs::stat(volume)?;
                rustix::fs::fchown(&made, None, Some(rustix::fs::Gid::from_raw(of_root.st_gid)))?;
            }
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        so_far.push(component);
    }
    Ok(())
}

fn prepare_target(target: &Path, is_dir: bool) -> io::Result<()> {
    unmount_all(target)?;
    match fs::symlink_metadata(target) {
        Ok(meta) if meta.is_dir() == is_dir => return Ok(()),
        Ok(meta) if meta.is_dir() => fs::remove_dir(target)?,
        Ok(_) => fs::remove_file(target)?,
        Err(_) => {}
    }
    if is_dir {
        fs::create_dir_all(target)
    } else {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::File::create(target).map(drop)
    }
}

/// Unmounts everything mounted at or below a directory.
pub(crate) fn unmount_all(root: &Path) -> io::Result<()> {
    let mut below = mount_points()?;
    below.retain(|point| point.starts_with(root));
    // Later mounts first: they may cover or stand on earlier ones.
    for point in below.iter().rev() {
        rustix::mount::unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    }
    Ok(())
}

/// Unmounts everything below a directory and deletes it. Refuses to delete while anything is still mounted there.
pub(crate) fn remove_tree(root: &Path) -> io::Result<()> {
    if fs::symlink_metadata(root).is_err() {
        return Ok(());
    }
    unmount_all(root)?;
    if let Some(left) = mount_points()?.iter().find(|point| point.starts_with(root)) {
        return Err(io::Error::other(format!("{} is still mounted", left.display())));
    }
    fs::remove_dir_all(root)
}

/// All mount points of the process, in the order in which they were mounted.
fn mount_points() -> io::Result<Vec<PathBuf>> {
    let table = fs::read("/proc/self/mountinfo")?;
    Ok(table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescape)
        .collect())
}

/// The kernel writes blanks, tabs, newlines and backslashes as three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let Some(byte) = octal {
            out.push(byte);
            rest = &tail[3..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(b"/a\\040b\\134c"), PathBuf::from("/a b\\c"));
    }

    /// Needs root: mounts in a directory of its own.
    #[test]
    fn sub_paths_never_leave_the_volume() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let volume = home.path().join("volume");
        let target = home.path().join("target");
        fs::create_dir_all(volume.join("inside")).unwrap();
        fs::write(volume.join("inside/file"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", volume.join("absolute")).unwrap();
        std::os::unix::fs::symlink("../..", volume.join("relative")).unwrap();
        std::os::unix::fs::symlink("inside", volume.join("good")).unwrap();
        for (path, ok) in [
            ("inside", true),
            ("inside/file", true),
            ("good/file", true),
            ("new/deep", true),
            ("absolute", false),
            ("absolute/new", false),
            ("relative", false),
            ("../x", false),
        ] {
            let result = bind_sub_path(&volume, Path::new(path), &target);
            assert_eq!(result.is_ok(), ok, "{path}: {result:?}");
        }
        assert!(volume.join("new/deep").is_dir());
        assert!(!Path::new("/etc/new").exists());
        remove_tree(&target).unwrap();
        assert!(volume.join("inside/file").exists(), "the volume is untouched");
    }
}
