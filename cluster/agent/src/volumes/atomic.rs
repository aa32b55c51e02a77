//! Files of a volume, changed all at once: `NAME -> ..data/NAME`, `..data -> ..TIME`.
//!
//! Whoever reads sees the old files or the new ones, never a mix (Kubernetes' `AtomicWriter`).

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path};

use super::ownership;

const DATA: &str = "..data";

/// A file's bytes and permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// Files by path inside the volume.
pub(crate) type Files = BTreeMap<String, File>;

/// Makes a volume's directory hold exactly `files`.
pub(crate) fn write(dir: &Path, files: &Files, group: Option<u32>) -> io::Result<()> {
    for path in files.keys() {
        check(path)?;
    }
    std::fs::create_dir_all(dir)?;
    let data = dir.join(DATA);
    let old = std::fs::read_link(&data).ok();
    if old.is_some() && holds(&data, files) {
        return Ok(());
    }
    let stamp = jiff::Timestamp::now().strftime("..%Y_%m_%d_%H_%M_%S.%f").to_string();
    let fresh = dir.join(&stamp);
    std::fs::create_dir(&fresh)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755))?;
    for (path, file) in files {
        let target = fresh.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&target, &file.bytes)?;
        let mode = if group.is_some() { file.mode | 0o440 } else { file.mode };
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode))?;
    }
    if let Some(group) = group {
        ownership::chown_group(&fresh, group)?;
    }
    let next = dir.join("..data_tmp");
    let _ = std::fs::remove_file(&next);
    symlink(&stamp, &next)?;
    std::fs::rename(&next, &data)?;
    link_names(dir, files)?;
    if let Some(old) = old.filter(|it| it.components().count() == 1) {
        std::fs::remove_dir_all(dir.join(old))?;
    }
    Ok(())
}

/// A path must stay inside.
fn check(path: &str) -> io::Result<()> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.is_empty() && !path.starts_with("..") {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the path `{path}` leads out of the volume")))
}

fn holds(data: &Path, files: &Files) -> bool {
    let same = |(path, file): (&String, &File)| std::fs::read(data.join(path)).is_ok_and(|bytes| bytes == file.bytes);
    files.iter().all(same) && count(data) == files.len()
}

fn count(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| if entry.file_type().is_ok_and(|kind| kind.is_dir()) { count(&entry.path()) } else { 1 }).sum()
}

/// A link for each first part of a path; links of what is gone go.
fn link_names(dir: &Path, files: &Files) -> io::Result<()> {
    let wanted: std::collections::BTreeSet<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
    for name in &wanted {
        let link = dir.join(name);
        if std::fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(name), &link)?;
        }
    }
    for entry in std::fs::read_dir(dir)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !wanted.contains(name.as_str()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(path, text)| ((*path).to_owned(), File { bytes: text.as_bytes().to_vec(), mode: 0o600 })).collect()
    }

    #[test]
    fn files_come_change_and_go_together() {
        let dir = tempfile::tempdir().unwrap();
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).ok();
        write(dir.path(), &files(&[("a", "1"), ("d/b", "2")]), None).unwrap();
        assert_eq!((read("a"), read("d/b")), (Some("1".into()), Some("2".into())));
        let before = std::fs::read_link(dir.path().join(DATA)).unwrap();
        write(dir.path(), &files(&[("a", "1"), ("d/b", "2")]), None).unwrap();
        assert_eq!(std::fs::read_link(dir.path().join(DATA)).unwrap(), before, "the same again changes nothing");
        write(dir.path(), &files(&[("a", "3")]), None).unwrap();
        assert_eq!((read("a"), read("d/b")), (Some("3".into()), None));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "a, ..data and one folder");
    }

    #[test]
    fn paths_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["../a", "/a", "a/../../b", "", "..data"] {
            assert!(write(dir.path(), &files(&[(path, "x")]), None).is_err(), "{path}");
        }
    }
}
