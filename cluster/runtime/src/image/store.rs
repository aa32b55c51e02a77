//! The store on disk.

use std::io;
use std::path::{Path, PathBuf};

use super::{Image, ImageConfig, ImageError, Progress, PullOptions};

/// The images of this machine.
#[derive(Debug, Clone)]
pub struct ImageStore {
    root: PathBuf,
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
        Ok(Self { root: root.to_owned() })
    }
    /// Brings an image from its registry, or finds that it is here already.
    pub async fn pull(&self, _reference: &str, _options: &PullOptions, _progress: &Progress<'_>) -> Result<Image, ImageError> {
        todo!("{:?}", self.root)
    }
    /// Sends an image to the registry that its name names; answers the manifest's digest.
    pub async fn push(&self, _reference: &str, _options: &PullOptions, _progress: &Progress<'_>) -> Result<String, ImageError> {
        todo!()
    }
    /// The image that a name, a digest or an id (or the beginning of an id) stands for.
    pub fn resolve(&self, _reference: &str) -> Result<Option<Image>, ImageError> {
        todo!()
    }
    /// All images.
    pub fn list(&self) -> Result<Vec<Image>, ImageError> {
        todo!()
    }
    /// Gives an image one more name.
    pub fn tag(&self, _reference: &str, _name: &str) -> Result<(), ImageError> {
        todo!()
    }
    /// Takes a name away, or, given an id, the image with all its names. What no image needs any
    /// more is deleted, except what containers use.
    pub async fn remove(&self, _reference: &str) -> Result<Removed, ImageError> {
        todo!()
    }
    /// Takes in the images of an OCI layout or docker archive, a tar plain or compressed.
    pub async fn load(&self, _archive: &Path) -> Result<Vec<Image>, ImageError> {
        todo!()
    }
    /// Writes images as one tar that is both an OCI layout and a docker archive.
    pub async fn save(&self, _references: &[String], _archive: &Path) -> Result<(), ImageError> {
        todo!()
    }
    /// A directory on the store's file system for unfinished work; gone when dropped.
    pub fn scratch_dir(&self) -> io::Result<tempfile::TempDir> {
        todo!()
    }
    /// Makes an image of one layer from a root file system: a directory, or a tar plain or compressed.
    pub async fn import_rootfs_layer(&self, _rootfs: &Path, _config: ImageConfig, _reference: &str) -> Result<Image, ImageError> {
        todo!()
    }
}
