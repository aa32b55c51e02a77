//! `--output-dir`: documents into files, one a template.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use kpkg_chart::listing::{Listed, Part};

use crate::printer::Printer;

/// Writes every document to the file of its source, and says which, in the words that were given for the folder. CRDs stay
/// outside the release's folder.
pub(super) fn files(folder: &str, release: Option<&str>, listed: &[Listed<'_>], printer: &Printer) -> Result<()> {
    let inner = release.map_or_else(|| folder.to_owned(), |release| kpkg_gopath::clean(&format!("{folder}/{release}")));
    let mut written = BTreeSet::new();
    for document in listed {
        let folder = if document.part == Part::Crd { folder } else { &inner };
        let path = inside(Path::new(folder), document.source)?;
        let again = !written.insert(path.clone());
        append(&path, &document.block(), again).with_context(|| format!("cannot write {}", path.display()))?;
        printer.data(&format!("wrote {folder}/{}\n", document.source))?;
    }
    Ok(printer.data("\n")?)
}

/// A source below a folder; charts choose sources, and may not climb out.
fn inside(folder: &Path, source: &str) -> Result<PathBuf> {
    let is_plain = Path::new(source).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain || source.is_empty() {
        bail!("the path `{source}` leads out of the output folder");
    }
    Ok(folder.join(source))
}

fn append(path: &Path, text: &str, again: bool) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).append(again).truncate(!again);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_stay_inside() {
        let folder = Path::new("/out");
        assert_eq!(inside(folder, "c/templates/a.yaml").expect("plain"), Path::new("/out/c/templates/a.yaml"));
        for source in ["../x", "c/../../x", "/etc/passwd", "", "."] {
            assert!(inside(folder, source).is_err(), "{source}");
        }
    }
}
