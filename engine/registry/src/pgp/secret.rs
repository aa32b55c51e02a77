//! Secret keys: unlocked by a passphrase, used to sign.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA512, RsaKeyPair};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::{BoxedUint, RsaPrivateKey};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

use super::key::PublicKey;
use super::keyring::Owner;
use super::packet::{Reader, mpi, padded};
use super::{Hash, Problem};

const BLOCK: usize = 16;

enum Secret {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// A key that can sign.
pub(crate) struct SecretKey {
    pub(super) public: PublicKey,
    secret: Secret,
}

impl SecretKey {
    /// Unlocks the primary key of an owner.
    pub(crate) fn unlock(owner: &Owner, passphrase: Option<&[u8]>) -> Result<Self, Problem> {
        if !owner.is_secret {
            return Err("the keyring holds no secret key of that name".to_owned());
        }
        let mut reader = Reader { rest: &owner.packet };
        let public = PublicKey::read(&mut reader)?;
        let numbers = match reader.byte()? {
            0 => {
                let (numbers, sum) =
                    reader.rest.split_at_checked(reader.rest.len().saturating_sub(2)).unwrap_or_default();
                let found = numbers.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
                if found.to_be_bytes() != sum {
                    return Err("the secret key is damaged".to_owned());
                }
                numbers.to_vec()
            }
            254 => decrypt(&mut reader, passphrase.ok_or("the secret key is locked; give --passphrase-file")?)?,
            other => return Err(format!("the secret key is locked in a way (number {other}) that is not supported")),
        };
        let secret = secret(&public, &numbers)?;
        Ok(Self { public, secret })
    }

    /// The numbers of a signature over what `hashed` holds.
    pub(super) fn sign(&self, hashed: &[u8]) -> Result<Vec<u8>, Problem> {
        match &self.secret {
            Secret::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), hashed, &mut signature)
                    .map_err(|_| "the key cannot sign".to_owned())?;
                Ok(mpi(&signature))
            }
            Secret::Ed25519(key) => {
                let signature = key.sign(&Hash::Sha512.digest(hashed));
                let (point, scalar) = signature.as_ref().split_at(32);
                Ok([mpi(point), mpi(scalar)].concat())
            }
        }
    }
}

fn secret(public: &PublicKey, numbers: &[u8]) -> Result<Secret, Problem> {
    let mut reader = Reader { rest: numbers };
    let wrong = || "the secret key does not fit its public part".to_owned();
    if let Some((modulus, exponent)) = public.rsa() {
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        let (secret, one, other) = (reader.mpi()?, reader.mpi()?, reader.mpi()?);
        // OpenPGP puts the smaller prime first, everybody else the larger.
        let primes = if one.len() == other.len() && one < other { [other, one] } else { [one, other] };
        let key = RsaPrivateKey::from_components(
            number(modulus),
            number(exponent),
            number(secret),
            primes.iter().map(|prime| number(prime)).collect(),
        )
        .map_err(|_| wrong())?;
        let der = key.to_pkcs1_der().map_err(|_| wrong())?;
        let pair =
            RsaKeyPair::from_der(der.as_bytes()).map_err(|error| format!("the RSA key cannot be used: {error}"))?;
        return Ok(Secret::Rsa(Box::new(pair)));
    }
    if let Some(point) = public.ed25519() {
        let seed = padded(reader.mpi()?, 32)?;
        return Ed25519KeyPair::from_seed_and_public_key(&seed, point).map(Secret::Ed25519).map_err(|_| wrong());
    }
    Err("a key of this kind cannot sign here".to_owned())
}

/// The numbers of a locked key: AES in CFB mode, with a hash at the end.
fn decrypt(reader: &mut Reader<'_>, passphrase: &[u8]) -> Result<Vec<u8>, Problem> {
    let cipher = reader.byte()?;
    let length = match cipher {
        7 => 16,
        8 => 24,
        9 => 32,
        other => return Err(format!("the secret key is locked with a cipher (number {other}) that is not supported")),
    };
    let key = stretch(reader, passphrase, length)?;
    let mut previous = [0_u8; BLOCK];
    previous.copy_from_slice(reader.take(BLOCK)?);
    let mut plain = Vec::with_capacity(reader.rest.len());
    for chunk in reader.rest.chunks(BLOCK) {
        let mask = encrypt_block(&key, previous)?;
        plain.extend(chunk.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        if chunk.len() == BLOCK {
            previous.copy_from_slice(chunk);
        }
    }
    let (numbers, sum) = plain.split_at_checked(plain.len().saturating_sub(20)).unwrap_or_default();
    if Sha1::digest(numbers).as_slice() != sum {
        return Err("the passphrase is wrong".to_owned());
    }
    Ok(numbers.to_vec())
}

fn encrypt_block(key: &[u8], block: [u8; BLOCK]) -> Result<[u8; BLOCK], Problem> {
    let wrong = |_| "the cipher's key has a wrong length".to_owned();
    let mut block = block.into();
    match key.len() {
        16 => Aes128::new_from_slice(key).map_err(wrong)?.encrypt_block(&mut block),
        24 => Aes192::new_from_slice(key).map_err(wrong)?.encrypt_block(&mut block),
        _ => Aes256::new_from_slice(key).map_err(wrong)?.encrypt_block(&mut block),
    }
    Ok(block.into())
}

/// A passphrase becomes a key.
fn stretch(reader: &mut Reader<'_>, passphrase: &[u8], length: usize) -> Result<Vec<u8>, Problem> {
    let kind = reader.byte()?;
    let hash = reader.byte()?;
    let salt: &[u8] = match kind {
        0 => &[],
        1 | 3 => reader.take(8)?,
        101 => return Err("the keyring holds a stand-in, not the secret key itself".to_owned()),
        other => return Err(format!("the passphrase is stretched in a way (number {other}) that is not supported")),
    };
    let input = [salt, passphrase].concat();
    let count = if kind == 3 {
        let coded = u32::from(reader.byte()?);
        usize::try_from((16 + (coded & 15)) << ((coded >> 4) + 6)).unwrap_or(usize::MAX).max(input.len())
    } else {
        input.len()
    };
    let mut key = Vec::new();
    while key.len() < length {
        let zeros = vec![0; key.len() / digest_size(hash)?];
        key.extend(repeat_hash(hash, &zeros, &input, count)?);
    }
    key.truncate(length);
    Ok(key)
}

fn digest_size(hash: u8) -> Result<usize, Problem> {
    match hash {
        2 => Ok(20),
        8 => Ok(32),
        10 => Ok(64),
        other => Err(format!("the passphrase is stretched by a hash (number {other}) that is not supported")),
    }
}

fn repeat_hash(hash: u8, zeros: &[u8], input: &[u8], count: usize) -> Result<Vec<u8>, Problem> {
    fn run<D: Digest>(zeros: &[u8], input: &[u8], mut count: usize) -> Vec<u8> {
        let mut digest = D::new();
        digest.update(zeros);
        while count > 0 {
            let part = count.min(input.len());
            if part == 0 {
                break;
            }
            digest.update(&input[..part]);
            count -= part;
        }
        digest.finalize().to_vec()
    }
    digest_size(hash)?;
    Ok(match hash {
        2 => run::<Sha1>(zeros, input, count),
        8 => run::<Sha256>(zeros, input, count),
        _ => run::<Sha512>(zeros, input, count),
    })
}
