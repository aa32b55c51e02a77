//! A path inside a volume, pinned: opened without leaving the volume, then bound to a place of ours.
//!
//! The kernel resolves the path within the volume (`openat2` with `RESOLVE_IN_ROOT`), and what is
//! mounted is the open file, not a name that a container could turn into a link in the meantime
//! (CVE-2017-1002101, CVE-2021-25741).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::mount::mount_bind;

use super::teardown::is_mounted;

/// Binds `sub` of `volume` to `pin`; a missing sub-path is made as a directory.
pub(super) fn pin(volume: &Path, sub: &str, pin: &Path) -> io::Result<()> {
    if is_mounted(pin)? {
        return Ok(());
    }
    let opened = open(volume, sub)?;
    if rustix::fs::fstat(&opened)?.st_mode & 0o170_000 == 0o040_000 {
        std::fs::create_dir_all(pin)?;
    } else {
        if let Some(parent) = pin.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::File::create(pin)?;
    }
    mount_bind(format!("/proc/self/fd/{}", opened.as_raw_fd()), pin)?;
    Ok(())
}

fn open(volume: &Path, sub: &str) -> io::Result<OwnedFd> {
    let parts: Vec<&str> = sub.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let plain = Path::new(sub).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("subPath `{sub}` must stay inside its volume")));
    }
    let root = rustix::fs::open(volume, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let within = |path: &str| openat2(&root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS);
    let mut path = String::from(".");
    let mut at = within(&path)?;
    for part in parts {
        path.push('/');
        path.push_str(part);
        at = match within(&path) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => {
                // The parent is open, so the new directory is made in it and nowhere else.
                mkdirat(&at, part, Mode::from_raw_mode(0o777)).or_else(|error| if error == rustix::io::Errno::EXIST { Ok(()) } else { Err(error) })?;
                let made = within(&path)?;
                inherit(&at, &made)?;
                made
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(at)
}

/// A new directory belongs to whom its parent belongs, with the same permissions: a volume that was
/// given to a group stays usable by it.
fn inherit(parent: &OwnedFd, child: &OwnedFd) -> io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    let stat = rustix::fs::fstat(parent)?;
    let child = format!("/proc/self/fd/{}", child.as_raw_fd());
    chown(&child, Some(stat.st_uid), Some(stat.st_gid))?;
    std::fs::set_permissions(&child, std::fs::Permissions::from_mode(stat.st_mode & 0o7777))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_nowhere_but_inside() {
        let outside = tempfile::tempdir().unwrap();
        let volume = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), volume.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/", volume.path().join("root")).unwrap();
        // An absolute link is read within the volume, where its target does not exist.
        assert!(open(volume.path(), "link/x").is_err());
        let root = open(volume.path(), "root").unwrap();
        let inode = |fd: &OwnedFd| rustix::fs::fstat(fd).unwrap().st_ino;
        assert_eq!(inode(&root), std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(volume.path()).unwrap()));
        assert!(open(volume.path(), "../x").is_err());
        open(volume.path(), "a/b").unwrap();
        assert!(volume.path().join("a/b").is_dir());
    }
}
