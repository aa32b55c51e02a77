//! hostPath volumes: a path of the node, checked or made as its type says.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
};

/// Checks, or makes, a path of the node.
pub(super) fn prepare(path: &Path, kind: &str) -> Result<(), String> {
    let shown = path.display();
    let meta = fs::metadata(path);
    let wrong = |noun: &str| Err(format!("hostPath type check failed: {shown} is not {noun}"));
    let is = |check: fn(&fs::FileType) -> bool| meta.as_ref().is_ok_and(|meta| check(&meta.file_type()));
    match kind {
        "" => {
            if meta.is_err() {
                // What the runtime would do for a bind mount's missing source.
                return make_dir(path);
            }
            Ok(())
        }
        "DirectoryOrCreate" if meta.is_err() => make_dir(path),
        "FileOrCreate" if meta.is_err() => make_file(path),
        "Directory" | "DirectoryOrCreate" if !is(fs::FileType::is_dir) => wrong("a directory"),
        "File" | "FileOrCreate" if !is(fs::FileType::is_file) => wrong("a file"),
        "Socket" if !is(FileTypeExt::is_socket) => wrong("a socket file"),
        "CharDevice" if !is(FileTypeExt::is_char_device) => wrong("a character device"),
        "BlockDevice" if !is(FileTypeExt::is_block_device) => wrong("a block device"),
        _ => Ok(()),
    }
}

fn make_dir(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| failed(path, &error))
}

fn make_file(path: &Path) -> Result<(), String> {
    fs::File::create_new(path)
        .and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o644)))
        .map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("cannot create {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_checked_and_made() {
        let home = tempfile::tempdir().unwrap();
        let (dir, file) = (home.path().join("d"), home.path().join("f"));
        assert!(prepare(&dir, "Directory").unwrap_err().ends_with("is not a directory"));
        prepare(&dir, "DirectoryOrCreate").unwrap();
        prepare(&dir, "Directory").unwrap();
        assert!(prepare(&dir, "File").unwrap_err().ends_with("is not a file"));
        prepare(&file, "FileOrCreate").unwrap();
        prepare(&file, "File").unwrap();
        assert!(prepare(&file, "Socket").is_err());
        prepare(&home.path().join("any"), "").unwrap();
    }
}
