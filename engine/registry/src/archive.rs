//! A chart's archive whose digest was checked, in memory or on the disk.
//!
//! Large archives are not read into memory to be copied from one place to another: an archive that came by the cache
//! is a file held open, and where it is saved on the same file system it gets a second name instead of a copy.

use std::fs::{self, File, FileTimes};
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD};

use crate::{Error, oci};

/// Bytes whose digest was checked.
#[derive(Debug)]
pub struct Archive {
    held: Held,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File { file: File, size: u64 },
}

impl From<Vec<u8>> for Archive {
    fn from(bytes: Vec<u8>) -> Self {
        Self { held: Held::Memory(bytes) }
    }
}

impl Archive {
    /// One of a file that nobody writes to any more.
    pub(crate) fn of_file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { held: Held::File { file, size } })
    }

    /// Its length.
    pub fn size(&self) -> u64 {
        match &self.held {
            Held::Memory(bytes) => bytes.len() as u64,
            Held::File { size, .. } => *size,
        }
    }

    /// All of it.
    pub fn into_bytes(self) -> Result<Vec<u8>, Error> {
        match self.held {
            Held::Memory(bytes) => Ok(bytes),
            Held::File { .. } => self.bytes(),
        }
    }

    /// A copy of all of it.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.size()).unwrap_or_default());
        self.read(|reader| reader.read_to_end(&mut bytes)).map_err(oci::Error::file("read", "a chart's archive"))?;
        Ok(bytes)
    }

    /// Reads it from its beginning.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut dyn io::BufRead) -> T) -> T {
        match &self.held {
            Held::Memory(bytes) => read(&mut &bytes[..]),
            Held::File { file, .. } => {
                let mut file = file;
                // A file that cannot be rewound cannot be read either, and that is reported.
                let _ = file.seek(SeekFrom::Start(0));
                read(&mut BufReader::new(file))
            }
        }
    }

    /// Writes it to a file, whole or not at all. What is at `path` is replaced, a link too.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(oci::Error::file("make", folder))?;
        let failed = || oci::Error::file("write", path);
        if let Held::File { file, .. } = &self.held
            && share(file, folder, path).map_err(failed())?
        {
            return Ok(());
        }
        let new = tempfile::Builder::new().prefix(".kpkg-").tempfile_in(folder).map_err(failed())?;
        match &self.held {
            Held::Memory(bytes) => io::Write::write_all(&mut new.as_file(), bytes).map_err(failed())?,
            Held::File { file, .. } => {
                let (mut from, mut to) = (file, new.as_file());
                from.seek(SeekFrom::Start(0)).and_then(|_| io::copy(&mut from, &mut to)).map_err(failed())?;
            }
        }
        new.as_file().set_permissions(fs::Permissions::from_mode(0o644)).map_err(failed())?;
        new.persist(path).map_err(|error| failed()(error.error))?;
        Ok(())
    }
}

/// Gives a file of the cache a second name, if that is possible and it has only the one: no two files of the user's
/// are ever one. If the user's is written to, the cache finds its blob damaged and fetches it again.
fn share(file: &File, folder: &Path, path: &Path) -> io::Result<bool> {
    let found = file.metadata()?;
    let there = fs::symlink_metadata(path).ok();
    let is_there = there.is_some_and(|there| (there.dev(), there.ino()) == (found.dev(), found.ino()));
    if !is_there && found.nlink() != 1 {
        return Ok(false);
    }
    // As if it had been written now, with the rights of any new archive.
    let fresh = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
    if fresh.and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o644))).is_err() {
        return Ok(false);
    }
    if is_there {
        return Ok(true);
    }
    // By the descriptor: whatever happened to the name in the cache, this is what was checked.
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |new: &Path| Ok(rustix::fs::linkat(CWD, &own, CWD, new, AtFlags::SYMLINK_FOLLOW)?);
    match tempfile::Builder::new().prefix(".kpkg-").make_in(folder, link) {
        Ok(new) => new.persist(path).map(|()| true).map_err(|error| error.error),
        Err(_) => Ok(false), // another file system, or one without links
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;

    #[test]
    fn an_archive_is_saved_once_and_shared_with_one_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("cache"));
        let digest = cache.put(b"archive").unwrap();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let (one, other) = (dir.path().join("one/a.tgz"), dir.path().join("other/a.tgz"));
        std::os::unix::fs::symlink("/nowhere", dir.path().join("link")).unwrap();
        for path in [&one, &one, &other, &dir.path().join("link")] {
            cache.open(&digest).unwrap().save(path).unwrap();
            assert_eq!(fs::read(path).unwrap(), b"archive");
            assert_eq!(fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777, 0o644);
        }
        assert_ne!(inode(&one), inode(&other));
        let names: Vec<_> = fs::read_dir(one.parent().unwrap()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, ["a.tgz"]);
        // What the user does with his file is found out, and the other one is his alone.
        fs::write(&one, "edited").unwrap();
        assert!(cache.open(&digest).is_none());
        assert_eq!(fs::read(&other).unwrap(), b"archive");
    }

    #[test]
    fn a_pruned_archive_is_saved_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("cache"));
        let archive = cache.open(&cache.put(b"archive").unwrap()).unwrap();
        cache.prune(std::time::Duration::ZERO, 0).unwrap();
        archive.save(&dir.path().join("a.tgz")).unwrap();
        assert_eq!(fs::read(dir.path().join("a.tgz")).unwrap(), b"archive");
        assert_eq!(archive.into_bytes().unwrap(), b"archive");
    }
}
