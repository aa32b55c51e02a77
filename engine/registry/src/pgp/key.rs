//! Public keys, and the rings they are kept on.

use ring::signature as check;
use sha1::{Digest, Sha1};

use super::packet::{Packet, Reader, packets, padded};
use super::signature::Signature;
use super::{Hash, Problem, armor};

const SIGNATURE: u8 = 2;
const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const USER: u8 = 13;
const PUBLIC_SUBKEY: u8 = 14;
/// The name of the curve, as key packets write it.
const ED25519: [u8; 9] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];
const REVOKES_KEY: u8 = 0x20;
const REVOKES_SUBKEY: u8 = 0x28;
const BINDS_SUBKEY: u8 = 0x18;
/// The flag of keys that may sign.
const MAY_SIGN: u8 = 0x02;

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

/// A key with whom it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(super) primary: PublicKey,
    /// The packet of the primary key, secret and all.
    pub(super) packet: Vec<u8>,
    /// Whether the packet is a secret key's.
    pub(super) is_secret: bool,
    /// `NAME <ADDRESS>`.
    pub(crate) users: Vec<String>,
    subkeys: Vec<PublicKey>,
    revoked: bool,
    expires: Option<u64>,
}

/// Keys that are trusted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    pub(crate) owners: Vec<Owner>,
}

impl Keyring {
    /// Reads a ring, binary or in text form. Keys that are not supported are left out.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let binary = ["PGP PUBLIC KEY BLOCK", "PGP PRIVATE KEY BLOCK"]
            .into_iter()
            .find(|kind| text.contains(&format!("-----BEGIN {kind}-----")))
            .map(|kind| armor::decode(text, kind))
            .transpose()?;
        let all = packets(binary.as_deref().unwrap_or(bytes))?;
        let starts: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, it)| matches!(it.tag, SECRET_KEY | PUBLIC_KEY))
            .map(|(at, _)| at)
            .collect();
        let ends = starts.iter().skip(1).copied().chain([all.len()]);
        let owners = starts.iter().zip(ends).filter_map(|(start, end)| owner(&all[*start..end]));
        Ok(Self { owners: owners.collect() })
    }

    /// The keys that may have made a signature, with their owners.
    pub(super) fn candidates(&self, signature: &Signature<'_>) -> Vec<(&Owner, &PublicKey)> {
        let pairs = self
            .owners
            .iter()
            .flat_map(|owner| std::iter::once(&owner.primary).chain(&owner.subkeys).map(move |key| (owner, key)));
        pairs.filter(|(_, key)| signature.issuer().is_none_or(|issuer| issuer == key.id())).collect()
    }
}

impl Owner {
    /// Whether the key may be trusted at a time.
    pub(super) fn check(&self, now: u64) -> Result<(), Problem> {
        if self.revoked {
            return Err("its key is revoked".to_owned());
        }
        match self.expires {
            Some(at) if at <= now => Err("its key has expired".to_owned()),
            _ => Ok(()),
        }
    }
}

/// One key with its users, subkeys, and what the key itself says of them.
fn owner(packets: &[Packet<'_>]) -> Option<Owner> {
    let first = packets.first()?;
    let primary = PublicKey::read(&mut Reader { rest: first.body }).ok()?;
    let mut owner = Owner {
        packet: first.body.to_vec(),
        is_secret: first.tag == SECRET_KEY,
        users: Vec::new(),
        subkeys: Vec::new(),
        revoked: false,
        expires: None,
        primary,
    };
    let (mut user, mut subkey): (Option<&[u8]>, Option<PublicKey>) = (None, None);
    let mut newest = 0;
    for packet in &packets[1..] {
        match packet.tag {
            USER => {
                user = Some(packet.body);
                owner.users.push(String::from_utf8_lossy(packet.body).into_owned());
            }
            PUBLIC_SUBKEY | SECRET_SUBKEY => subkey = PublicKey::read(&mut Reader { rest: packet.body }).ok(),
            SIGNATURE => {
                let Ok(signature) = Signature::read(packet.body) else { continue };
                match signature.kind {
                    // Whoever says so: a key that someone calls revoked is not trusted blindly.
                    REVOKES_KEY => owner.revoked = true,
                    REVOKES_SUBKEY => {
                        if let Some(subkey) = &subkey {
                            owner.subkeys.retain(|it| it.id() != subkey.id());
                        }
                    }
                    0x10..=0x13 => {
                        let Some(user) = user else { continue };
                        let length = u32::try_from(user.len()).unwrap_or(u32::MAX);
                        let text = [&owner.primary.hashed()[..], &[0xB4], &length.to_be_bytes(), user].concat();
                        let created = signature.created();
                        if created >= newest && signature.verify(&owner.primary, &text).is_ok() {
                            newest = created;
                            owner.expires = signature.key_lifetime().map(|seconds| owner.primary.created + seconds);
                        }
                    }
                    BINDS_SUBKEY => {
                        let Some(subkey) = &subkey else { continue };
                        let text = [owner.primary.hashed(), subkey.hashed()].concat();
                        let lives = signature.key_lifetime().is_none();
                        if lives && signature.flags() & MAY_SIGN != 0 && signature.verify(&owner.primary, &text).is_ok()
                        {
                            owner.subkeys.push(subkey.clone());
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Some(owner)
}
