//! Unpacks one layer as overlayfs wants it.
//!
//! The archive comes from strangers. Every path is resolved component by component inside the new
//! layer's own directory, which nobody else can write meanwhile; a symbolic link on the way is
//! followed as a container would follow it, never out of the layer. What the layer leaves implicit (a
//! directory that only a lower layer describes) is taken from the layers below, so that a file deep
//! in the tree does not change its parents' owners. Deletions (`.wh.` entries) become overlayfs's own
//! marks. Entries, bytes and the length of paths are bounded.

mod attributes;
mod lower;
mod place;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use tar::EntryType;

use attributes::Attributes;
use place::Tree;

use crate::durable;

const WHITEOUT: &str = ".wh.";
const WHITEOUT_META: &str = ".wh..wh.";
const OPAQUE: &str = ".wh..wh..opq";
const LONGEST_PATH: usize = 4096;
const BUFFER: usize = 256 << 10;
/// From this size on files are handed to the disk at once.
const LARGE: u64 = 1 << 20;

/// How much a single layer may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Files, directories and links.
    pub(super) entries: u64,
    /// Bytes of the archive as it is read, and of the files as they are written.
    pub(super) bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4_000_000, bytes: 64 << 30 }
    }
}

pub(super) fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.into())
}

/// Unpacks the tar `archive` into the empty directory `target`. `parents` are the unpacked layers
/// below, the uppermost first.
pub(super) fn unpack(archive: impl Read, target: &Path, parents: &[PathBuf], limits: Limits) -> io::Result<()> {
    let mut archive = tar::Archive::new(Bounded { inner: archive, left: limits.bytes });
    let mut layer =
        Layer { tree: Tree::new(target, parents)?, limits, entries: 0, written: 0, buffer: vec![0; BUFFER] };
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = PathBuf::from(std::ffi::OsStr::from_bytes(&entry.path_bytes()));
        layer.add(&mut entry, &name).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", name.to_string_lossy().escape_debug()))
        })?;
    }
    // What follows the end of the archive still counts for its digest.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    layer.tree.finish()
}

/// Fails once more than a number of bytes was read.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| invalid("the layer is too large"))?;
        Ok(count)
    }
}

struct Layer<'a> {
    tree: Tree<'a>,
    limits: Limits,
    entries: u64,
    written: u64,
    buffer: Vec<u8>,
}

impl Layer<'_> {
    fn add(&mut self, entry: &mut tar::Entry<'_, impl Read>, name: &Path) -> io::Result<()> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(invalid("the layer has too many entries"));
        }
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let Some((parent, base)) = place::split(name)? else {
            // The root itself.
            return Attributes::of(entry)?.apply(self.tree.root(), FileType::Directory);
        };
        if base.as_bytes().starts_with(WHITEOUT.as_bytes()) {
            return self.delete(&parent, base.as_bytes());
        }
        let attributes = Attributes::of(entry)?;
        let path = self.tree.directory(&parent)?.join(&base);
        match kind {
            EntryType::Directory => return self.tree.make_directory(&path, &attributes),
            EntryType::Link => return self.link(entry, &path),
            _ => {}
        }
        self.tree.clear(&path)?;
        let kind = self.create(entry, kind, &self.tree.absolute(&path))?;
        attributes.apply(&self.tree.absolute(&path), kind)
    }

    /// Makes what is neither a directory nor a hard link.
    fn create(&mut self, entry: &mut tar::Entry<'_, impl Read>, kind: EntryType, path: &Path) -> io::Result<FileType> {
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.write_file(entry, path)?;
                Ok(FileType::RegularFile)
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().ok_or_else(|| invalid("a symbolic link without target"))?;
                if target.is_empty() || target.len() >= LONGEST_PATH {
                    return Err(invalid("a symbolic link's target is empty or too long"));
                }
                std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(&target), path)?;
                Ok(FileType::Symlink)
            }
            EntryType::Fifo => make_node(path, FileType::Fifo, 0, 0),
            EntryType::Char | EntryType::Block => {
                let major = entry.header().device_major()?.unwrap_or(0);
                let minor = entry.header().device_minor()?.unwrap_or(0);
                if (major, minor) == (0, 0) {
                    return Err(invalid("a device that overlayfs would take for a deletion"));
                }
                let kind = if kind == EntryType::Char { FileType::CharacterDevice } else { FileType::BlockDevice };
                make_node(path, kind, major, minor)
            }
            other => Err(invalid(format!("unknown kind of entry {:?}", other.as_byte() as char))),
        }
    }

    fn write_file(&mut self, entry: &mut tar::Entry<'_, impl Read>, path: &Path) -> io::Result<()> {
        self.written = self.written.saturating_add(entry.size());
        if self.written > self.limits.bytes {
            return Err(invalid("the layer is too large"));
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?);
        let mut copied = 0;
        loop {
            let count = entry.read(&mut self.buffer)?;
            if count == 0 {
                break;
            }
            file.write_all(&self.buffer[..count])?;
            copied += count as u64;
        }
        if copied >= LARGE {
            durable::begin_writing(&file, 0, copied);
        }
        if copied == entry.size() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn link(&mut self, entry: &tar::Entry<'_, impl Read>, path: &Path) -> io::Result<()> {
        let target = entry.link_name_bytes().ok_or_else(|| invalid("a hard link without target"))?;
        let target = PathBuf::from(std::ffi::OsStr::from_bytes(&target));
        let (parent, base) = place::split(&target)?.ok_or_else(|| invalid("a hard link to the root"))?;
        let source = self.tree.directory(&parent)?.join(base);
        if source == path {
            return Err(invalid("a hard link to itself"));
        }
        self.tree.bring_up(&source)?;
        self.tree.clear(path)?;
        let (source, path) = (self.tree.absolute(&source), self.tree.absolute(path));
        rustix::fs::linkat(CWD, source, CWD, path, AtFlags::empty())?;
        Ok(())
    }

    fn delete(&mut self, parent: &Path, base: &[u8]) -> io::Result<()> {
        if base == OPAQUE.as_bytes() {
            let directory = self.tree.directory(parent)?;
            return self.tree.make_opaque(&directory);
        }
        if base.starts_with(WHITEOUT_META.as_bytes()) {
            return Ok(()); // notes of an old storage driver to itself
        }
        let victim = &base[WHITEOUT.len()..];
        if victim.is_empty() || victim == b"." || victim == b".." {
            return Err(invalid("a deletion of nothing"));
        }
        let path = self.tree.directory(parent)?.join(std::ffi::OsStr::from_bytes(victim));
        self.tree.hide(&path)
    }
}

fn make_node(path: &Path, kind: FileType, major: u32, minor: u32) -> io::Result<FileType> {
    let device = rustix::fs::makedev(major, minor);
    rustix::fs::mknodat(CWD, path, kind, Mode::RUSR | Mode::WUSR, device)?;
    Ok(kind)
}

#[cfg(test)]
mod tests;
