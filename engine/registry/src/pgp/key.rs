//! Public keys.

use ring::signature as check;
use sha1::{Digest, Sha1};

use super::packet::{Reader, padded};
use super::{Hash, Problem};

/// The name of the curve, as key packets write it.
const ED25519: [u8; 9] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];

#[derive(Debug, Clone)]
enum Numbers {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    /// A kind that cannot sign here.
    Other(u8),
}

/// A public key.
#[derive(Debug, Clone)]
pub(crate) struct PublicKey {
    pub(super) created: u64,
    numbers: Numbers,
    pub(super) algorithm: u8,
    /// The packet's body up to where a secret would begin.
    pub(super) body: Vec<u8>,
}

impl PublicKey {
    /// Reads a key; what follows is left in the reader.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let whole = reader.rest;
        let version = reader.byte()?;
        if version != 4 {
            return Err(format!("a key of version {version} is not supported"));
        }
        let created = reader.number32()? as u64;
        let algorithm = reader.byte()?;
        let numbers = match algorithm {
            1 | 3 => Numbers::Rsa { modulus: reader.mpi()?.to_vec(), exponent: reader.mpi()?.to_vec() },
            22 => {
                let length = usize::from(reader.byte()?);
                let curve = reader.take(length)?;
                let point = reader.mpi()?;
                match point.strip_prefix(&[0x40]) {
                    Some(point) if curve == ED25519 => Numbers::Ed25519(point.to_vec()),
                    _ => return Err("a key on another curve than Ed25519 is not supported".to_owned()),
                }
            }
            other => {
                reader.rest = &[];
                Numbers::Other(other)
            }
        };
        let body = whole[..whole.len() - reader.rest.len()].to_vec();
        Ok(Self { created, numbers, algorithm, body })
    }

    /// What a key is hashed as.
    pub(super) fn hashed(&self) -> Vec<u8> {
        let length = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        [&[0x99][..], &length.to_be_bytes(), &self.body].concat()
    }

    /// The key's name among all keys.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        Sha1::digest(self.hashed()).to_vec()
    }

    /// The end of the fingerprint.
    pub(super) fn id(&self) -> Vec<u8> {
        self.fingerprint().split_off(12)
    }

    /// Whether a signature of these bytes is this key's. `hashed` is everything that the hash covers.
    pub(super) fn verify(&self, hash: Hash, hashed: &[u8], numbers: &[u8]) -> Result<(), Problem> {
        let wrong = || "the signature is wrong".to_owned();
        let mut reader = Reader { rest: numbers };
        match &self.numbers {
            Numbers::Rsa { modulus, exponent } => {
                let signature = padded(reader.mpi()?, modulus.len())?;
                let scheme = match hash {
                    Hash::Sha256 => &check::RSA_PKCS1_2048_8192_SHA256,
                    Hash::Sha384 => &check::RSA_PKCS1_2048_8192_SHA384,
                    Hash::Sha512 => &check::RSA_PKCS1_2048_8192_SHA512,
                };
                let key = check::RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(scheme, hashed, &signature).map_err(|_| wrong())
            }
            Numbers::Ed25519(point) => {
                let signature = [padded(reader.mpi()?, 32)?, padded(reader.mpi()?, 32)?].concat();
                let key = check::UnparsedPublicKey::new(&check::ED25519, point);
                key.verify(&hash.digest(hashed), &signature).map_err(|_| wrong())
            }
            Numbers::Other(number) => Err(format!("its key is of a kind (number {number}) that is not supported")),
        }
    }

    pub(super) fn rsa(&self) -> Option<(&[u8], &[u8])> {
        match &self.numbers {
            Numbers::Rsa { modulus, exponent } => Some((modulus, exponent)),
            _ => None,
        }
    }

    pub(super) fn ed25519(&self) -> Option<&[u8]> {
        match &self.numbers {
            Numbers::Ed25519(point) => Some(point),
            _ => None,
        }
    }
}
