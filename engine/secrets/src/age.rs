//! The age format (`age-encryption.org/v1`) with X25519 keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::bech32;
use crate::error::{Result, SecretError};
use crate::payload;

const VERSION: &str = "age-encryption.org/v1";
const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
/// The label of the key that wraps a file's key.
const X25519: &[u8] = b"age-encryption.org/v1/X25519";
/// The bytes of a file's key, and of what its encryption adds.
const FILE_KEY: usize = 16;
const TAG: usize = 16;
/// The longest line of a stanza's body.
const COLUMNS: usize = 64;

/// The key of one file.
type FileKey = Zeroizing<[u8; FILE_KEY]>;

/// A secret key: `AGE-SECRET-KEY-1...`.
#[derive(Clone)]
pub struct Identity(StaticSecret);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(of {})", self.recipient())
    }
}

impl Identity {
    /// Whom files are sealed for so that this key opens them.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0))
    }

    /// The keys of a key file, with comments on lines of their own.
    ///
    /// # Errors
    ///
    /// A line is no key; which one, the message does not repeat.
    pub fn list(text: &str) -> Result<Vec<Self>> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.flat_map(str::split_whitespace).map(str::parse).collect()
    }
}

impl FromStr for Identity {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |problem| SecretError::Key { what: "a line of the secret keys", problem };
        let (prefix, bytes) = bech32::decode(text).ok_or_else(|| refuse("it is misspelt"))?;
        let bytes = Zeroizing::new(bytes);
        if prefix != "age-secret-key-" {
            return Err(refuse("only AGE-SECRET-KEY-1... is known, no plugins and no SSH keys"));
        }
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| refuse("it is too short"))?;
        Ok(Self(StaticSecret::from(bytes)))
    }
}

/// A public key: `age1...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient(PublicKey);

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode("age", self.0.as_bytes()))
    }
}

impl FromStr for Recipient {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |problem| SecretError::Key { what: "the recipient", problem };
        let (prefix, bytes) = bech32::decode(text).ok_or_else(|| refuse("it is misspelt"))?;
        if prefix != "age" {
            return Err(refuse("only age1... is known"));
        }
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| refuse("it is too short"))?;
        Ok(Self(PublicKey::from(bytes)))
    }
}

/// Opens a file, armoured or not, with whichever identity it is sealed for.
///
/// # Errors
///
/// It is no age file, was changed, or is for others.
pub fn decrypt(file: &[u8], identities: &[Identity]) -> Result<Vec<u8>> {
    let bytes = unarmoured(file)?;
    let header = Header::parse(&bytes)?;
    let keys = header.stanzas.iter().flat_map(|stanza| identities.iter().filter_map(|it| stanza.open(it)));
    let key = keys.into_iter().next().ok_or(SecretError::NoIdentity(identities.len()))?;
    hmac::verify(&header_key(&key), header.signed, &header.mac)
        .map_err(|_| SecretError::Age("its header was changed"))?;
    payload::open(&key, header.payload)
}

/// Seals for all `recipients`; the file is armoured.
///
/// # Errors
///
/// The system has no randomness.
pub fn encrypt(text: &[u8], recipients: &[Recipient]) -> Result<String> {
    let key: FileKey = Zeroizing::new(random()?);
    let mut header = format!("{VERSION}\n");
    for recipient in recipients {
        let secret = StaticSecret::from(random()?);
        let share = PublicKey::from(&secret);
        let shared = secret.diffie_hellman(&recipient.0);
        let body = wrap(&wrapping_key(shared.as_bytes(), &share, &recipient.0), &key)?;
        let (share, body) = (STANDARD_NO_PAD.encode(share.as_bytes()), STANDARD_NO_PAD.encode(body));
        header.push_str(&format!("-> X25519 {share}\n{body}\n"));
    }
    header.push_str("---");
    let mac = hmac::sign(&header_key(&key), header.as_bytes());
    header.push_str(&format!(" {}\n", STANDARD_NO_PAD.encode(mac)));
    let mut file = header.into_bytes();
    file.extend(payload::seal(&key, text, random()?)?);
    Ok(armoured(&file))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SecretError::Age("the system gives no randomness"))?;
    Ok(bytes)
}

/// A key made of another (HKDF-SHA-256).
pub(crate) fn derive(salt: &[u8], from: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(from);
    let labels = [label];
    let expanded = extracted.expand(&labels, hkdf::HKDF_SHA256);
    expanded.and_then(|it| it.fill(&mut *key)).expect("32 bytes are one block of SHA-256");
    key
}

fn header_key(key: &FileKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*derive(&[], &**key, b"header"))
}

fn wrapping_key(shared: &[u8], share: &PublicKey, recipient: &PublicKey) -> LessSafeKey {
    let salt = [share.as_bytes().as_slice(), recipient.as_bytes()].concat();
    cipher(&derive(&salt, shared, X25519))
}

pub(crate) fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the cipher's keys have 32 bytes"))
}

/// Each wrapping key is used once, so its nonce is zero.
fn wrap(key: &LessSafeKey, file_key: &FileKey) -> Result<Vec<u8>> {
    let mut body = file_key.to_vec();
    let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut body);
    sealed.map(|()| body).map_err(|_| SecretError::Age("its key cannot be sealed"))
}

