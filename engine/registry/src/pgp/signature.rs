//! Signatures: what they cover, who made them and when.

use super::key::PublicKey;
use super::packet::Reader;
use super::{Hash, Problem};

const CREATED: u8 = 2;
const EXPIRES: u8 = 3;
const KEY_EXPIRES: u8 = 9;
const ISSUER: u8 = 16;
const KEY_FLAGS: u8 = 27;
const EMBEDDED: u8 = 32;
const ISSUER_FINGERPRINT: u8 = 33;
/// The kind of signature by which a subkey says whose it is.
pub(super) const BACK: u8 = 0x19;
/// What we understand; others may be skipped unless they are critical.
const KNOWN: [u8; 17] = [2, 3, 4, 5, 7, 9, 11, 16, 20, 21, 22, 23, 25, 27, 30, 32, 33];

/// A signature packet, version 4.
#[derive(Debug, Clone)]
pub(crate) struct Signature<'a> {
    pub(super) kind: u8,
    algorithm: u8,
    hash: Hash,
    /// The part of the packet that the hash covers.
    covered: &'a [u8],
    hashed: Vec<(u8, &'a [u8])>,
    unhashed: Vec<(u8, &'a [u8])>,
    numbers: &'a [u8],
}

impl<'a> Signature<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Problem> {
        let mut reader = Reader { rest: body };
        let version = reader.byte()?;
        if version != 4 {
            return Err(format!("a signature of version {version} is not supported"));
        }
        let (kind, algorithm) = (reader.byte()?, reader.byte()?);
        let hash = Hash::of_number(reader.byte()?)?;
        let length = usize::from(reader.number16()?);
        let hashed = subpackets(reader.take(length)?)?;
        let covered = &body[..body.len() - reader.rest.len()];
        let length = usize::from(reader.number16()?);
        let unhashed = subpackets(reader.take(length)?)?;
        reader.take(2)?; // the first bytes of the hash, a hint that proves nothing
        Ok(Self { kind, algorithm, hash, covered, hashed, unhashed, numbers: reader.rest })
    }

    /// Whether this is `key`'s signature of `text`.
    pub(super) fn verify(&self, key: &PublicKey, text: &[u8]) -> Result<(), Problem> {
        if self.algorithm != key.algorithm && !(matches!(self.algorithm, 1 | 3) && matches!(key.algorithm, 1 | 3)) {
            return Err("the signature is of another kind than its key".to_owned());
        }
        key.verify(self.hash, &hashed(text, self.covered), self.numbers)
    }

    /// The id of the key that made it, if it says so.
    pub(super) fn issuer(&self) -> Option<&'a [u8]> {
        let all = || self.hashed.iter().chain(&self.unhashed);
        let by_print =
            all().find(|(kind, body)| *kind == ISSUER_FINGERPRINT && body.len() == 21).map(|(_, body)| &body[13..]);
        by_print.or_else(|| all().find(|(kind, body)| *kind == ISSUER && body.len() == 8).map(|(_, body)| *body))
    }

    /// When it was made.
    pub(super) fn created(&self) -> u64 {
        self.seconds(CREATED).unwrap_or(0)
    }

    /// For how long it is good, from when it was made.
    pub(super) fn lifetime(&self) -> Option<u64> {
        self.seconds(EXPIRES).filter(|seconds| *seconds > 0)
    }

    /// For how long it says its key is good, from when the key was made.
    pub(super) fn key_lifetime(&self) -> Option<u64> {
        self.seconds(KEY_EXPIRES).filter(|seconds| *seconds > 0)
    }

    /// What its key may be used for, if it says.
    pub(super) fn flags(&self) -> Option<u8> {
        let (_, body) = self.hashed.iter().find(|(kind, _)| *kind == KEY_FLAGS)?;
        body.first().copied()
    }

    /// The signatures inside this one.
    pub(super) fn embedded(&self) -> Vec<Signature<'a>> {
        let all = self.hashed.iter().chain(&self.unhashed);
        all.filter(|(kind, _)| *kind == EMBEDDED).filter_map(|(_, body)| Self::read(body).ok()).collect()
    }

    fn seconds(&self, wanted: u8) -> Option<u64> {
        let body = self.hashed.iter().find(|(kind, _)| *kind == wanted)?.1;
        Some(u64::from(u32::from_be_bytes(body.try_into().ok()?)))
    }
}

/// What the hash of a signature runs over.
pub(super) fn hashed(text: &[u8], covered: &[u8]) -> Vec<u8> {
    let length = u32::try_from(covered.len()).unwrap_or(u32::MAX);
    [text, covered, &[4, 0xFF], &length.to_be_bytes()].concat()
}

fn subpackets(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>, Problem> {
    let mut reader = Reader { rest: bytes };
    let mut found = Vec::new();
    while !reader.rest.is_empty() {
        let length = reader.subpacket_length()?;
        let mut inner = Reader { rest: reader.take(length)? };
        let kind = inner.byte()?;
        if kind & 0x80 != 0 && !KNOWN.contains(&(kind & 0x7F)) {
            return Err(format!("it has a critical part (number {}) that is not supported", kind & 0x7F));
        }
        found.push((kind & 0x7F, inner.rest));
    }
    Ok(found)
}

/// The covered part of a new signature of text.
pub(super) fn cover(key: &PublicKey, created: u64) -> Vec<u8> {
    let created = u32::try_from(created).unwrap_or(u32::MAX);
    let hashed = [&[5, CREATED][..], &created.to_be_bytes(), &[22, ISSUER_FINGERPRINT, 4], &key.fingerprint()].concat();
    let length = u16::try_from(hashed.len()).unwrap_or(u16::MAX);
    [&[4, 1, key.algorithm, 10][..], &length.to_be_bytes(), &hashed].concat()
}

/// What follows the covered part.
pub(super) fn uncovered(key: &PublicKey) -> Vec<u8> {
    let unhashed = [&[9, ISSUER][..], &key.id()].concat();
    let length = u16::try_from(unhashed.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], &unhashed].concat()
}
