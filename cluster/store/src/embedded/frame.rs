//! The bytes of a file: one header, then frames of records.
//!
//! ```text
//! file header (32)   magic 8 | format version 4 | content 4 | revision 8 | salt 4 | crc 4
//! frame header (24)  magic 4 | payload length 4 | first revision 8 | payload crc 4 | crc 4
//! payload            records, each a tag byte and its fields
//! ```
//! Numbers are little-endian. A frame is what was written and synced at once: a crash tears at most
//! the last one, and a torn frame was never acknowledged. The checksum of a frame header is seeded
//! with the file's random salt, so bytes inside a value never look like a frame of this file.

use bytes::Bytes;

use crate::KeyValue;

/// The format this program writes, and the newest it reads.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Length of a file header.
pub(super) const FILE_HEADER: usize = 32;
/// Length of a frame header.
pub(super) const FRAME_HEADER: usize = 24;
/// The most bytes of key and value in one record.
pub(super) const MAX_RECORD: usize = 32 << 20;

const FILE_MAGIC: &[u8; 8] = b"kpkgstor";
const FRAME_MAGIC: [u8; 4] = [0xf7, b'k', b'p', 0xd1];
/// No frame is longer: a batch ends at a few megabytes and one record.
const MAX_PAYLOAD: usize = MAX_RECORD + (16 << 20);

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Changes, in the order they happened.
    Log = 1,
    /// Every key as of one revision.
    Snapshot = 2,
}

/// The first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) content: Content,
    /// Of a log, the first revision in it; of a snapshot, the revision it shows.
    pub(super) revision: i64,
    pub(super) salt: u32,
}

/// Why the header of a file cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// A newer program wrote the file.
    Newer(u32),
    /// It is damaged, or no file of ours.
    Damaged(&'static str),
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A key got a value. Makes a revision.
    Put { key: &'a [u8], value: &'a [u8] },
    /// A key was deleted. Makes a revision.
    Delete { key: &'a [u8] },
    /// History up to `revision` was forgotten.
    Compact { revision: i64 },
    /// A key of a snapshot.
    Entry { create_revision: i64, mod_revision: i64, version: i64, key: &'a [u8], value: &'a [u8] },
    /// The last record of a snapshot: how many entries it has.
    End { entries: u64 },
}

/// A frame read back.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) first_revision: i64,
    pub(super) payload: &'a [u8],
    /// Offset just behind the frame.
    pub(super) end: usize,
}

/// Why there is no good frame at an offset.
#[derive(Debug)]
pub(super) enum BadFrame {
    /// Its header is incomplete or wrong: where it ends is unknown.
    Header,
    /// The header is good, but the payload is cut short.
    Short,
    /// The header is good, but not the payload, which ends at this offset.
    Payload(usize),
}

// === impl FileHeader ===

impl FileHeader {
    /// A header with a fresh salt.
    pub(super) fn new(content: Content, revision: i64) -> Self {
        use std::hash::{BuildHasher, RandomState};
        let random = RandomState::new().hash_one(revision);
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let salt = random as u32;
        Self { content, revision, salt }
    }

    pub(super) fn encode(&self) -> [u8; FILE_HEADER] {
        let mut bytes = [0; FILE_HEADER];
        bytes[..8].copy_from_slice(FILE_MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.content as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.revision.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8], content: Content) -> Result<Self, HeaderError> {
        let Some(bytes) = bytes.get(..FILE_HEADER) else {
            return Err(HeaderError::Damaged("the file header is cut short"));
        };
        if bytes[..8] != *FILE_MAGIC {
            return Err(HeaderError::Damaged("this is no file of the store"));
        }
        let version = u32_at(bytes, 8);
        let intact = crc32fast::hash(&bytes[..28]) == u32_at(bytes, 28);
        // A newer format may place its checksum elsewhere; far-off numbers are damage, not versions.
        if version > FORMAT_VERSION && (intact || version < 1000) {
            return Err(HeaderError::Newer(version));
        }
        if !intact || version == 0 {
            return Err(HeaderError::Damaged("the checksum of the file header is wrong"));
        }
        if u32_at(bytes, 12) != content as u32 {
            return Err(HeaderError::Damaged("the file holds something else than its name says"));
        }
        Ok(Self { content, revision: i64_at(bytes, 16), salt: u32_at(bytes, 24) })
    }
}

// === frames ===

/// Begins a frame at the end of `buffer`; answers where, for [`finish_frame`].
pub(super) fn begin_frame(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.resize(start + FRAME_HEADER, 0);
    start
}

/// Fills in the header of the frame that begins at `start` and ends with `buffer`.
pub(super) fn finish_frame(buffer: &mut [u8], start: usize, first_revision: i64, salt: u32) {
    let (header, payload) = buffer[start..].split_at_mut(FRAME_HEADER);
    let length = u32::try_from(payload.len()).expect("batches end long before 4 GiB");
    header[..4].copy_from_slice(&FRAME_MAGIC);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&first_revision.to_le_bytes());
    header[16..20].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let crc = header_crc(&header[..20], salt);
    header[20..24].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the frame at `offset`.
