//! What sops notes in a file: for whom it is sealed, which values are, and a checksum.

use kpkg_yaml::{Options, Value};
use regex::Regex;
use zeroize::Zeroizing;

use super::leaves::SECTION;
use crate::age::{self, Identity, Recipient};
use crate::error::{Result, SecretError};

/// What the checksum begins with where it is over the sealed values alone.
pub(super) const ONLY_SEALED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];
/// Which keys' values stay in clear if the file does not say.
const UNSEALED_SUFFIX: &str = "_unencrypted";
/// The other ways in which sops seals data keys.
const OTHER_KEYS: [&str; 6] = ["pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"];

/// Which values are sealed.
#[derive(Debug)]
pub(super) enum Rule {
    /// All but those below a key that ends so.
    ButSuffix(String),
    /// Those below a key that ends so.
    Suffix(String),
    /// All but those below a key that matches.
    ButMatch(Regex),
    /// Those below a key that matches.
    Match(Regex),
    /// Comments decide: those that look so.
    Looks,
}

impl Rule {
    /// Whether a value is sealed; one that should be and is not was put there by somebody else.
    pub(super) fn seals(&self, path: &[String], text: &str) -> Result<bool> {
        let any = |test: &dyn Fn(&String) -> bool| path.iter().any(test);
        let sealed = match self {
            Self::ButSuffix(suffix) => !any(&|key| key.ends_with(suffix)),
            Self::Suffix(suffix) => any(&|key| key.ends_with(suffix)),
            Self::ButMatch(pattern) => !any(&|key| pattern.is_match(key)),
            Self::Match(pattern) => any(&|key| pattern.is_match(key)),
            Self::Looks => text.starts_with("ENC["),
        };
        if sealed && !text.is_empty() && !text.starts_with("ENC[") {
            return Err(SecretError::Value { path: path.join("."), problem: "it is in clear" });
        }
        Ok(sealed)
    }
}

#[derive(Debug)]
pub(super) struct Metadata {
    /// Each recipient with the data key, sealed.
    keys: Vec<(String, String)>,
    pub(super) rule: Rule,
    pub(super) only_sealed_in_checksum: bool,
    /// The checksum, sealed.
    pub(super) checksum: String,
    /// When the file was sealed: what the checksum is bound to.
    pub(super) modified: String,
}

impl Metadata {
    pub(super) fn read(text: &str) -> Result<Self> {
        let value = kpkg_yaml::read_with(text, Options { integers: true, ..Options::default() })?;
        let section = value.at(SECTION).and_then(Value::as_map);
        let section = Value::Map(section.cloned().ok_or_else(|| SecretError::Sops(format!("it has no `{SECTION}`")))?);
        let field = |key: &str| section.at(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |key: &str| section.at(key).and_then(Value::as_list).unwrap_or_default();
        let text = |value: &Value, key: &str| value.at(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        if !list("key_groups").is_empty() {
            return Err(SecretError::Unsupported("several groups of keys together".to_owned()));
        }
        let keys: Vec<_> = list("age").iter().map(|it| (text(it, "recipient"), text(it, "enc"))).collect();
        if keys.is_empty() {
            let others: Vec<&str> = OTHER_KEYS.into_iter().filter(|key| !list(key).is_empty()).collect();
            return Err(SecretError::Unsupported(others.join(", ")));
        }
        Ok(Self {
            keys,
            rule: rule(&field)?,
            only_sealed_in_checksum: section.at("mac_only_encrypted") == Some(&Value::Bool(true)),
            checksum: field("mac"),
            modified: field("lastmodified"),
        })
    }

    /// Whom the file is sealed for; those that are no age keys of the plain kind are left out.
    pub(super) fn recipients(&self) -> Result<Vec<Recipient>> {
        self.keys.iter().filter(|(recipient, _)| recipient.starts_with("age1")).map(|(it, _)| it.parse()).collect()
    }

    /// The key of the values.
    pub(super) fn data_key(&self, identities: &[Identity]) -> Result<Zeroizing<Vec<u8>>> {
        let mut last = SecretError::NoIdentity(identities.len());
        for (_, sealed) in &self.keys {
            match age::decrypt(sealed.as_bytes(), identities) {
                Ok(key) => return Ok(Zeroizing::new(key)),
                Err(error @ SecretError::NoIdentity(_)) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

type Make = fn(String) -> Result<Rule>;

fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|error| SecretError::Sops(format!("a rule is no regular expression: {error}")))
}

fn rule(field: &dyn Fn(&str) -> String) -> Result<Rule> {
    let kinds: [(&str, Make); 6] = [
        ("unencrypted_suffix", |text| Ok(Rule::ButSuffix(text))),
        ("encrypted_suffix", |text| Ok(Rule::Suffix(text))),
        ("unencrypted_regex", |text| pattern(&text).map(Rule::ButMatch)),
        ("encrypted_regex", |text| pattern(&text).map(Rule::Match)),
        ("unencrypted_comment_regex", |_| Ok(Rule::Looks)),
        ("encrypted_comment_regex", |_| Ok(Rule::Looks)),
    ];
    let mut rules = kinds.iter().map(|(key, make)| (field(key), make)).filter(|(text, _)| !text.is_empty());
    match (rules.next(), rules.next()) {
        (None, _) => Ok(Rule::ButSuffix(UNSEALED_SUFFIX.to_owned())),
        (Some((text, make)), None) => make(text),
        (Some(_), Some(_)) => Err(SecretError::Sops("it has more than one rule on what is sealed".to_owned())),
    }
}
