//! Helm's `.prov` files: who packed an archive, and its digest, in a signed text.
//!
//! Nothing is assumed: a file that is missing, says nothing of this archive, or is signed by nobody in the keyring is
//! an error.

use std::path::Path;

use serde_json::{Value, json};

use crate::chart::metadata_of;
use crate::oci::digest_of;
use crate::pgp::{Keyring, SecretKey, sign_text, signed_text};
use crate::{Error, oci};

const SEPARATOR: &str = "\n...\n";

/// What was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who signed: `NAME <ADDRESS>`.
    pub signed_by: Vec<String>,
    /// The key's fingerprint.
    pub fingerprint: String,
    /// The archive's digest.
    pub digest: String,
}

fn keyring(path: &Path) -> Result<Keyring, Error> {
    let bytes = std::fs::read(path).map_err(oci::Error::file("read", path))?;
    let wrong = |problem| oci::Error::Document { what: path.display().to_string(), problem };
    let ring = Keyring::parse(&bytes).map_err(wrong)?;
    if ring.owners.is_empty() {
        return Err(wrong("it holds no key that is supported (RSA and Ed25519 are)".to_owned()).into());
    }
    Ok(ring)
}

/// Checks an archive, called `file_name`, against its provenance file.
pub fn verify(archive: &[u8], file_name: &str, provenance: &[u8], ring: &Path, now: u64) -> Result<Verified, Error> {
    let distrust = |problem: String| Error::Signature { what: file_name.to_owned(), problem };
    let text = std::str::from_utf8(provenance).map_err(|_| distrust("its provenance file is not a text".to_owned()))?;
    let signed = signed_text(text, &keyring(ring)?, now).map_err(distrust)?;
    let parts: Vec<&str> = signed.text.split(SEPARATOR).collect();
    let [_, sums, ..] = parts.as_slice() else {
        return Err(distrust("message block must have at least two parts".to_owned()));
    };
    let sums = kpkg_yaml::read(sums).map_err(|error| distrust(error.to_string()))?.to_json();
    let digest = digest_of(archive);
    match sums["files"][file_name].as_str() {
        None => Err(distrust(format!("provenance does not contain a SHA for a file named {file_name:?}"))),
        Some(expected) if expected != digest => {
            Err(distrust(format!("sha256 sum does not match: {expected:?} != {digest:?}")))
        }
        Some(_) => {
            let fingerprint = oci::hex(&signed.fingerprint).to_uppercase();
            Ok(Verified { signed_by: signed.by, fingerprint, digest })
        }
    }
}

/// Makes a provenance file. `key` is part of the name of exactly one key on the ring.
pub fn sign(
    archive: &[u8],
    file_name: &str,
    ring: &Path,
    key: &str,
    passphrase: Option<&[u8]>,
    now: u64,
) -> Result<String, Error> {
    let metadata = metadata_of(archive, file_name)?;
    let keyring = keyring(ring)?;
    let named: Vec<_> = keyring.owners.iter().filter(|owner| owner.users().any(|user| user.contains(key))).collect();
    let refuse = |problem: String| oci::Error::Setting(format!("cannot sign as `{key}`: {problem}"));
    let owner = match named.as_slice() {
        [owner] => *owner,
        [] => return Err(refuse(format!("{} holds no such key", ring.display())).into()),
        _ => {
            // An exact name settles it.
            let exact: Vec<_> = named.iter().copied().filter(|owner| owner.users().any(|user| user == key)).collect();
            match exact.as_slice() {
                [owner] => *owner,
                _ => return Err(refuse("several keys are called so".to_owned()).into()),
            }
        }
    };
    let secret = SecretKey::unlock(owner, passphrase).map_err(refuse)?;
    let about: Value = serde_json::to_value(&metadata).unwrap_or_default();
    let sums = json!({ "files": { file_name: digest_of(archive) } });
    let text = format!("{}{SEPARATOR}{}", kpkg_yaml::write_json(&about), kpkg_yaml::write_json(&sums));
    Ok(sign_text(&text, &secret, now)
        .map_err(|problem| oci::Error::Setting(format!("cannot sign as `{key}`: {problem}")))?)
}
