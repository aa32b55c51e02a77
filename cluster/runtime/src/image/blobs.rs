//! Blobs: written under a temporary name, checked, then named by their digest.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use kpkg_oci::digest_of;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::layout::Layout;
use super::{ImageError, hex};
use crate::durable;

/// So much is handed to the disk at a time, while more comes.
const FLUSHED: u64 = 16 << 20;

/// A blob in the making, whose digest whoever writes it knows.
pub(super) struct BlobFile {
    file: NamedTempFile,
    size: u64,
    flushed: u64,
}

impl BlobFile {
    /// Starts a blob.
    pub(super) fn new(layout: &Layout) -> Result<Self, ImageError> {
        let directory = layout.ingest();
        let file = NamedTempFile::new_in(&directory).map_err(ImageError::file("write into", directory))?;
        Ok(Self { file, size: 0, flushed: 0 })
    }

    /// Another handle on what is written.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Bytes so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Puts the blob in place under a digest that was checked.
    pub(super) fn place(self, layout: &Layout, digest: &str) -> Result<(), ImageError> {
        let path = layout.blob(digest)?;
        self.file.as_file().sync_all().map_err(ImageError::file("write", &path))?;
        self.file.persist(&path).map_err(|error| ImageError::file("write", &path)(error.error))?;
        let directory = layout.blobs();
        durable::sync_directory(&directory).map_err(ImageError::file("write", directory))
    }
}

impl Write for BlobFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.size += count as u64;
        if self.size - self.flushed >= FLUSHED {
            durable::begin_writing(self.file.as_file(), self.flushed, self.size - self.flushed);
            self.flushed = self.size;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A blob in the making, whose digest comes of what is written.
pub(super) struct BlobWriter {
    file: BlobFile,
    hash: Sha256,
}

impl BlobWriter {
    /// Starts a blob.
    pub(super) fn new(layout: &Layout) -> Result<Self, ImageError> {
        Ok(Self { file: BlobFile::new(layout)?, hash: Sha256::new() })
    }

    /// Puts the blob in place if it has the `expected` digest; answers digest and size.
    pub(super) fn commit(
        self,
        layout: &Layout,
        what: &str,
        expected: Option<&str>,
    ) -> Result<(String, u64), ImageError> {
        let digest = format!("sha256:{}", hex(&self.hash.finalize()));
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(ImageError::Digest { what: what.to_owned(), found: digest, expected: expected.to_owned() });
        }
        let size = self.file.size;
        self.file.place(layout, &digest)?;
        Ok((digest, size))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Layout {
    /// Stores a small document; answers its digest.
    pub(super) fn put_blob(&self, bytes: &[u8]) -> Result<String, ImageError> {
        let mut writer = BlobWriter::new(self)?;
        writer.write_all(bytes).map_err(ImageError::file("write into", self.ingest()))?;
        Ok(writer.commit(self, "a document", None)?.0)
    }

    /// Whether a blob of this size is there.
    pub(super) fn has_blob(&self, digest: &str, size: Option<u64>) -> bool {
        let metadata = self.blob(digest).ok().and_then(|path| path.metadata().ok());
        metadata.is_some_and(|metadata| size.is_none_or(|size| size == metadata.len()))
    }

    /// Reads a small document and checks that it is still what it was.
    pub(super) fn read_blob(&self, digest: &str, limit: u64) -> Result<Vec<u8>, ImageError> {
        let path = self.blob(digest)?;
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let bytes = durable::read_bounded(&path, limit).and_then(|bytes| bytes.ok_or_else(missing));
        let bytes = bytes.map_err(ImageError::file("read", &path))?;
        let found = digest_of(&bytes);
        if found == digest {
            Ok(bytes)
        } else {
            Err(ImageError::Digest {
                what: format!("the stored file {}", path.display()),
                found,
                expected: digest.to_owned(),
            })
        }
    }

    /// Opens a blob for reading.
    pub(super) fn open_blob(&self, digest: &str) -> Result<(PathBuf, File), ImageError> {
        let path = self.blob(digest)?;
        let file = File::open(&path).map_err(ImageError::file("read", &path))?;
        Ok((path, file))
    }
}
