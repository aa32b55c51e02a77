//! A folder's files, in the order of their names. Links are followed, as Helm does; what is neither a
//! file nor a folder is refused.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::ignore::Rules;
use super::{MAX_CHART, MAX_FILE, Reading, without_bom};
use crate::chart::File;
use crate::error::LoadError;

/// How deep folders may nest; links can make a folder contain itself.
const MAX_DEPTH: usize = 64;

/// Reads a chart's folder.
pub(super) fn read(root: &Path, reading: Reading) -> Result<Vec<File>, LoadError> {
    let ignore_file = root.join(".helmignore");
    let text = match fs::read(&ignore_file) {
        Ok(bytes) => kpkg_template::lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    };
    let mut walk = Walk { rules: Rules::parse(&text)?, reading, files: Vec::new(), size: 0, buffer: Vec::new() };
    walk.folder(root, "", 0)?;
    Ok(walk.files)
}

struct Walk {
    rules: Rules,
    reading: Reading,
    files: Vec<File>,
    size: u64,
    /// What a file is read into before it gets memory of its own.
    buffer: Vec<u8>,
}

impl Walk {
    fn folder(&mut self, path: &Path, prefix: &str, depth: usize) -> Result<(), LoadError> {
        if depth > MAX_DEPTH {
            return Err(LoadError::Refused(format!("chart folders are nested too deeply at {}", path.display())));
        }
        let wrong = |source| LoadError::ReadFile { path: path.to_owned(), source };
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            names.push(entry.map_err(wrong)?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        for name in names {
            let relative = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            self.entry(path.join(&name), &relative, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, relative: &str, depth: usize) -> Result<(), LoadError> {
        // A dangling link counts as a file that cannot be read, unless it is left out.
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(source) => {
                return Err(LoadError::ReadFile { path, source });
            }
        };
        if metadata.is_dir() {
            if self.rules.ignores(relative, true) {
                return Ok(());
            }
            return self.folder(&path, relative, depth + 1);
        }
        if self.rules.ignores(relative, false) {
            return Ok(());
        }
        if !metadata.is_file() {
            return Err(LoadError::Refused(format!(
                "cannot load irregular file {} as it has file mode type bits set",
                path.display()
            )));
        }
        self.file(path, relative, metadata.len())
    }

    fn file(&mut self, path: PathBuf, relative: &str, size: u64) -> Result<(), LoadError> {
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
        if self.reading == Reading::Needed && !is_needed(relative) {
            // That it can be read is found out now, as if it were.
            return match fs::File::open(&path) {
                Ok(_) => {
                    self.files.push(File::unread(relative, path, size));
                    Ok(())
                }
                Err(source) => Err(LoadError::ReadFile { path, source }),
            };
        }
        read_into(&path, &mut self.buffer)?;
        self.files.push(File::new(relative, without_bom(&self.buffer)));
        Ok(())
    }
}

/// Reads a file into a buffer, in place of what that held.
pub(super) fn read_into(path: &Path, buffer: &mut Vec<u8>) -> Result<(), LoadError> {
    buffer.clear();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(buffer));
    read.map(|_| ()).map_err(|source| LoadError::ReadFile { path: path.to_owned(), source })
}

/// Whether a chart, or a subchart in it, cannot be put together without a file.
fn is_needed(path: &str) -> bool {
    match path.split_once('/') {
        // What stands below a subchart's folder is that chart's own.
        Some(("charts", inner)) => inner.split_once('/').is_none_or(|(_, own)| is_needed(own)),
        Some((folder, _)) => folder == "templates",
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
            ("templates/a/b.yaml", true),
            ("charts/sub.tgz", true),
            ("charts/sub/values.yaml", true),
            ("charts/sub/CHANGELOG.md", false),
            ("charts/sub/charts/inner/templates/a.yaml", true),
            ("charts/sub/charts/inner/x", false),
            ("files/templates/a.yaml", false),
        ] {
            assert_eq!(is_needed(path), want, "{path}");
        }
    }
}
