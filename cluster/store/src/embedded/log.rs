//! The log: frames appended to a file and synced, and the files before it.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    dir,
    frame::{Content, FILE_HEADER, FileHeader, finish_frame},
};
use crate::Error;

/// The log, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    /// Files before the active one, oldest first.
    closed: Vec<Segment>,
    active: Segment,
    file: File,
    salt: u32,
    /// A failed write may have left bytes behind `active.bytes`; they are cut before the next one.
    dirty: bool,
}

/// One file of the log.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first_revision: i64,
    /// Good bytes in it.
    pub(super) bytes: u64,
}

impl Log {
    /// Begins a log in an empty directory, or a new file after `closed` ones.
    pub(super) fn create(dir: &Path, closed: Vec<Segment>, first_revision: i64) -> io::Result<Self> {
        let header = FileHeader::new(Content::Log, first_revision);
        let (path, file) = dir::create(dir, &header, |_| Ok(()))?;
        let active = Segment { path, first_revision, bytes: FILE_HEADER as u64 };
        Ok(Self { dir: dir.to_owned(), closed, active, file, salt: header.salt, dirty: false })
    }

    /// Goes on with the file `active`, whose bytes beyond `active.bytes` were cut already.
    pub(super) fn resume(dir: &Path, closed: Vec<Segment>, active: Segment, salt: u32) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(&active.path)?;
        Ok(Self { dir: dir.to_owned(), closed, active, file, salt, dirty: false })
    }

    /// Appends the frame that `frame` holds, header yet to be filled in, and syncs it.
    ///
    /// After an error the frame is not part of the log.
    pub(super) fn append(&mut self, frame: &mut [u8], first_revision: i64) -> Result<(), Error> {
        finish_frame(frame, 0, first_revision, self.salt);
        self.try_append(frame).map_err(|source| Error::write(self.active.path.clone(), source))
    }

    fn try_append(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.dirty {
            self.cut()?;
        }
        self.dirty = true;
        let written = self.file.write_all_at(frame, self.active.bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What a failed write or sync left is unknown; none of it was acknowledged.
            if let Err(error) = self.cut() {
                tracing::warn!(%error, path = %self.active.path.display(), "cannot cut the log yet");
            }
            return Err(error);
        }
        self.dirty = false;
        self.active.bytes += frame.len() as u64;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.active.bytes)?;
        self.file.sync_all()?;
        self.dirty = false;
        Ok(())
    }

    /// Goes on in a new file if the active one has grown to `limit`. Failing is no harm: the active
    /// file just grows on.
    pub(super) fn rotate(&mut self, limit: u64, next_revision: i64) {
        if self.active.bytes < limit || self.active.first_revision == next_revision {
            return;
        }
        // Only the last file may have a torn end.
        if self.dirty && self.cut().is_err() {
            return;
        }
        let closed = self.closed.iter().chain([&self.active]).cloned().collect();
        match Self::create(&self.dir, closed, next_revision) {
            Ok(next) => *self = next,
            Err(error) => {
                tracing::warn!(%error, "cannot begin a new log file, the old one grows on");
            }
        }
    }

    /// Bytes in files that hold nothing after `revision`.
    pub(super) fn garbage(&self, revision: i64) -> u64 {
        self.closed[..self.needed_from(revision)].iter().map(|segment| segment.bytes).sum()
    }

    /// Stops counting files that hold nothing after `revision`: a snapshot replaces them.
    pub(super) fn forget(&mut self, revision: i64) {
        self.closed.drain(..self.needed_from(revision));
    }

    /// Index of the first closed file that holds something after `revision`.
    fn needed_from(&self, revision: i64) -> usize {
        let next = self.closed.iter().skip(1).chain([&self.active]);
        let pairs = self.closed.iter().zip(next);
        pairs.take_while(|(_, next)| next.first_revision <= revision + 1).count()
    }
}
