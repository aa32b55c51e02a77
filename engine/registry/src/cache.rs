//! What was fetched, kept by its digest.
//!
//! Several processes may use a cache at a time, and any of them may be killed: a blob is written under a
//! temporary name, which its writer holds locked, and appears by rename once its digest is known. Whoever reads
//! checks the digest again, so that damage on the disk is found and the blob fetched anew. Pruning takes blobs by
//! age and temporary files that nobody holds. A blob may have a second name in a folder of the user's (see
//! [`Archive::save`]), so a blob is never written to, and the time of its last use is its access time.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::archive::Archive;
use crate::oci::digest_of;
use crate::{Error, oci};

/// The size to which a cache is cut back by itself.
const DEFAULT_LIMIT: u64 = 2 << 30;
const TEMPORARY: &str = "incoming";
const BUFFER: usize = 256 << 10;

/// A folder of blobs.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    limit: u64,
}

/// A blob in a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `sha256:...`.
    pub digest: String,
    /// Its length.
    pub size: u64,
    /// When it was last asked for.
    pub used: SystemTime,
}

/// What pruning took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many files.
    pub files: usize,
    /// How many bytes.
    pub bytes: u64,
}

impl Cache {
    /// A cache in this folder, which need not exist yet.
    pub fn at(root: PathBuf) -> Self {
        Self { root, limit: DEFAULT_LIMIT }
    }

    /// The same with another limit.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    fn path(&self, digest: &str) -> Option<PathBuf> {
        let hex = oci::checked_digest(digest).ok()?;
        Some(self.blobs().join(hex.strip_prefix("sha256:")?))
    }

    /// A blob, if it is here whole. Damaged ones are thrown away.
    pub fn get(&self, digest: &str) -> Option<Vec<u8>> {
        self.open(digest)?.into_bytes().ok()
    }

    /// The same without reading it into memory.
    pub fn open(&self, digest: &str) -> Option<Archive> {
        let path = self.path(digest)?;
        let mut file = File::open(&path).ok()?;
        if digest_of_file(&mut file).ok()? != digest {
            tracing::warn!(digest, "a damaged blob leaves the cache");
            let _ = fs::remove_file(&path);
            return None;
        }
        let _ = file.set_times(FileTimes::new().set_accessed(now())); // a cache of somebody else is of use all the same
        Archive::of_file(file).ok()
    }

    /// Keeps a blob; answers its digest.
    pub fn put(&self, bytes: &[u8]) -> Result<String, Error> {
        let digest = digest_of(bytes);
        self.put_checked(&digest, bytes)?;
        Ok(digest)
    }

    /// The same for bytes whose digest was checked already.
    pub(crate) fn put_checked(&self, digest: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(digest).ok_or_else(|| oci::Error::NotFound { what: digest.to_owned() })?;
        let whole = fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64);
        if !whole {
            self.write(&path, bytes)?;
            self.bound()?;
        }
        Ok(())
    }

    /// Writes a file of the cache whole or not at all.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut incoming = self.incoming()?;
        incoming.write_all(bytes).map_err(oci::Error::file("write", incoming.0.path()))?;
        self.place(incoming, path)?;
        Ok(())
    }

    /// A blob in the making. It is locked while it is written, so that pruning leaves it alone.
    pub(crate) fn incoming(&self) -> Result<Incoming, Error> {
        let folder = self.root.join(TEMPORARY);
        fs::create_dir_all(&folder).map_err(oci::Error::file("make", &folder))?;
        let file = NamedTempFile::new_in(&folder).map_err(oci::Error::file("write into", &folder))?;
        file.as_file().try_lock().map_err(|error| oci::Error::file("lock", file.path())(error.into()))?;
        Ok(Incoming(file))
    }

    /// Keeps a blob whose digest was checked while it was written.
    pub(crate) fn keep(&self, incoming: Incoming, digest: &str) -> Result<Archive, Error> {
        let path = self.path(digest).ok_or_else(|| oci::Error::NotFound { what: digest.to_owned() })?;
        let file = self.place(incoming, &path)?;
        let archive = Archive::of_file(file).map_err(oci::Error::file("read", &path))?;
        if let Err(error) = self.bound() {
            crate::chart::unused(&error);
        }
        Ok(archive)
    }

    fn place(&self, incoming: Incoming, path: &Path) -> Result<File, Error> {
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(oci::Error::file("make", folder))?;
        Ok(incoming.0.persist(path).map_err(|error| oci::Error::file("write", path)(error.error))?)
    }

    /// All blobs, those unused for longest first.
    pub fn list(&self) -> Result<Vec<Entry>, Error> {
        let folder = self.blobs();
        let mut found = Vec::new();
        for (name, metadata) in files(&folder).map_err(oci::Error::file("list", &folder))? {
            let used = metadata.accessed().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push(Entry { digest: format!("sha256:{name}"), size: metadata.len(), used });
        }
        found.sort_by(|one, other| (one.used, &one.digest).cmp(&(other.used, &other.digest)));
        Ok(found)
    }

    /// Takes blobs that were not asked for in `unused`, then the oldest until `size` bytes are left, and what
    /// killed processes left behind.
    pub fn prune(&self, unused: Duration, size: u64) -> Result<Pruned, Error> {
        let mut pruned = self.sweep()?;
        let entries = self.list()?;
        let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
        let now = now();
        for entry in entries {
            let age = now.duration_since(entry.used).unwrap_or_default();
            if age < unused && total <= size {
                continue;
            }
            total = total.saturating_sub(entry.size);
            if let Some(path) = self.path(&entry.digest) {
                remove(&path, entry.size, &mut pruned)?;
            }
        }
        Ok(pruned)
    }

    /// Takes temporary files whose writers are gone.
    fn sweep(&self) -> Result<Pruned, Error> {
        let folder = self.root.join(TEMPORARY);
        let mut pruned = Pruned::default();
        for (name, metadata) in files(&folder).map_err(oci::Error::file("list", &folder))? {
            let path = folder.join(name);
            // A writer locks its file right after making it; a moment's grace covers the gap.
            let young = metadata.modified().ok().and_then(|at| now().duration_since(at).ok()).unwrap_or_default();
            let abandoned = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            if abandoned && young > Duration::from_secs(5) {
                remove(&path, metadata.len(), &mut pruned)?;
            }
        }
        Ok(pruned)
    }

    fn bound(&self) -> Result<(), Error> {
        let total: u64 = self.list()?.iter().map(|entry| entry.size).sum();
        if total > self.limit {
            self.prune(Duration::MAX, self.limit / 4 * 3)?;
        }
        Ok(())
    }
}

