//! Opening a directory: the newest snapshot, the log after it, and the torn end of a crash.
//!
//! Nothing is changed before everything was read and found good, so a refusal leaves the files as
//! they were.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{
    dir,
    frame::{self, BadFrame, Content, Record},
    log::{Log, Segment},
    snapshot,
};
use crate::{
    OpenError,
    mvcc::{FIRST_REVISION, Mvcc},
};

/// Reads the directory; answers the state and the log to go on with.
pub(super) fn recover(dir: &Path) -> Result<(Mvcc, Log), OpenError> {
    let listing = dir::list(dir).map_err(OpenError::io(dir))?;
    let snapshot = listing.snapshots.last();
    let mut mvcc = match snapshot {
        Some((revision, path)) => snapshot::read(path, *revision)?,
        None => Mvcc::at(FIRST_REVISION),
    };
    if let (Some((_, path)), true) = (snapshot, listing.logs.is_empty()) {
        let detail = "the log that goes with the snapshot is not there";
        return Err(OpenError::Damaged { path: path.clone(), offset: 0, detail });
    }
    let logs = needed(&listing.logs, mvcc.revision());
    let mut segments = Vec::new();
    let mut torn = None;
    let mut salt = 0;
    for (index, (first_revision, path)) in logs.iter().enumerate() {
        let replayed = replay(path, *first_revision, index + 1 == logs.len(), &mut mvcc)?;
        salt = replayed.salt;
        torn = replayed.torn.then_some(replayed.bytes);
        segments.push(Segment { path: path.clone(), first_revision: *first_revision, bytes: replayed.bytes });
    }
    clean(dir, &listing, snapshot.map(|(revision, _)| *revision))?;
    let Some(active) = segments.pop() else {
        let log = Log::create(dir, Vec::new(), mvcc.revision() + 1).map_err(OpenError::io(dir))?;
        return Ok((mvcc, log));
    };
    if let Some(bytes) = torn {
        cut(&active.path, bytes)?;
    }
    let path = active.path.clone();
    let log = Log::resume(dir, segments, active, salt).map_err(OpenError::io(path))?;
    Ok((mvcc, log))
}

/// The log files that hold something after `revision`, and the last one in any case.
fn needed(logs: &[(i64, PathBuf)], revision: i64) -> &[(i64, PathBuf)] {
    let first_useful = logs.iter().rposition(|(first, _)| *first <= revision + 1);
    &logs[first_useful.unwrap_or(0)..]
}

/// What one log file turned out to be.
struct Replayed {
    salt: u32,
    /// Good bytes in it.
    bytes: u64,
    /// Whether bytes behind them have to be cut.
    torn: bool,
}

/// Applies the log file at `path` to `mvcc`, which may hold its first revisions already.
fn replay(path: &Path, first_revision: i64, is_last: bool, mvcc: &mut Mvcc) -> Result<Replayed, OpenError> {
    let bytes = fs::read(path).map_err(OpenError::io(path))?;
    let header = snapshot::decode_header(path, &bytes, Content::Log, first_revision)?;
    if first_revision > mvcc.revision() + 1 {
        return Err(OpenError::Missing { path: path.to_owned(), first: mvcc.revision() + 1, last: first_revision - 1 });
    }
    let damaged = |offset: usize, detail| OpenError::Damaged { path: path.to_owned(), offset: offset as u64, detail };
    let mut offset = frame::FILE_HEADER;
    let mut next_revision = first_revision;
    while offset < bytes.len() {
        let frame = match frame::read_frame(&bytes, offset, header.salt) {
            Ok(frame) => frame,
            Err(bad) if is_last && is_torn_end(&bytes, offset, header.salt, &bad) => {
                tracing::warn!(
                    path = %path.display(), offset, lost = bytes.len() - offset,
                    "cutting the end of the log, torn by a crash before it was acknowledged"
                );
                return Ok(Replayed { salt: header.salt, bytes: offset as u64, torn: true });
            }
            Err(bad) => return Err(damaged(offset, describe(&bad))),
        };
        if frame.first_revision != next_revision {
            return Err(damaged(offset, "a record is out of order"));
        }
        let applied = apply(frame.payload, next_revision, mvcc);
        next_revision = applied.ok_or_else(|| damaged(offset, "a record makes no sense here"))?;
        offset = frame.end;
    }
    Ok(Replayed { salt: header.salt, bytes: offset as u64, torn: false })
}

/// Applies a frame whose first change makes `revision`; answers the revision after its last.
fn apply(payload: &[u8], mut revision: i64, mvcc: &mut Mvcc) -> Option<i64> {
    for record in frame::records(payload) {
        let (key, value) = match record? {
            Record::Put { key, value } => (key, Some(frame::owned(value))),
            Record::Delete { key } => (key, None),
            Record::Compact { revision } => {
                mvcc.compact(revision).ok()?;
                continue;
            }
            Record::Entry { .. } | Record::End { .. } => return None,
        };
        if revision > mvcc.revision() {
            mvcc.apply(frame::owned(key), value);
        }
        revision += 1;
    }
    Some(revision)
}

/// Whether the bad frame at `offset` can be the write that a crash interrupted: nothing was ever
/// written behind it.
fn is_torn_end(bytes: &[u8], offset: usize, salt: u32, bad: &BadFrame) -> bool {
    match bad {
        // File systems may grow a file before its data arrives; that reads as zeros.
        BadFrame::Payload(end) => bytes[*end..].iter().all(|&byte| byte == 0),
        BadFrame::Header | BadFrame::Short => !frame::frame_follows(bytes, offset, salt),
    }
}

fn describe(bad: &BadFrame) -> &'static str {
    match bad {
        BadFrame::Header => "the header of a record is wrong",
        BadFrame::Short => "a record is cut short",
        BadFrame::Payload(_) => "the checksum of a record is wrong",
    }
}

fn cut(path: &Path, bytes: u64) -> Result<(), OpenError> {
    let file = File::options().write(true).open(path).map_err(OpenError::io(path))?;
    file.set_len(bytes).and_then(|()| file.sync_all()).map_err(OpenError::io(path))
}

/// Removes what a crash left: unfinished files, and files that the newest snapshot replaces.
fn clean(dir: &Path, listing: &dir::Listing, snapshot: Option<i64>) -> Result<(), OpenError> {
    for path in &listing.unfinished {
        fs::remove_file(path).map_err(OpenError::io(path))?;
    }
    if let Some(revision) = snapshot {
        snapshot::remove_replaced(dir, revision).map_err(OpenError::io(dir))?;
    }
    Ok(())
}
