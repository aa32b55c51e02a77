//! The store as others see it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::documents::{self, ConfigFile, LONGEST_CONFIG, LONGEST_MANIFEST, Manifest};
use super::layers::chain_ids;
use super::layout::{Layout, Lock};
use super::names::Record;
use super::{Image, ImageConfig, ImageError, ImageName, Progress, PullOptions, archive, collect, import, registry};

const SHORTEST_ID: usize = 4;

/// The images of this machine.
#[derive(Debug, Clone)]
pub struct ImageStore {
    layout: Layout,
}

/// A directory for unfinished work; gone when dropped.
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
    /// Keeps other processes from taking it for a leftover.
    _lock: Lock,
}

impl Scratch {
    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// What a removal took away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names that no longer exist.
    pub untagged: Vec<String>,
    /// Ids of images that no longer exist.
    pub deleted: Vec<String>,
    /// Bytes freed.
    pub bytes: u64,
}

impl ImageStore {
    /// Opens the store in `root`, making the directories that it needs.
    pub fn open(root: &Path) -> Result<Self, ImageError> {
        let layout = Layout::open(root)?;
        layout.sweep_unfinished()?;
        Ok(Self { layout })
    }

    /// Brings an image from its registry. What is here already is not transferred again.
    pub async fn pull(
        &self,
        reference: &str,
        options: &PullOptions,
        progress: &Progress<'_>,
    ) -> Result<Image, ImageError> {
        let name: ImageName = reference.parse()?;
        let shared = self.lock_shared().await?;
        let pulled = registry::pull(&self.layout, &name, options, progress).await?;
        let replaced = self.layout.put_name(&name, &pulled.manifest, Some(pulled.digest))?;
        let image = self.by_manifest(&pulled.manifest)?;
        drop(shared);
        self.tidy(replaced).await?;
        progress(super::ProgressEvent::Done);
        Ok(image)
    }

    /// Sends an image to the registry that its name names; answers the manifest's digest.
    pub async fn push(
        &self,
        reference: &str,
        options: &PullOptions,
        progress: &Progress<'_>,
    ) -> Result<String, ImageError> {
        let name: ImageName = reference.parse()?;
        let record = self.layout.get_name(&name.to_string())?.ok_or_else(|| not_found(reference))?;
        let _shared = self.lock_shared().await?;
        let digest = registry::push(&self.layout, &name, &record.manifest, options, progress).await?;
        self.layout.put_name(&name, &record.manifest, Some(name.with_digest(&digest)))?;
        progress(super::ProgressEvent::Done);
        Ok(digest)
    }

    /// The image that a name, a digest or an id (or the beginning of an id) stands for.
    pub fn resolve(&self, reference: &str) -> Result<Option<Image>, ImageError> {
        if let Some(image) = self.by_id(reference)? {
            return Ok(Some(image));
        }
        let Ok(name) = reference.parse::<ImageName>() else { return Ok(None) };
        if let Some(record) = self.layout.get_name(&name.to_string())? {
            return self.by_manifest(&record.manifest).map(Some);
        }
        let Some(digest) = &name.digest else { return Ok(None) };
        let wanted = name.with_digest(digest);
        let known = |record: &Record| {
            record.digest.as_ref() == Some(&wanted)
                || (record.manifest == *digest && record.name.starts_with(&format!("{}:", name.familiar_repository())))
        };
        let found = self.layout.all_names()?.into_iter().find(known);
        found.map(|record| self.by_manifest(&record.manifest)).transpose()
    }

    /// All images, the first name first.
    pub fn list(&self) -> Result<Vec<Image>, ImageError> {
        let mut by_manifest: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in self.layout.all_names()? {
            by_manifest.entry(record.manifest.clone()).or_default().push(record);
        }
        let mut images: Vec<Image> = Vec::new();
        for (manifest, records) in by_manifest {
            match describe(&self.layout, &manifest, &records) {
                Ok(image) => images.push(image),
                Err(error) => tracing::warn!(manifest, %error, "skipping a damaged image"),
            }
        }
        images.sort_by(|a, b| (&a.tags, &a.id).cmp(&(&b.tags, &b.id)));
        Ok(images)
    }

    /// Gives an image one more name.
    pub fn tag(&self, reference: &str, name: &str) -> Result<(), ImageError> {
        let name: ImageName = name.parse()?;
        let image = self.resolve(reference)?.ok_or_else(|| not_found(reference))?;
        self.layout.put_name(&name, &image.manifest, None).map(drop)
    }

    /// Takes a name away, or, given an id, the image with all its names. What no image needs any
    /// more is deleted. An image that containers use keeps its last name.
    pub async fn remove(&self, reference: &str) -> Result<Removed, ImageError> {
        let layout = self.layout.clone();
        let image = self.resolve(reference)?.ok_or_else(|| not_found(reference))?;
        let name = reference.parse::<ImageName>().ok().map(|name| name.to_string());
        let reference = reference.to_owned();
        blocking(move || collect::remove(&layout, &image, name.as_deref(), &reference)).await
    }

    /// Takes in the images of an OCI layout or docker archive, a tar plain or compressed.
    pub async fn load(&self, archive: &Path) -> Result<Vec<Image>, ImageError> {
        let shared = self.lock_shared().await?;
        let (layout, path) = (self.layout.clone(), archive.to_owned());
        let manifests = blocking(move || archive::load(&layout, &path)).await?;
        drop(shared);
        self.tidy(true).await?;
        manifests.iter().map(|manifest| self.by_manifest(manifest)).collect()
    }