/// A blob in the making; gone when dropped.
#[derive(Debug)]
pub(crate) struct Incoming(NamedTempFile);

impl Incoming {
    /// What came so far, for those who check it before it is kept.
    pub(crate) fn archive(&self) -> io::Result<Archive> {
        Archive::of_file(self.0.as_file().try_clone()?)
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn digest_of_file(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(BUFFER);
    let mut buffer = vec![0; length.clamp(1, BUFFER)];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("sha256:{}", oci::hex(&hash.finalize()))),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn remove(path: &Path, size: u64, pruned: &mut Pruned) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => {
            pruned.files += 1;
            pruned.bytes += size;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()), // another process was quicker
        Err(error) => Err(oci::Error::file("remove", path)(error).into()),
    }
}

/// The files of a folder; none if there is no folder. What goes away meanwhile is left out.
fn files(folder: &Path) -> io::Result<Vec<(String, fs::Metadata)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let (Ok(metadata), Ok(name)) = (entry.metadata(), entry.file_name().into_string())
            && metadata.is_file()
        {
            found.push((name, metadata));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_come_back_and_damaged_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("c"));
        let digest = cache.put(b"one").unwrap();
        assert_eq!(cache.get(&digest).as_deref(), Some(&b"one"[..]));
        fs::write(cache.path(&digest).unwrap(), "tampered").unwrap();
        assert_eq!(cache.get(&digest), None);
        assert_eq!(cache.get("sha256:../../etc/passwd"), None);
        assert_eq!(fs::read_dir(dir.path().join("c").join(TEMPORARY)).unwrap().count(), 0);
    }

    #[test]
    fn the_longest_unused_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned());
        let digests: Vec<String> = (0..4_u64)
            .map(|number| {
                let digest = cache.put(&[u8::try_from(number).unwrap(); 100]).unwrap();
                let file = File::options().append(true).open(cache.path(&digest).unwrap()).unwrap();
                let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + number);
                file.set_times(FileTimes::new().set_accessed(used)).unwrap();
                digest
            })
            .collect();
        cache.get(&digests[0]).unwrap();
        assert_eq!(cache.prune(Duration::MAX, 200).unwrap(), Pruned { files: 2, bytes: 200 });
        let left: Vec<String> = cache.list().unwrap().into_iter().map(|entry| entry.digest).collect();
        assert_eq!(left, [digests[3].clone(), digests[0].clone()]);
        assert_eq!(cache.prune(Duration::ZERO, u64::MAX).unwrap().files, 2);
    }

    #[test]
    fn a_cache_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned()).with_limit(1000);
        for number in 0..40_u8 {
            cache.put(&[number; 100]).unwrap();
        }
        let total: u64 = cache.list().unwrap().iter().map(|entry| entry.size).sum();
        assert!(total <= 1000, "{total}");
    }
}
