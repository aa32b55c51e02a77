//! As much of OpenPGP (RFC 4880) as provenance files need: keyrings, and text signed in the clear.
//!
//! Keys are version 4, RSA or Ed25519 (`gpg`'s past and present defaults); hashes SHA-256, SHA-384 or SHA-512.
//! Everything else is refused, never skipped: a signature that is not understood is not a signature. What a keyring
//! holds is trusted, unless a key in it is revoked or expired, or may not sign; a subkey must say itself whose it is.

mod armor;
mod clear;
mod key;
mod keyring;
mod packet;
mod secret;
mod signature;

pub(crate) use clear::{sign_text, signed_text};
pub(crate) use keyring::Keyring;
pub(crate) use secret::SecretKey;

use sha2::{Digest, Sha256, Sha384, Sha512};

/// Why something of OpenPGP was not accepted.
pub(crate) type Problem = String;

/// The hashes that signatures may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of_number(number: u8) -> Result<Self, Problem> {
        match number {
            8 => Ok(Self::Sha256),
            9 => Ok(Self::Sha384),
            10 => Ok(Self::Sha512),
            other => Err(format!("its hash (number {other}) is too weak or unknown")),
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}
