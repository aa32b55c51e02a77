//! Snapshots: every key as of a revision, so that the log before it can go.

use std::{fs, io, io::Write, path::Path};

use super::{
    dir,
    frame::{self, BadFrame, Content, FileHeader, HeaderError, Record},
};
use crate::{KeyValue, OpenError, mvcc::Mvcc};

/// Payload bytes after which a frame ends.
const FRAME_BYTES: usize = 1 << 20;

/// Writes `state`, which is the store as of `revision`, and removes the files it replaces.
pub(super) fn write(dir: &Path, revision: i64, state: &[KeyValue]) -> io::Result<()> {
    let header = FileHeader::new(Content::Snapshot, revision);
    dir::create(dir, &header, |file| {
        let mut buffer = Vec::new();
        frame::begin_frame(&mut buffer);
        for kv in state {
            Record::from(kv).encode(&mut buffer);
            if buffer.len() > FRAME_BYTES {
                frame::finish_frame(&mut buffer, 0, revision, header.salt);
                file.write_all(&buffer)?;
                buffer.clear();
                frame::begin_frame(&mut buffer);
            }
        }
        Record::End { entries: state.len() as u64 }.encode(&mut buffer);
        frame::finish_frame(&mut buffer, 0, revision, header.salt);
        file.write_all(&buffer)
    })?;
    remove_replaced(dir, revision)
}

/// Removes logs and snapshots that the snapshot at `revision` replaces.
pub(super) fn remove_replaced(dir: &Path, revision: i64) -> io::Result<()> {
    let listing = dir::list(dir)?;
    for (_, path) in listing.snapshots.iter().filter(|(at, _)| *at < revision) {
        fs::remove_file(path)?;
    }
    for pair in listing.logs.windows(2) {
        let [(_, path), (next_first, _)] = pair else {
            continue;
        };
        if *next_first <= revision + 1 {
            fs::remove_file(path)?;
        }
    }
    dir::sync(dir)
}

/// Reads the snapshot at `path`. Unlike the log it is never legitimately torn.
pub(super) fn read(path: &Path, revision: i64) -> Result<Mvcc, OpenError> {
    let bytes = fs::read(path).map_err(OpenError::io(path))?;
    let damaged = |offset: usize, detail| OpenError::Damaged { path: path.to_owned(), offset: offset as u64, detail };
    let header = decode_header(path, &bytes, Content::Snapshot, revision)?;
    let mut mvcc = Mvcc::at(revision);
    let (mut offset, mut count) = (frame::FILE_HEADER, 0);
    loop {
        let frame = frame::read_frame(&bytes, offset, header.salt).map_err(|bad| {
            let detail = match bad {
                BadFrame::Header | BadFrame::Short => "the snapshot is cut short or overwritten",
                BadFrame::Payload(_) => "the checksum of a record is wrong",
            };
            damaged(offset, detail)
        })?;
        for record in frame::records(frame.payload) {
            match record {
                Some(Record::Entry { create_revision, mod_revision, version, key, value }) => {
                    count += 1;
                    mvcc.restore(KeyValue {
                        key: frame::owned(key),
                        value: frame::owned(value),
                        create_revision,
                        mod_revision,
                        version,
                    });
                }
                Some(Record::End { entries }) if entries == count => return Ok(mvcc),
                _ => return Err(damaged(offset, "a record makes no sense in a snapshot")),
            }
        }
        offset = frame.end;
    }
}

/// Decodes the header of a file that its name says is `content` at `revision`.
pub(super) fn decode_header(
    path: &Path,
    bytes: &[u8],
    content: Content,
    revision: i64,
) -> Result<FileHeader, OpenError> {
    let path = || path.to_owned();
    match FileHeader::decode(bytes, content) {
        Ok(header) if header.revision == revision => Ok(header),
        Ok(_) => Err(OpenError::Damaged {
            path: path(),
            offset: 16,
            detail: "the file was renamed: its header names another revision",
        }),
        Err(HeaderError::Newer(found)) => {
            Err(OpenError::NewerFormat { path: path(), found, supported: frame::FORMAT_VERSION })
        }
        Err(HeaderError::Damaged(detail)) => Err(OpenError::Damaged { path: path(), offset: 0, detail }),
    }
}
