//! Files that change all at once.
//!
//! A volume's files stand in a directory named by time; `..data` is a symbolic link to it, and the names that a container sees
//! are links through `..data`. Replacing `..data` by a rename switches all files in one step.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

const DATA: &str = "..data";
const DATA_NEW: &str = "..data_tmp";

/// A file to be: its bytes and permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
    /// The owner, if not root.
    pub(crate) owner: Option<u32>,
}

/// Files by their path in the volume.
pub(crate) type Files = BTreeMap<PathBuf, File>;

/// Makes a directory hold exactly these files; true if anything changed.
pub(crate) fn write(directory: &Path, files: &Files) -> io::Result<bool> {
    for path in files.keys() {
        check(path)?;
    }
    let old = fs::read_link(directory.join(DATA)).ok();
    if let Some(old) = &old
        && is_current(&directory.join(old), files)
    {
        return Ok(false);
    }
    let fresh = fresh_name();
    let target = directory.join(&fresh);
    fs::create_dir(&target)?;
    fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
    for (path, file) in files {
        write_file(&target.join(path), file)?;
    }
    let new_link = directory.join(DATA_NEW);
    let _ = fs::remove_file(&new_link);
    symlink(&fresh, &new_link)?;
    fs::rename(&new_link, directory.join(DATA))?;
    link_names(directory, files)?;
    if let Some(old) = old.filter(|old| is_plain(old)) {
        fs::remove_dir_all(directory.join(old))?;
    }
    Ok(true)
}

/// Paths must stay inside and not look like the machinery's own.
fn check(path: &Path) -> io::Result<()> {
    let mut components = path.components();
    let first_is_ours = path.to_string_lossy().starts_with("..");
    if first_is_ours
        || path.as_os_str().is_empty()
        || !components.all(|component| matches!(component, Component::Normal(_)))
    {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("invalid path: {}", path.display())));
    }
    Ok(())
}

fn is_plain(path: &Path) -> bool {
    let mut components = path.components();
    matches!((components.next(), components.next()), (Some(Component::Normal(_)), None))
}

fn fresh_name() -> String {
    let time = jiff::Timestamp::now().strftime("..%Y_%m_%d_%H_%M_%S.%f");
    format!("{time}{:04}", rand::random::<u16>() % 10_000)
}

fn write_file(path: &Path, file: &File) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(file.mode).open(path)?;
    io::Write::write_all(&mut out, &file.bytes)?;
    out.set_permissions(fs::Permissions::from_mode(file.mode))?;
    match file.owner {
        Some(owner) => std::os::unix::fs::fchown(&out, Some(owner), None),
        None => Ok(()),
    }
}

fn is_current(directory: &Path, files: &Files) -> bool {
    let mut have = BTreeSet::new();
    if list(directory, Path::new(""), &mut have).is_err() || have.len() != files.len() {
        return false;
    }
    files.iter().all(|(path, file)| {
        have.contains(path) && fs::read(directory.join(path)).is_ok_and(|bytes| bytes == file.bytes)
    })
}

fn list(root: &Path, below: &Path, out: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(root, &path, out)?;
        } else {
            out.insert(path);
        }
    }
    Ok(())
}

/// Makes the names that containers see, and removes those of files that are no more.
fn link_names(directory: &Path, files: &Files) -> io::Result<()> {
    let wanted: BTreeSet<OsString> =
        files.keys().filter_map(|path| Some(path.components().next()?.as_os_str().to_owned())).collect();
    for name in &wanted {
        let link = directory.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(name), link)?;
        }
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with("..") && !wanted.contains(&name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(path, text)| {
                (PathBuf::from(path), File { bytes: text.as_bytes().to_vec(), mode: 0o644, owner: None })
            })
            .collect()
    }

    #[test]
    fn files_appear_change_and_go_together() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        assert!(write(dir, &files(&[("a", "1"), ("sub/b", "2")])).unwrap());
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "1");
        assert_eq!(fs::read_to_string(dir.join("sub/b")).unwrap(), "2");
        let before = fs::read_link(dir.join(DATA)).unwrap();
        assert!(!write(dir, &files(&[("a", "1"), ("sub/b", "2")])).unwrap(), "nothing changed");
        assert_eq!(fs::read_link(dir.join(DATA)).unwrap(), before);
        assert!(write(dir, &files(&[("a", "3")])).unwrap());
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "3");
        assert!(fs::symlink_metadata(dir.join("sub")).is_err());
        assert!(!dir.join(before).exists());
        let names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }

    #[test]
    fn paths_cannot_escape() {
        let home = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x", "..data", ""] {
            assert!(write(home.path(), &files(&[(path, "")])).is_err(), "{path}");
        }
    }
}
