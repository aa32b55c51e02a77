//! Netlink's bytes: headers and attributes, written and read.
//!
//! Integers in headers are in the machine's order; what an attribute holds is up to its family
//! (netfilter: big-endian), so the writer has a method for each.

use std::io;

/// Bytes before a message's body.
pub(crate) const HEADER_LEN: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
const NESTED: u16 = 0x8000;
const KIND_MASK: u16 = 0x3fff;
/// An attribute's length is 16 bits wide; lists stop well before.
pub(crate) const ATTRIBUTE_MAX: usize = 60_000;

/// The part of a netlink header that callers look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
}

impl Header {
    /// Splits the first message off: its header, its body, and what follows it.
    pub(crate) fn split(bytes: &[u8]) -> Option<(Self, &[u8], &[u8])> {
        let length = u32::from_ne_bytes(array(bytes, 0)?) as usize;
        let header = Self {
            kind: u16::from_ne_bytes(array(bytes, 4)?),
            flags: u16::from_ne_bytes(array(bytes, 6)?),
            sequence: u32::from_ne_bytes(array(bytes, 8)?),
        };
        let body = bytes.get(HEADER_LEN..length)?;
        let rest = bytes.get(align(length)..).unwrap_or(&[]);
        Some((header, body, rest))
    }
}

/// The error number at the start of an error or done message, positive; 0 is success.
pub(crate) fn error_number(body: &[u8]) -> i32 {
    array(body, 0).map_or(0, |bytes| i32::from_ne_bytes(bytes).saturating_neg())
}

/// The kernel's refusal as an error, with its own words in the log when it has some.
pub(crate) fn refusal(body: &[u8], flags: u16) -> io::Error {
    const HAS_ATTRIBUTES: u16 = 0x200;
    const TEXT: u16 = 1;
    let error = io::Error::from_raw_os_error(error_number(body));
    // With capped acknowledgements the refused message's header follows, then attributes.
    if flags & HAS_ATTRIBUTES != 0 {
        let attributes = body.get(4 + HEADER_LEN..).unwrap_or(&[]);
        if let Some(text) = find(attributes, TEXT) {
            let text = String::from_utf8_lossy(text);
            tracing::debug!(%error, text = text.trim_end_matches('\0'), "the kernel refused");
        }
    }
    error
}

/// Builds datagrams of one or more messages.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Writes one message whose attributes and fixed part `body` writes.
    pub(crate) fn message(&mut self, kind: u16, flags: u16, sequence: u32, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        body(self);
        let length = u32::try_from(self.bytes.len() - start).expect("a message is below 4 GB");
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Writes a fixed part, before any attribute.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// An attribute of plain bytes.
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.attribute(kind, |w| w.bytes.extend_from_slice(value));
    }

    /// A string attribute with its closing zero.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, |w| {
            w.bytes.extend_from_slice(value.as_bytes());
            w.bytes.push(0);
        });
    }

    /// A big-endian 32-bit attribute.
    pub(crate) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// A big-endian 64-bit attribute.
    pub(crate) fn long(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// An attribute made of attributes.
    pub(crate) fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        self.attribute(kind | NESTED, body);
    }

    fn attribute(&mut self, kind: u16, value: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ATTRIBUTE_HEADER]);
        value(self);
        let length = u16::try_from(self.bytes.len() - start)
            .expect("lists are cut below ATTRIBUTE_MAX, everything else is short");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(align(self.bytes.len()), 0);
    }

    /// What was written.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The attributes in `bytes`, as (kind without flags, value).
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(array(bytes, 0)?));
        let kind = u16::from_ne_bytes(array(bytes, 2)?) & KIND_MASK;
        let value = bytes.get(ATTRIBUTE_HEADER..length)?;
        bytes = bytes.get(align(length)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// The first attribute of a kind.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(k, value)| (k == kind).then_some(value))
}

/// Follows nested attributes down to one.
pub(crate) fn find_path<'a>(bytes: &'a [u8], path: &[u16]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, &kind| find(bytes, kind))
}

/// A string attribute without its closing zero.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// A big-endian 32-bit attribute.
pub(crate) fn number(value: &[u8]) -> Option<u32> {
    array(value, 0).map(u32::from_be_bytes)
}

/// `N` bytes of `bytes` from `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::default();
        writer.message(7, 5, 42, |w| {
            w.raw(&[1, 2, 3, 4]);
            w.text(1, "ab");
            w.nest(2, |w| w.number(3, 0x0102_0304));
        });
        writer.message(8, 0, 43, |_| {});
        let bytes = writer.finish();

        let (header, body, rest) = Header::split(&bytes).unwrap();
        assert_eq!((header.kind, header.flags, header.sequence), (7, 5, 42));
        let found: Vec<_> = attributes(&body[4..]).collect();
        assert_eq!(found[0], (1, &b"ab\0"[..]));
        assert_eq!(find_path(&body[4..], &[2, 3]).and_then(number), Some(0x0102_0304));
        let (header, body, rest) = Header::split(rest).unwrap();
        assert_eq!((header.kind, body.len(), rest.len()), (8, 0, 0));
    }

    #[test]
    fn cut_off_input_ends_the_walk() {
        assert!(Header::split(&[0; 15]).is_none());
        assert!(Header::split(&[200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_none());
        assert_eq!(attributes(&[9, 0, 1, 0, 1]).count(), 0);
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0);
    }
}
