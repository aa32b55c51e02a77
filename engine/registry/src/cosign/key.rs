//! cosign's keys: ECDSA on P-256, the private one locked by a password.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::{Aead, KeyInit};
use crypto_secretbox::{Nonce, XSalsa20Poly1305};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::Value;

use crate::{Error, oci};

/// What stands before the point in a public key: the kind of key and the curve.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The most memory that a key file may ask for.
const MAX_MEMORY: u64 = 1 << 28;

/// A key to check with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Vec<u8>,
}

/// A key to sign with.
pub struct SigningKey {
    pair: EcdsaKeyPair,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn wrong(path: &Path, problem: &str) -> Error {
    oci::Error::Document { what: path.display().to_string(), problem: problem.to_owned() }.into()
}

/// The kind and the contents of the first block of a PEM file.
fn pem(path: &Path) -> Result<(String, Vec<u8>), Error> {
    let text = std::fs::read_to_string(path).map_err(oci::Error::file("read", path))?;
    let mut lines = text.lines().map(str::trim);
    let kind = lines.find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----").map(str::to_owned));
    let kind = kind.ok_or_else(|| wrong(path, "it is not a key in PEM form"))?;
    let body: String = lines.take_while(|line| !line.starts_with("-----END ")).collect();
    let bytes = STANDARD.decode(body).map_err(|_| wrong(path, "it is not a key in PEM form"))?;
    Ok((kind, bytes))
}

impl PublicKey {
    /// Reads `cosign.pub`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let (kind, der) = pem(path)?;
        let point = der.strip_prefix(&SPKI_PREFIX).filter(|point| kind == "PUBLIC KEY" && point.len() == 65);
        let point = point.ok_or_else(|| wrong(path, "it is not a public key on the curve P-256"))?;
        Ok(Self { point: point.to_vec() })
    }

    /// The key as a file holds it.
    pub fn to_pem(&self) -> String {
        let body = STANDARD.encode([&SPKI_PREFIX[..], &self.point].concat());
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    pub(super) fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point).verify(text, signature).is_ok()
    }
}

impl SigningKey {
    /// Reads `cosign.key`, locked by a password, or a plain PKCS#8 key.
    pub fn read(path: &Path, password: &[u8]) -> Result<Self, Error> {
        let (kind, bytes) = pem(path)?;
        let der = match kind.as_str() {
            "PRIVATE KEY" => bytes,
            "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
                unlock(&bytes, password).map_err(|problem| wrong(path, problem))?
            }
            _ => return Err(wrong(path, "it is not a private key of cosign's")),
        };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &SystemRandom::new())
            .map_err(|_| wrong(path, "it is not a private key on the curve P-256"))?;
        Ok(Self { pair })
    }

    /// The key to check with.
    pub fn public(&self) -> PublicKey {
        PublicKey { point: self.pair.public_key().as_ref().to_vec() }
    }

    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.pair.sign(&SystemRandom::new(), text);
        Ok(signature.map_err(|_| oci::Error::Setting("the key cannot sign".to_owned()))?.as_ref().to_vec())
    }
}

fn unlock(document: &[u8], password: &[u8]) -> Result<Vec<u8>, &'static str> {
    let document: Value = serde_json::from_slice(document).map_err(|_| "it is not a key of cosign's")?;
    let (kdf, cipher) = (&document["kdf"], &document["cipher"]);
    if kdf["name"] != "scrypt" || cipher["name"] != "nacl/secretbox" {
        return Err("it is locked in a way that is not supported");
    }
    let binary = |value: &Value| value.as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or("it is damaged");
    let number = |key: &str| kdf["params"][key].as_u64().ok_or("it is damaged");
    let (n, r, p) = (number("N")?, number("r")?, number("p")?);
    if !n.is_power_of_two() || n.saturating_mul(r).saturating_mul(128) > MAX_MEMORY || p > 16 {
        return Err("it asks for too much memory");
    }
    let log = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let parameters = scrypt::Params::new(log, narrow(r), narrow(p)).map_err(|_| "it is damaged")?;
    let mut key = [0; 32];
    scrypt::scrypt(password, &binary(&kdf["salt"])?, &parameters, &mut key).map_err(|_| "it is damaged")?;
    let nonce = binary(&cipher["nonce"])?;
    if nonce.len() != 24 {
        return Err("it is damaged");
    }
    let secret_box = XSalsa20Poly1305::new((&key).into());
    secret_box
        .decrypt(Nonce::from_slice(&nonce), binary(&document["ciphertext"])?.as_slice())
        .map_err(|_| "the password is wrong (COSIGN_PASSWORD)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(kind: &str, bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(bytes));
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn pkcs8() -> Vec<u8> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        document.as_ref().to_vec()
    }

    #[test]
    fn what_a_key_signs_its_public_part_accepts() {
        let key = SigningKey::read(file("PRIVATE KEY", &pkcs8()).path(), b"").unwrap();
        let written = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(written.path(), key.public().to_pem()).unwrap();
        let public = PublicKey::read(written.path()).unwrap();
        let signature = key.sign(b"text").unwrap();
        assert!(public.verify(b"text", &signature));
        assert!(!public.verify(b"other", &signature));
    }

    #[test]
    fn locked_keys_open_with_their_password_only() {
        let (salt, nonce, mut secret) = ([7; 32], [9; 24], [0; 32]);
        scrypt::scrypt(b"pass", &salt, &scrypt::Params::new(10, 8, 1).unwrap(), &mut secret).unwrap();
        let sealed = XSalsa20Poly1305::new((&secret).into()).encrypt(Nonce::from_slice(&nonce), &pkcs8()[..]).unwrap();
        let document = |n: u64| {
            json!({
                "kdf": { "name": "scrypt", "params": { "N": n, "r": 8, "p": 1 }, "salt": STANDARD.encode(salt) },
                "cipher": { "name": "nacl/secretbox", "nonce": STANDARD.encode(nonce) },
                "ciphertext": STANDARD.encode(&sealed),
            })
            .to_string()
        };
        let locked = file("ENCRYPTED SIGSTORE PRIVATE KEY", document(1024).as_bytes());
        assert!(SigningKey::read(locked.path(), b"pass").is_ok());
        assert!(SigningKey::read(locked.path(), b"wrong").is_err());
        let greedy = file("ENCRYPTED SIGSTORE PRIVATE KEY", document(1 << 40).as_bytes());
        assert!(SigningKey::read(greedy.path(), b"pass").unwrap_err().to_string().contains("memory"));
    }
}
