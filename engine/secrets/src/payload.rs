//! What follows an age header: chunks of 64 KiB, numbered, the last one marked.

use ring::aead::{Aad, LessSafeKey, Nonce};

use crate::age::{cipher, derive};
use crate::error::{Result, SecretError};

const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
/// The bytes that make each file's key for its payload its own.
const SALT: usize = 16;

/// The text of a payload.
pub(crate) fn open(file_key: &[u8; 16], payload: &[u8]) -> Result<Vec<u8>> {
    let (salt, sealed) = payload.split_at_checked(SALT).ok_or(SecretError::Age("it ends early"))?;
    let key = cipher(&derive(salt, file_key, b"payload"));
    let count = sealed.len().div_ceil(CHUNK + TAG).max(1);
    let mut text = Vec::with_capacity(sealed.len());
    for number in 0..count {
        let start = number * (CHUNK + TAG);
        let mut chunk = sealed[start..sealed.len().min(start + CHUNK + TAG)].to_vec();
        let opened = key.open_in_place(nonce(number, number + 1 == count), Aad::empty(), &mut chunk);
        let opened = opened.map_err(|_| SecretError::Age("its text was changed or cut"))?;
        if opened.is_empty() && number > 0 {
            return Err(SecretError::Age("its last part is empty"));
        }
        text.extend_from_slice(opened);
    }
    Ok(text)
}

/// A payload of a text.
pub(crate) fn seal(file_key: &[u8; 16], text: &[u8], salt: [u8; SALT]) -> Result<Vec<u8>> {
    let key: LessSafeKey = cipher(&derive(&salt, file_key, b"payload"));
    let count = text.len().div_ceil(CHUNK).max(1);
    let mut payload = salt.to_vec();
    for number in 0..count {
        let mut chunk = text[number * CHUNK..text.len().min((number + 1) * CHUNK)].to_vec();
        let sealed = key.seal_in_place_append_tag(nonce(number, number + 1 == count), Aad::empty(), &mut chunk);
        sealed.map_err(|_| SecretError::Age("it cannot be sealed"))?;
        payload.extend(chunk);
    }
    Ok(payload)
}

/// The number of a chunk in eleven bytes, and whether it is the last.
fn nonce(number: usize, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3..11].copy_from_slice(&(number as u64).to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}
