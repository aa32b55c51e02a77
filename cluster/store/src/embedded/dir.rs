//! The files of a store's directory: their names, their birth, the lock.
//!
//! | file | what |
//! |---|---|
//! | `lock` | held (flock) by the process that has the store open |
//! | `log-<first revision>` | a part of the log |
//! | `snapshot-<revision>` | every key as of that revision |
//! | `*.tmp` | a file that was never finished, removed at the next start |

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::frame::{Content, FileHeader};
use crate::OpenError;

/// The files found in the directory, each list by rising revision.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) logs: Vec<(i64, PathBuf)>,
    pub(super) snapshots: Vec<(i64, PathBuf)>,
    pub(super) unfinished: Vec<PathBuf>,
}

/// The directory is ours while this lives.
///
/// It unlocks explicitly: a process forked meanwhile holds a copy of the file until it executes
/// its program, and closing ours alone would leave the lock with it.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the directory for this process.
pub(super) fn lock(dir: &Path) -> Result<Lock, OpenError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(OpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

/// Lists the directory.
pub(super) fn list(dir: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if path.extension().is_some_and(|extension| extension == "tmp") {
            listing.unfinished.push(path);
        } else if let Some(revision) = revision_of(name, "log-") {
            listing.logs.push((revision, path));
        } else if let Some(revision) = revision_of(name, "snapshot-") {
            listing.snapshots.push((revision, path));
        }
    }
    listing.logs.sort();
    listing.snapshots.sort();
    Ok(listing)
}

fn revision_of(name: &str, prefix: &str) -> Option<i64> {
    name.strip_prefix(prefix)?.parse().ok()
}

/// Where the file of `content` at `revision` lies.
pub(super) fn path_of(dir: &Path, content: Content, revision: i64) -> PathBuf {
    let kind = match content {
        Content::Log => "log",
        Content::Snapshot => "snapshot",
    };
    dir.join(format!("{kind}-{revision:020}"))
}

/// Makes a file that is there whole or not at all: written under another name, synced, renamed,
/// and the directory synced. Answers it open for more writes.
pub(super) fn create(
    dir: &Path,
    header: &FileHeader,
    fill: impl FnOnce(&mut io::BufWriter<&File>) -> io::Result<()>,
) -> io::Result<(PathBuf, File)> {
    let path = path_of(dir, header.content, header.revision);
    let unfinished = path.with_extension("tmp");
    let file = File::options().create(true).truncate(true).read(true).write(true).open(&unfinished)?;
    let written = (|| {
        let mut writer = io::BufWriter::with_capacity(1 << 18, &file);
        writer.write_all(&header.encode())?;
        fill(&mut writer)?;
        writer.flush()?;
        drop(writer);
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        sync(dir)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    Ok((path, file))
}

/// Makes the directory's entries durable.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
