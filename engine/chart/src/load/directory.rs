//! A folder's files, in the order of their names. Links are followed, as Helm does; what is neither a
//! file nor a folder is refused.

use std::fs::{self, DirEntry, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::ignore::Rules;
use super::{MAX_CHART, MAX_FILE, Reading, without_bom};
use crate::chart::File;
use crate::error::LoadError;

/// How deep folders may nest; links can make a folder contain itself.
const MAX_DEPTH: usize = 64;

/// Reads a chart's folder.
pub(super) fn read_all(root: &Path, reading: Reading) -> Result<Vec<File>, LoadError> {
    let ignore_file = root.join(".helmignore");
    let text = match fs::read(&ignore_file) {
        Ok(bytes) => kpkg_gounicode::lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    };
    let mut walk = Walk { rules: Rules::parse(&text)?, reading, files: Vec::new(), size: 0 };
    walk.folder(root, "", 0)?;
    Ok(walk.files)
}

struct Walk {
    rules: Rules,
    reading: Reading,
    files: Vec<File>,
    size: u64,
}

impl Walk {
    fn folder(&mut self, path: &Path, prefix: &str, depth: usize) -> Result<(), LoadError> {
        if depth > MAX_DEPTH {
            return Err(LoadError::Refused(format!("chart folders are nested too deeply at {}", path.display())));
        }
        let wrong = |source| LoadError::ReadFile { path: path.to_owned(), source };
        let mut entries: Vec<(String, DirEntry)> = Vec::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let name = entry.file_name().into_string();
            entries.push((name.unwrap_or_else(|name| name.to_string_lossy().into_owned()), entry));
        }
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        for (name, entry) in entries {
            let relative = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            self.entry(&entry, &relative, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, relative: &str, depth: usize) -> Result<(), LoadError> {
        let path = entry.path();
        let kind = match kind_of(entry, &path) {
            Ok(kind) => kind,
            Err(source) => return Err(LoadError::ReadFile { path, source }),
        };
        if self.rules.ignores(relative, kind.is_dir()) {
            return Ok(());
        }
        if kind.is_dir() {
            return self.folder(&path, relative, depth + 1);
        }
        if !kind.is_file() {
            return Err(LoadError::Refused(format!(
                "cannot load irregular file {} as it has file mode type bits set",
                path.display()
            )));
        }
        self.file(entry, path, relative)
    }

    fn file(&mut self, entry: &DirEntry, path: PathBuf, relative: &str) -> Result<(), LoadError> {
        // That it can be read is found out now, even if it is read later.
        let is_later = self.reading == Reading::Needed && !is_needed(relative);
        let opened = match if is_later { size_if_readable(entry) } else { None } {
            Some(size) => Ok((size, None)),
            None => fs::File::open(&path).and_then(|file| Ok((file.metadata()?.len(), Some(file)))),
        };
        let (size, file) = match opened {
            Ok(opened) => opened,
            Err(source) => return Err(LoadError::ReadFile { path, source }),
        };
        if size > MAX_FILE {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(LoadError::Refused(format!(
                "chart file {name:?} is larger than the maximum file size {MAX_FILE}"
            )));
        }
        self.size += size;
        if self.size > MAX_CHART {
            return Err(LoadError::Refused(format!("chart is larger than the maximum size {MAX_CHART}")));
        }
        self.files.push(match file.filter(|_| !is_later) {
            None => File::unread(relative, path, size),
            Some(file) => match contents(file, size) {
                Ok(data) => File::new(relative, without_bom(data)),
                Err(source) => return Err(LoadError::ReadFile { path, source }),
            },
        });
        Ok(())
    }
}

/// What an entry is, or what it is a link to. A dangling link counts as a file that cannot be read, even if it would be
/// left out.
fn kind_of(entry: &DirEntry, path: &Path) -> io::Result<FileType> {
    let kind = entry.file_type()?;
    if kind.is_symlink() { Ok(fs::metadata(path)?.file_type()) } else { Ok(kind) }
}

/// The size of a file that everybody may read, found without opening it; not of a link.
#[cfg(unix)]
fn size_if_readable(entry: &DirEntry) -> Option<u64> {
    use std::os::unix::fs::PermissionsExt as _;
    const READABLE: u32 = 0o444;
    let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    (metadata.permissions().mode() & READABLE == READABLE).then_some(metadata.len())
}

#[cfg(not(unix))]
fn size_if_readable(_: &DirEntry) -> Option<u64> {
    None
}

/// What a file of some size holds; of a larger one, what is allowed. What is added to it meanwhile is left out.
pub(super) fn contents(mut file: fs::File, size: u64) -> io::Result<Vec<u8>> {
    if size == 0 {
        // Some file systems do not tell sizes.
        let mut data = Vec::new();
        return file.take(MAX_FILE + 1).read_to_end(&mut data).map(|_| data);
    }
    // Mostly one call: the standard library's would begin with a few KiB, and end with a look behind the end.
    let mut data = vec![0; usize::try_from(size.min(MAX_FILE)).unwrap_or_default()];
    let mut filled = 0;
    while filled < data.len() {
        match file.read(&mut data[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    data.truncate(filled);
    Ok(data)
}

/// Whether a chart, or a subchart in it, cannot be put together without a file.
fn is_needed(path: &str) -> bool {
    match path.split_once('/') {
        // What stands below a subchart's folder is that chart's own.
        Some(("charts", inner)) => inner.split_once('/').is_none_or(|(_, own)| is_needed(own)),
        Some(_) => false,
        None => matches!(
            path,
            "Chart.yaml"
                | "Chart.lock"
                | "values.yaml"
                | "values.schema.json"
                | "requirements.yaml"
                | "requirements.lock"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_files() {
        for (path, want) in [
            ("Chart.yaml", true),
            ("README.md", false),
            ("crds/a.yaml", false),
            ("templates/a/b.yaml", false),
            ("charts/sub.tgz", true),
            ("charts/sub/values.yaml", true),
            ("charts/sub/CHANGELOG.md", false),
            ("charts/sub/charts/inner/Chart.yaml", true),
            ("charts/sub/charts/inner/templates/a.yaml", false),
            ("charts/sub/charts/inner/x", false),
            ("files/templates/a.yaml", false),
        ] {
            assert_eq!(is_needed(path), want, "{path}");
        }
    }
}
