//! A new kustomization file.

use std::fs;
use std::path::Path;

use super::file::KustomizationFile;
use super::{Context, texts_of};
use crate::documents::read_resources;
use crate::error::{Error, Result};
use crate::kustomization::KUSTOMIZATION_NAMES;
use crate::remote::Remote;

/// What a new kustomization says.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Resources: paths with commas between them, patterns allowed.
    pub resources: String,
    /// Its `namespace`.
    pub namespace: String,
    /// Its `commonAnnotations`: `key:value` with commas between them.
    pub annotations: String,
    /// Its `commonLabels`: `key:value` with commas between them.
    pub labels: String,
    /// Its `namePrefix`.
    pub name_prefix: String,
    /// Its `nameSuffix`.
    pub name_suffix: String,
    /// Whether the folder's files are looked through for resources.
    pub autodetect: bool,
    /// Whether its folders are too.
    pub recursive: bool,
}

/// Writes a kustomization file into a folder that has none.
pub fn create(folder: &Path, draft: &Draft, remote: Option<&dyn Remote>) -> Result<()> {
    let context = Context { folder, remote, notes: Vec::new() };
    let mut resources = Vec::new();
    for pattern in list(&draft.resources) {
        resources.extend(context.glob_or_remote(&pattern)?);
    }
    if KustomizationFile::open(folder).is_ok() {
        return Err(Error::rule("kustomization file already exists"));
    }
    if draft.autodetect {
        let mut found = Vec::new();
        detect(folder, "", draft.recursive, &mut found)?;
        found.retain(|path| !resources.contains(path));
        resources.extend(found);
    }
    let annotations = texts_of(&list(&draft.annotations), "annotation")?;
    let labels = texts_of(&list(&draft.labels), "label")?;
    let path = folder.join("kustomization.yaml");
    fs::write(&path, "").map_err(|source| Error::Write { path, source })?;
    let mut file = KustomizationFile::open(folder)?;
    file.set("resources", resources);
    for (field, text) in
        [("namespace", &draft.namespace), ("namePrefix", &draft.name_prefix), ("nameSuffix", &draft.name_suffix)]
    {
        file.set(field, text.as_str());
    }
    for (field, texts) in [("commonAnnotations", annotations), ("commonLabels", labels)] {
        file.map_mut(field).extend(texts.into_iter().map(|(key, value)| (key, value.into())));
    }
    file.write()
}

fn list(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(str::to_owned).collect() }
}

/// Files that hold resources, and folders with a kustomization of their own.
fn detect(folder: &Path, below: &str, recursive: bool, found: &mut Vec<String>) -> Result<()> {
    let here = folder.join(below);
    let entries = fs::read_dir(&here).map_err(|source| Error::read(here, source))?;
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let text = fs::read_to_string(entry.path()).ok();
            if text.is_some_and(|text| read_resources(&text, &path).is_ok()) {
                found.push(path);
            }
        } else if recursive && KUSTOMIZATION_NAMES.iter().any(|name| entry.path().join(name).exists()) {
            found.push(path);
        } else if recursive {
            detect(folder, &path, recursive, found)?;
        }
    }
    Ok(())
}
