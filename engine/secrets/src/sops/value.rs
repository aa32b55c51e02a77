//! One value: `ENC[AES256_GCM,data:...,iv:...,tag:...,type:str]`.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kpkg_yaml::{Resolved, Value};

use super::leaves::Leaf;
use crate::error::{Result, SecretError};

/// What sops makes nonces of.
const NONCE: usize = 32;

/// The key of a file's values.
pub(super) struct Key(AesGcm<Aes256, U32>);

/// A value in clear.
pub(super) struct Plain {
    /// As the checksum has it.
    pub(super) bytes: String,
    /// As YAML on one line.
    pub(super) yaml: String,
}

struct Sealed {
    data: Vec<u8>,
    nonce: Vec<u8>,
    kind: String,
}

impl Key {
    pub(super) fn new(bytes: &[u8]) -> Result<Self> {
        let key = AesGcm::new_from_slice(bytes);
        key.map(Self).map_err(|_| SecretError::Sops("its data key has a wrong length".to_owned()))
    }

    /// A sealed value in clear; nothing was sealed as nothing.
    pub(super) fn open(&self, leaf: &Leaf) -> Result<Plain> {
        let refuse = |problem| SecretError::Value { path: leaf.path.join("."), problem };
        if leaf.text.is_empty() {
            return Ok(Plain { bytes: String::new(), yaml: "\"\"".to_owned() });
        }
        let sealed = Sealed::parse(&leaf.text).ok_or_else(|| refuse("it is not in sops' form"))?;
        let text = self.decrypt(&sealed, &format!("{}:", leaf.path.join(":")));
        let text = text.ok_or_else(|| refuse("it does not fit its place or the key"))?;
        Plain::of(&sealed.kind, text).ok_or_else(|| refuse("it is not what its type says"))
    }

    /// A sealed text that is bound to something.
    pub(super) fn open_text(&self, sealed: &str, bound_to: &str) -> Option<String> {
        self.decrypt(&Sealed::parse(sealed)?, bound_to)
    }

    fn decrypt(&self, sealed: &Sealed, bound_to: &str) -> Option<String> {
        let nonce: [u8; NONCE] = sealed.nonce.as_slice().try_into().ok()?;
        let payload = Payload { msg: &sealed.data, aad: bound_to.as_bytes() };
        let text = self.0.decrypt(&Nonce::<U32>::from(nonce), payload).ok()?;
        String::from_utf8(text).ok()
    }
}

impl Sealed {
    fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("ENC[AES256_GCM,")?.strip_suffix(']')?;
        let mut parts = inner.split(',');
        let mut part = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix(':');
        let (data, nonce, tag, kind) = (part("data")?, part("iv")?, part("tag")?, part("type")?);
        let mut data = STANDARD.decode(data).ok()?;
        data.extend(STANDARD.decode(tag).ok()?);
        Some(Self { data, nonce: STANDARD.decode(nonce).ok()?, kind: kind.to_owned() })
    }
}

impl Plain {
    fn of(kind: &str, text: String) -> Option<Self> {
        let yaml = match kind {
            "str" | "bytes" => quoted(&text),
            "int" => text.parse::<i64>().ok().map(|_| text.clone())?,
            "float" => text.parse::<f64>().ok().map(|_| text.clone())?,
            "bool" => text.to_lowercase().parse::<bool>().ok()?.to_string(),
            "time" if kpkg_yaml::is_timestamp(&text) => text.clone(),
            _ => return None,
        };
        Some(Self { bytes: text, yaml })
    }

    /// A value that was not sealed, as the checksum has it.
    pub(super) fn in_clear(leaf: &Leaf) -> Self {
        let bytes = match leaf.meaning {
            Resolved::Bool(true) => "True".to_owned(),
            Resolved::Bool(false) => "False".to_owned(),
            Resolved::Int(number) => number.to_string(),
            Resolved::Uint(number) => number.to_string(),
            Resolved::Float(number) => number.to_string(),
            Resolved::Timestamp => kpkg_yaml::json_timestamp(&leaf.text).unwrap_or_else(|| leaf.text.clone()),
            Resolved::Null | Resolved::Merge | Resolved::String => leaf.text.clone(),
        };
        Self { bytes, yaml: String::new() }
    }
}

/// A text in YAML's double quotes, whose escapes are JSON's.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_json().to_string()
}
