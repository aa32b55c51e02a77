//! Removal: names first, then what nothing names any more.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::store::{Removed, read_documents};
use super::{Image, ImageError};
use crate::durable;

/// What a container uses of the store; it lies beside the container's own files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerUse {
    /// The id of its image.
    pub(crate) image_id: String,
    /// The manifest of its image.
    pub(crate) manifest: String,
    /// The chain ids of its layers.
    pub(crate) layers: Vec<String>,
}

/// The record's name in a container's directory.
pub(crate) const USE_FILE: &str = "image.json";

/// Removes the name, or all names of the image if the reference is none of them.
pub(super) fn remove(
    layout: &Layout,
    image: &Image,
    name: Option<&str>,
    reference: &str,
) -> Result<Removed, ImageError> {
    let names: Vec<String> = layout
        .all_names()?
        .into_iter()
        .filter(|record| record.manifest == image.manifest)
        .map(|record| record.name)
        .collect();
    let victims = match name.filter(|name| names.iter().any(|known| known == name)) {
        Some(name) => vec![name.to_owned()],
        None => names.clone(),
    };
    if victims.len() == names.len() {
        let users = containers(layout)?;
        if let Some((container, _)) = users.into_iter().find(|(_, usage)| usage.image_id == image.id) {
            return Err(ImageError::InUse { reference: reference.to_owned(), container });
        }
    }
    for victim in &victims {
        layout.remove_name(victim)?;
    }
    let mut removed = Removed { untagged: victims, ..Removed::default() };
    // If somebody is at work, what is left over goes with the next removal.
    if let Some(_alone) = layout.try_lock_alone()? {
        removed.bytes = collect(layout)?;
    }
    if !layout.has_blob(&image.id, None) {
        removed.deleted.push(image.id.clone());
    }
    Ok(removed)
}

/// Deletes what nothing needs any more, if nobody is at work.
pub(super) fn tidy(layout: &Layout) -> Result<(), ImageError> {
    match layout.try_lock_alone()? {
        Some(_alone) => collect(layout).map(drop),
        None => Ok(()),
    }
}

/// Deletes blobs and layers that no name and no container needs; the caller is alone. Answers the
/// bytes freed.
fn collect(layout: &Layout) -> Result<u64, ImageError> {
    let mut keep = Kept::default();
    for record in layout.all_names()? {
        if let Err(error) = keep.image(layout, &record.manifest) {
            // Better to keep too much than to take what a damaged record meant.
            tracing::warn!(name = record.name, %error, "nothing is collected because of a damaged image");
            return Ok(0);
        }
    }
    for (_, usage) in containers(layout)? {
        let _ = keep.image(layout, &usage.manifest); // its layers count, whatever became of its documents
        keep.layers.extend(usage.layers);
    }
    let bytes = sweep(&layout.blobs(), &keep.blobs)?;
    Ok(bytes + sweep(&layout.layers(), &keep.layers)?)
}

/// Digests of what stays.
#[derive(Default)]
struct Kept {
    blobs: HashSet<String>,
    layers: HashSet<String>,
}

impl Kept {
    fn image(&mut self, layout: &Layout, manifest: &str) -> Result<(), ImageError> {
        let (document, config) = read_documents(layout, manifest)?;
        self.blobs.insert(manifest.to_owned());
        self.blobs.insert(document.config.digest);
        self.blobs.extend(document.layers.into_iter().map(|layer| layer.digest));
        self.layers.extend(super::layers::chain_ids(&config.rootfs.diff_ids));
        Ok(())
    }
}

fn sweep(directory: &Path, keep: &HashSet<String>) -> Result<u64, ImageError> {
    let mut bytes = 0;
    let entries = fs::read_dir(directory).map_err(ImageError::file("read", directory))?;
    for entry in entries {
        let entry = entry.map_err(ImageError::file("read", directory))?;
        if keep.contains(&format!("sha256:{}", entry.file_name().to_string_lossy())) {
            continue;
        }
        let path = entry.path();
        bytes += size_of_tree(&path);
        let outcome = if path.is_dir() { durable::remove_tree(&path) } else { fs::remove_file(&path) };
        outcome.map_err(ImageError::file("remove", path))?;
    }
    Ok(bytes)
}

/// Bytes on disk of a file or of all files in a directory; what cannot be read counts nothing.
pub(crate) fn size_of_tree(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    let own = metadata.blocks() * 512;
    if !metadata.is_dir() {
        return own;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    own + entries.map(|entry| size_of_tree(&entry.path())).sum::<u64>()
}

/// The containers that exist and what they use.
fn containers(layout: &Layout) -> Result<Vec<(String, ContainerUse)>, ImageError> {
    let directory = layout.containers();
    let mut users = Vec::new();
    for entry in fs::read_dir(&directory).map_err(ImageError::file("read", &directory))? {
        let entry = entry.map_err(ImageError::file("read", &directory))?;
        let path = entry.path().join(USE_FILE);
        let usage = durable::read_json(&path).map_err(ImageError::file("read", path))?;
        users.extend(usage.map(|usage| (entry.file_name().to_string_lossy().into_owned(), usage)));
    }
    Ok(users)
}