pub(super) fn read_frame(file: &[u8], offset: usize, salt: u32) -> Result<Frame<'_>, BadFrame> {
    let payload_start = offset + FRAME_HEADER;
    let header = file.get(offset..payload_start).ok_or(BadFrame::Header)?;
    let length = u32_at(header, 4) as usize;
    if header[..4] != FRAME_MAGIC || header_crc(&header[..20], salt) != u32_at(header, 20) || length > MAX_PAYLOAD {
        return Err(BadFrame::Header);
    }
    let end = payload_start + length;
    let payload = file.get(payload_start..end).ok_or(BadFrame::Short)?;
    if crc32fast::hash(payload) != u32_at(header, 16) {
        return Err(BadFrame::Payload(end));
    }
    Ok(Frame { first_revision: i64_at(header, 8), payload, end })
}

/// Whether a good frame begins anywhere after `offset`.
pub(super) fn frame_follows(file: &[u8], offset: usize, salt: u32) -> bool {
    let candidates = offset + 1..file.len().saturating_sub(FRAME_HEADER - 1);
    candidates.filter(|&at| file[at] == FRAME_MAGIC[0]).any(|at| read_frame(file, at, salt).is_ok())
}

fn header_crc(bytes: &[u8], salt: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

// === records ===

impl Record<'_> {
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        match *self {
            Self::Put { key, value } => {
                buffer.push(1);
                put_bytes(buffer, key);
                put_bytes(buffer, value);
            }
            Self::Delete { key } => {
                buffer.push(2);
                put_bytes(buffer, key);
            }
            Self::Compact { revision } => {
                buffer.push(3);
                buffer.extend_from_slice(&revision.to_le_bytes());
            }
            Self::Entry { create_revision, mod_revision, version, key, value } => {
                buffer.push(4);
                for number in [create_revision, mod_revision, version] {
                    buffer.extend_from_slice(&number.to_le_bytes());
                }
                put_bytes(buffer, key);
                put_bytes(buffer, value);
            }
            Self::End { entries } => {
                buffer.push(5);
                buffer.extend_from_slice(&entries.to_le_bytes());
            }
        }
    }
}

impl<'a> From<&'a KeyValue> for Record<'a> {
    fn from(kv: &'a KeyValue) -> Self {
        Self::Entry {
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            key: &kv.key,
            value: &kv.value,
        }
    }
}

/// Reads the records of a payload; the last item is `None` if the bytes make no record.
pub(super) fn records(payload: &[u8]) -> impl Iterator<Item = Option<Record<'_>>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let record = read_record(&mut rest);
        if record.is_none() {
            rest = &[];
        }
        Some(record)
    })
}

fn read_record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let (&tag, after) = rest.split_first()?;
    *rest = after;
    Some(match tag {
        1 => Record::Put { key: take_bytes(rest)?, value: take_bytes(rest)? },
        2 => Record::Delete { key: take_bytes(rest)? },
        3 => Record::Compact { revision: take_i64(rest)? },
        4 => Record::Entry {
            create_revision: take_i64(rest)?,
            mod_revision: take_i64(rest)?,
            version: take_i64(rest)?,
            key: take_bytes(rest)?,
            value: take_bytes(rest)?,
        },
        5 => Record::End { entries: u64::from_le_bytes(take(rest, 8)?.try_into().ok()?) },
        _ => return None,
    })
}

/// A copy that does not keep the whole file in memory.
pub(super) fn owned(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("checked against MAX_RECORD");
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn take_i64(rest: &mut &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?) as usize;
    take(rest, length)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_records_read_back() {
        let mut buffer = Vec::new();
        let start = begin_frame(&mut buffer);
        let written = [
            Record::Put { key: b"a", value: b"1" },
            Record::Delete { key: b"a" },
            Record::Compact { revision: 3 },
            Record::End { entries: 7 },
        ];
        for record in &written {
            record.encode(&mut buffer);
        }
        finish_frame(&mut buffer, start, 2, 9);
        let frame = read_frame(&buffer, 0, 9).unwrap();
        assert_eq!((frame.first_revision, frame.end), (2, buffer.len()));
        let read: Vec<_> = records(frame.payload).map(Option::unwrap).collect();
        assert_eq!(read, written);
        assert!(matches!(read_frame(&buffer, 0, 8), Err(BadFrame::Header)), "another salt");
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = FileHeader::new(Content::Log, 2).encode();
        assert!(FileHeader::decode(&bytes, Content::Log).is_ok());
        assert!(FileHeader::decode(&bytes, Content::Snapshot).is_err());
        bytes[8] = 2;
        assert_eq!(FileHeader::decode(&bytes, Content::Log), Err(HeaderError::Newer(2)));
        bytes[8] = 1;
        bytes[20] ^= 1;
        assert!(matches!(FileHeader::decode(&bytes, Content::Log), Err(HeaderError::Damaged(_))));
    }
}