// === the header ===

struct Header<'a> {
    stanzas: Vec<Stanza>,
    signed: &'a [u8],
    mac: Vec<u8>,
    payload: &'a [u8],
}

/// The file's key, sealed for one recipient; of kinds that are not known only that they are there.
struct Stanza {
    share: Option<PublicKey>,
    body: Vec<u8>,
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        const MARK: &[u8] = b"\n--- ";
        let damaged = |what| SecretError::Age(what);
        let at = bytes.windows(MARK.len()).position(|it| it == MARK).ok_or(damaged("it has no header"))?;
        let (signed, rest) = (&bytes[..at + 4], &bytes[at + MARK.len()..]);
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(damaged("its header does not end"))?;
        let mac = STANDARD_NO_PAD.decode(&rest[..end]).map_err(|_| damaged("its checksum is no base64"))?;
        let text = std::str::from_utf8(&bytes[..at]).map_err(|_| damaged("its header is no text"))?;
        let mut lines = text.split('\n').peekable();
        if lines.next() != Some(VERSION) {
            return Err(damaged("it is of another version"));
        }
        let mut stanzas = Vec::new();
        while let Some(line) = lines.next() {
            let args = line.strip_prefix("-> ").ok_or(damaged("a line of its header is out of place"))?;
            let mut body = String::new();
            for line in lines.by_ref() {
                body.push_str(line);
                if line.len() < COLUMNS {
                    break;
                }
            }
            let body = STANDARD_NO_PAD.decode(body).map_err(|_| damaged("a stanza is no base64"))?;
            stanzas.push(Stanza { share: share(args)?, body });
        }
        Ok(Self { stanzas, signed, mac, payload: &rest[end + 1..] })
    }
}

fn share(args: &str) -> Result<Option<PublicKey>> {
    let Some(share) = args.strip_prefix("X25519 ") else { return Ok(None) };
    let bytes = STANDARD_NO_PAD.decode(share).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(|bytes| Some(PublicKey::from(bytes))).ok_or(SecretError::Age("a stanza has no share"))
}

impl Stanza {
    fn open(&self, identity: &Identity) -> Option<FileKey> {
        let share = self.share.filter(|_| self.body.len() == FILE_KEY + TAG)?;
        let shared = identity.0.diffie_hellman(&share);
        if !shared.was_contributory() {
            return None;
        }
        let key = wrapping_key(shared.as_bytes(), &share, &identity.recipient().0);
        let mut body = Zeroizing::new(self.body.clone());
        let opened = key.open_in_place(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut body).ok()?;
        Some(Zeroizing::new((&*opened).try_into().ok()?))
    }
}

// === the armour ===

fn armoured(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = (0..text.len()).step_by(COLUMNS).map(|at| &text[at..text.len().min(at + COLUMNS)]).collect();
    format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
}

fn unarmoured(file: &[u8]) -> Result<Vec<u8>> {
    let Some(text) = std::str::from_utf8(file).ok().map(str::trim).filter(|text| text.starts_with(BEGIN)) else {
        return Ok(file.to_vec());
    };
    let inner = text[BEGIN.len()..].strip_suffix(END).ok_or(SecretError::Age("its armour does not end"))?;
    let joined: String = inner.lines().map(str::trim).collect();
    STANDARD.decode(joined).map_err(|_| SecretError::Age("its armour is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(byte: u8) -> Identity {
        Identity(StaticSecret::from([byte; 32]))
    }

    #[test]
    fn what_is_sealed_opens_for_its_recipients_alone() {
        for length in [0, 1, 1000, 65536, 65537, 200_000] {
            let text = vec![b'x'; length];
            let sealed = encrypt(&text, &[identity(1).recipient(), identity(2).recipient()]).unwrap();
            for key in [identity(1), identity(2)] {
                assert_eq!(decrypt(sealed.as_bytes(), &[identity(3), key]).unwrap(), text, "{length}");
            }
            assert_eq!(decrypt(sealed.as_bytes(), &[identity(3)]), Err(SecretError::NoIdentity(1)));
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let file = unarmoured(encrypt(b"secret", &[identity(1).recipient()]).unwrap().as_bytes()).unwrap();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(decrypt(&changed, &[identity(1)]).is_err(), "byte {at}");
            assert!(decrypt(&file[..at], &[identity(1)]).is_err(), "cut at {at}");
        }
        assert!(decrypt(&[file, vec![0]].concat(), &[identity(1)]).is_err());
    }

    #[test]
    fn keys_are_read_from_files_with_comments() {
        let text = "# created: 2026\n# public key: age1x\nAGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n\n";
        let keys = Identity::list(text).unwrap();
        assert_eq!(keys.len(), 1);
        let recipient = keys[0].recipient();
        assert_eq!(recipient.to_string().parse::<Recipient>().unwrap(), recipient);
        let error = Identity::list("AGE-SECRET-KEY-1OOPS").unwrap_err().to_string();
        assert!(!error.contains("OOPS"), "{error}");
        assert!("age1oops".parse::<Recipient>().is_err());
    }
}
