//! Folders of volumes, made and removed without ever following a link.
//!
//! What is in a folder was put there by pods, so nothing in it is trusted: every step goes through
//! a handle of the folder above and refuses links. Removal does not descend: it moves folders
//! found below to the top, so that depth costs neither stack nor handles, and a file system
//! mounted below makes it fail instead of being emptied.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags},
    io::Errno,
};

/// Pods run as any user, so the folder is open to all; the root above it is not.
const FOLDER_MODE: Mode = Mode::from_bits_retain(0o777);
const ROOT_MODE: Mode = Mode::from_bits_retain(0o700);

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn open_root(root: &Path) -> io::Result<OwnedFd> {
    if !root.try_exists()? {
        std::fs::create_dir_all(root)?;
        fs::chmod(root, ROOT_MODE)?;
    }
    Ok(fs::open(root, flags(), Mode::empty())?)
}

/// Makes the folder `name` in `root`; one that is there already stays as it is.
pub(super) fn make(root: &Path, name: &str) -> io::Result<()> {
    let root = open_root(root)?;
    match fs::mkdirat(&root, name, FOLDER_MODE) {
        // The umask took bits away.
        Ok(()) => Ok(fs::fchmod(fs::openat(&root, name, flags(), Mode::empty())?, FOLDER_MODE)?),
        Err(Errno::EXIST) => Ok(fs::openat(&root, name, flags(), Mode::empty()).map(drop)?),
        Err(error) => Err(error.into()),
    }
}

/// Removes the folder `name` in `root` with all that is in it.
pub(super) fn remove(root: &Path, name: &str) -> io::Result<()> {
    let root = open_root(root)?;
    let top = match fs::openat(&root, name, flags(), Mode::empty()) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut serial = 0_u64;
    loop {
        let folders = unlink_files(&top)?;
        if folders.is_empty() {
            break;
        }
        for folder in folders {
            lift(&top, &folder, &mut serial)?;
        }
    }
    Ok(fs::unlinkat(&root, name, AtFlags::REMOVEDIR)?)
}

/// Removes all but the folders of one folder, and names those.
fn unlink_files(parent: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut folders = Vec::new();
    for (name, is_folder) in entries(parent)? {
        if is_folder {
            folders.push(name);
        } else {
            fs::unlinkat(parent, &name, AtFlags::empty())?;
        }
    }
    Ok(folders)
}

/// Empties one folder by moving its folders up beside it, then removes it.
fn lift(top: &OwnedFd, name: &CStr, serial: &mut u64) -> io::Result<()> {
    let folder = fs::openat(top, name, flags(), Mode::empty())?;
    for inner in unlink_files(&folder)? {
        move_up(&folder, &inner, top, serial)?;
    }
    Ok(fs::unlinkat(top, name, AtFlags::REMOVEDIR)?)
}

/// A pod may have taken any name, so names are tried until one is free.
fn move_up(folder: &OwnedFd, name: &CStr, top: &OwnedFd, serial: &mut u64) -> io::Result<()> {
    loop {
        *serial += 1;
        let lifted = format!(".kpkg-removed-{serial}");
        match fs::renameat_with(folder, name, top, lifted.as_str(), RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn entries(parent: &OwnedFd) -> io::Result<Vec<(CString, bool)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => FileType::from_raw_mode(fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode),
            known => known,
        };
        found.push((name.to_owned(), kind == FileType::Directory));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_folder_is_made_open_to_all_under_a_closed_root() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("a/volumes");
        make(&root, "v").unwrap();
        make(&root, "v").unwrap();
        assert_eq!(root.join("v").metadata().unwrap().mode() & 0o7777, 0o777);
        assert_eq!(root.metadata().unwrap().mode() & 0o7777, 0o700);
    }

    #[test]
    fn removal_does_not_leave_the_folder() {
        let temp = tempfile::tempdir().unwrap();
        let (root, outside) = (temp.path().join("volumes"), temp.path().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("precious"), "x").unwrap();
        make(&root, "v").unwrap();
        symlink(&outside, root.join("v/link")).unwrap();
        std::fs::create_dir_all(root.join("v/.kpkg-removed-1/full/deep")).unwrap();
        std::fs::create_dir_all(root.join("v/another/deep")).unwrap();
        std::fs::write(root.join("v/file"), "y").unwrap();
        remove(&root, "v").unwrap();
        remove(&root, "v").unwrap();
        assert!(!root.join("v").exists());
        assert!(outside.join("precious").exists());
        symlink(&outside, root.join("w")).unwrap();
        assert!(remove(&root, "w").is_err(), "a link in place of the folder");
        assert!(make(&root, "w").is_err());
        assert!(outside.join("precious").exists());
    }

    #[test]
    fn depth_is_no_obstacle() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("volumes");
        make(&root, "v").unwrap();
        let mut folder = fs::openat(open_root(&root).unwrap(), "v", flags(), Mode::empty()).unwrap();
        for _ in 0..1500 {
            fs::mkdirat(&folder, "deeper", FOLDER_MODE).unwrap();
            folder = fs::openat(&folder, "deeper", flags(), Mode::empty()).unwrap();
        }
        remove(&root, "v").unwrap();
        assert!(!root.join("v").exists());
    }
}