    /// Writes images as one tar that is both an OCI layout and a docker archive.
    pub async fn save(&self, references: &[String], archive: &Path) -> Result<(), ImageError> {
        let find = |reference: &String| self.resolve(reference)?.ok_or_else(|| not_found(reference));
        let images = references.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<Option<ImageName>> = references.iter().map(|reference| reference.parse().ok()).collect();
        let _shared = self.lock_shared().await?;
        let (layout, path) = (self.layout.clone(), archive.to_owned());
        blocking(move || archive::save(&layout, &images, &names, &path)).await
    }

    /// A directory on the store's file system for unfinished work; gone when dropped.
    pub fn scratch_dir(&self) -> io::Result<Scratch> {
        let lock = self.layout.lock_unfinished().map_err(io::Error::other)?;
        let dir = tempfile::Builder::new().prefix("scratch-").tempdir_in(self.layout.ingest())?;
        Ok(Scratch { dir, _lock: lock })
    }

    /// Makes an image of one layer from a root file system: a directory, or a tar plain or compressed.
    pub async fn import_rootfs_layer(
        &self,
        rootfs: &Path,
        config: ImageConfig,
        reference: &str,
    ) -> Result<Image, ImageError> {
        let name: ImageName = reference.parse()?;
        let shared = self.lock_shared().await?;
        let (layout, path) = (self.layout.clone(), rootfs.to_owned());
        let manifest = blocking(move || import::import(&layout, &path, config)).await?;
        let replaced = self.layout.put_name(&name, &manifest, None)?;
        let image = self.by_manifest(&manifest)?;
        drop(shared);
        self.tidy(replaced).await?;
        Ok(image)
    }

    /// Deletes what a replaced name leaves without one.
    async fn tidy(&self, replaced: bool) -> Result<(), ImageError> {
        let layout = self.layout.clone();
        if replaced { blocking(move || collect::tidy(&layout)).await } else { Ok(()) }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The directories of an image's unpacked layers, the uppermost first. A layer that is missing
    /// is unpacked again.
    pub(crate) fn mountable_layers(&self, image: &Image) -> Result<Vec<PathBuf>, ImageError> {
        if !image.layers.iter().all(|chain| self.layout.has_layer(chain)) {
            unpack_all(&self.layout, &image.manifest)?;
        }
        image.layers.iter().rev().map(|chain| self.layout.layer_files(chain)).collect()
    }

    async fn lock_shared(&self) -> Result<Lock, ImageError> {
        let layout = self.layout.clone();
        blocking(move || layout.lock_shared()).await
    }

    fn by_manifest(&self, manifest: &str) -> Result<Image, ImageError> {
        let mut records = self.layout.all_names()?;
        records.retain(|record| record.manifest == manifest);
        describe(&self.layout, manifest, &records)
    }

    fn by_id(&self, reference: &str) -> Result<Option<Image>, ImageError> {
        let hex = reference.strip_prefix("sha256:").unwrap_or(reference);
        let short = hex.len() < SHORTEST_ID && !reference.starts_with("sha256:");
        if short || hex.is_empty() || hex.len() > 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let id = format!("sha256:{hex}");
        let mut found = self.list()?.into_iter().filter(|image| image.id.starts_with(&id));
        match (found.next(), found.next()) {
            (Some(image), None) => Ok(Some(image)),
            (Some(_), Some(_)) => Err(ImageError::Reference {
                reference: reference.to_owned(),
                problem: "several images begin with it".to_owned(),
            }),
            (None, _) => Ok(None),
        }
    }
}

fn not_found(reference: &str) -> ImageError {
    ImageError::NotFound { reference: reference.to_owned() }
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ImageError::File {
                operation: "finish work on",
                path: PathBuf::from("the image store"),
                source: io::Error::other("the program is shutting down"),
            }),
        },
    }
}

/// The stored documents of an image.
pub(super) fn read_documents(layout: &Layout, manifest: &str) -> Result<(Manifest, ConfigFile), ImageError> {
    let what = format!("manifest {manifest}");
    let document = documents::parse_manifest(&what, &layout.read_blob(manifest, LONGEST_MANIFEST)?)?;
    let bytes = layout.read_blob(&document.config.digest, LONGEST_CONFIG)?;
    let what = format!("configuration {}", document.config.digest);
    let config = documents::parse_config(&what, &bytes, document.layers.len())?;
    Ok((document, config))
}

/// Unpacks all layers of a stored image.
pub(super) fn unpack_all(layout: &Layout, manifest: &str) -> Result<(), ImageError> {
    let (document, config) = read_documents(layout, manifest)?;
    let chain = chain_ids(&config.rootfs.diff_ids);
    for (at, layer) in document.layers.iter().enumerate() {
        layout.unpack_layer(&layer.digest, &config.rootfs.diff_ids[at], &chain[..=at])?;
    }
    Ok(())
}

fn describe(layout: &Layout, manifest: &str, records: &[Record]) -> Result<Image, ImageError> {
    let (document, config) = read_documents(layout, manifest)?;
    let mut digests: Vec<String> = records.iter().filter_map(|record| record.digest.clone()).collect();
    digests.sort();
    digests.dedup();
    let tagged = |record: &Record| record.name.parse::<ImageName>().ok().and_then(|name| name.tagged());
    Ok(Image {
        id: document.config.digest.clone(),
        manifest: manifest.to_owned(),
        tags: records.iter().filter_map(tagged).collect(),
        digests,
        size: document.config.size + document.layers.iter().map(|layer| layer.size).sum::<u64>(),
        created: config.created,
        architecture: config.architecture,
        config: config.config.unwrap_or_default().into(),
        layers: chain_ids(&config.rootfs.diff_ids),
    })
}
