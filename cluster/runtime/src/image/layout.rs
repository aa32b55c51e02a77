//! The directories of the store and the locks on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::ImageError;
use super::reference::is_sha256;
use crate::durable;

const LOCK: &str = "lock";
const UNFINISHED_LOCK: &str = "unfinished.lock";

/// Where everything lies. Below the root also live the containers' writable layers, whose `image`
/// records keep their images from being collected.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// A lock on the store, released when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Layout {
    pub(super) fn open(root: &Path) -> Result<Self, ImageError> {
        let layout = Self { root: root.to_owned() };
        for directory in
            [layout.root.clone(), layout.blobs(), layout.names(), layout.ingest(), layout.layers(), layout.containers()]
        {
            durable::private_directory(&directory).map_err(ImageError::file("make", &directory))?;
        }
        Ok(layout)
    }

    /// Compressed layers, configurations and manifests, by digest.
    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("images/blobs/sha256")
    }

    /// The names of images.
    pub(super) fn names(&self) -> PathBuf {
        self.root.join("images/names")
    }

    /// Unfinished work, on the same file system as everything else.
    pub(super) fn ingest(&self) -> PathBuf {
        self.root.join("images/ingest")
    }

    /// Unpacked layers, by chain id.
    pub(super) fn layers(&self) -> PathBuf {
        self.root.join("layers")
    }

    /// The containers' own files.
    pub(crate) fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// The file of a blob.
    pub(super) fn blob(&self, digest: &str) -> Result<PathBuf, ImageError> {
        Ok(self.blobs().join(hex_of(digest)?))
    }

    /// The directory of an unpacked layer; its files are in `fs` below it.
    pub(super) fn layer(&self, chain: &str) -> Result<PathBuf, ImageError> {
        Ok(self.layers().join(hex_of(chain)?))
    }

    /// Waits for a lock that others may hold too: while it is held nothing is collected.
    pub(crate) fn lock_shared(&self) -> Result<Lock, ImageError> {
        self.lock(LOCK, FlockOperation::LockShared)
    }

    /// The same for unfinished work that may take long: while it is held none is swept away.
    pub(super) fn lock_unfinished(&self) -> Result<Lock, ImageError> {
        self.lock(UNFINISHED_LOCK, FlockOperation::LockShared)
    }

    /// A lock that nobody else holds, or `None` if somebody does.
    pub(super) fn try_lock_alone(&self) -> Result<Option<Lock>, ImageError> {
        self.try_lock(LOCK)
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>, ImageError> {
        match self.lock(name, FlockOperation::NonBlockingLockExclusive) {
            Ok(lock) => Ok(Some(lock)),
            Err(ImageError::File { source, .. }) if source.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn lock(&self, name: &str, operation: FlockOperation) -> Result<Lock, ImageError> {
        let path = self.root.join("images").join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(ImageError::file("open", &path))?;
        loop {
            match rustix::fs::flock(&file, operation) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(ImageError::file("lock", &path)(error.into())),
                Ok(()) => return Ok(Lock { _file: file }),
            }
        }
    }

    /// Removes what interrupted work left, if nobody is at work.
    pub(super) fn sweep_unfinished(&self) -> Result<(), ImageError> {
        if let (Some(_alone), Some(_unfinished)) = (self.try_lock(LOCK)?, self.try_lock(UNFINISHED_LOCK)?) {
            self.sweep();
        }
        Ok(())
    }

    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.ingest()) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let outcome = if path.is_dir() { durable::remove_tree(&path) } else { fs::remove_file(&path) };
            if let Err(error) = outcome {
                tracing::warn!(path = %path.display(), %error, "cannot remove a leftover of the image store");
            }
        }
    }
}

/// The hexadecimal part of a sha256 digest: the only digests there are here, so a digest can never
/// name another path.
pub(super) fn hex_of(digest: &str) -> Result<&str, ImageError> {
    digest.strip_prefix("sha256:").filter(|hex| is_sha256(hex)).ok_or_else(|| ImageError::Document {
        what: "a digest".to_owned(),
        problem: format!("`{}` is not a sha256 digest", digest.chars().take(80).collect::<String>()),
    })
}
