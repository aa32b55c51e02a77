//! Records that hide their values: what is secret is sealed for the holders of age keys, and masked in
//! everything else.
//!
//! Helm and whoever has no key read the masks; kpkg with a key reads the values and can roll back,
//! compare and run hooks. A mask in a Secret is no base64, so no program can apply one by mistake.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use kpkg_secrets::{Identity, Recipient, SecretError, age};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::changes::MASK;
use crate::desired::{self, Document};
use crate::error::{ReleaseError, Result};
use crate::record::Release;

/// Shorter secrets are hidden where a value is the very same; parts of texts are too often the same by chance.
const MIN_PART: usize = 4;
/// What is sealed may not unpack to more than this.
const MAX_CLEAR: u64 = 256 << 20;

/// What a record hides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sealed {
    /// Whose keys open it.
    pub recipients: Vec<String>,
    /// What is hidden, in age's format.
    text: String,
    /// The same in clear; never written.
    #[serde(skip)]
    clear: Option<Box<Clear>>,
}

/// What is hidden, in clear.
#[derive(Clone, Serialize, Deserialize)]
struct Clear {
    secrets: Vec<String>,
    config: Value,
    chart_values: Value,
    manifest: String,
    hooks: Vec<String>,
    notes: String,
}

impl std::fmt::Debug for Clear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(MASK)
    }
}

impl Sealed {
    /// The values that it hides, if it is open.
    pub fn secrets(&self) -> &[String] {
        self.clear.as_ref().map_or(&[], |clear| &clear.secrets)
    }
}

impl Release {
    /// Hides `secrets` wherever they are in the record, for the holders of the recipients' keys to see.
    pub fn hide(&mut self, secrets: &[String], recipients: &[Recipient]) -> Result<()> {
        let record = self.secret_name();
        let clear = Clear {
            secrets: secrets.to_vec(),
            config: self.config.clone(),
            chart_values: self.chart["values"].clone(),
            manifest: self.manifest.clone(),
            hooks: self.hooks.iter().map(|it| it.manifest.clone()).collect(),
            notes: self.info.notes.clone(),
        };
        let refuse = |problem: String| ReleaseError::Record { record: record.clone(), problem };
        let packed = pack(&clear).map_err(|error| refuse(error.to_string()))?;
        let text = age::encrypt(&packed, recipients).map_err(|error| refuse(error.to_string()))?;
        let mask = Mask::of(secrets);
        mask.value(&mut self.config);
        if let Some(values) = self.chart.get_mut("values") {
            mask.value(values);
        }
        self.manifest = mask.manifest(&self.manifest);
        for hook in &mut self.hooks {
            let document = Document { source: hook.path.clone(), text: hook.manifest.clone() };
            hook.manifest = mask.document(&document);
        }
        self.info.notes = mask.text(&self.info.notes);
        let recipients = recipients.iter().map(ToString::to_string).collect();
        self.sealed = Some(Sealed { recipients, text, clear: Some(Box::new(clear)) });
        Ok(())
    }

    /// Opens what the record hides, if one of `keys` can. It stays hidden in the record itself.
    pub fn open(&mut self, keys: &[Identity]) -> Result<(), String> {
        let Some(sealed) = self.sealed.as_mut().filter(|_| !keys.is_empty()) else { return Ok(()) };
        match age::decrypt(sealed.text.as_bytes(), keys) {
            Ok(packed) => sealed.clear = Some(Box::new(unpack(&packed)?)),
            Err(SecretError::NoIdentity(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    /// The record with nothing hidden; fails if no key at hand opened it.
    pub fn in_clear(&self) -> Result<Self> {
        let Some(sealed) = &self.sealed else { return Ok(self.clone()) };
        let Some(clear) = &sealed.clear else {
            return Err(ReleaseError::Hidden {
                name: self.name.clone(),
                revision: self.version,
                recipients: sealed.recipients.clone(),
            });
        };
        let mut release = self.clone();
        release.config.clone_from(&clear.config);
        release.chart["values"].clone_from(&clear.chart_values);
        release.manifest.clone_from(&clear.manifest);
        release.info.notes.clone_from(&clear.notes);
        for (hook, manifest) in release.hooks.iter_mut().zip(&clear.hooks) {
            hook.manifest.clone_from(manifest);
        }
        release.sealed = None;
        Ok(release)
    }
}

fn pack(clear: &Clear) -> std::io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&serde_json::to_vec(clear)?)?;
    gzip.finish()
}

fn unpack(packed: &[u8]) -> Result<Clear, String> {
    let mut json = Vec::new();
    GzDecoder::new(packed).take(MAX_CLEAR).read_to_end(&mut json).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|_| "what it hides is in another form".to_owned())
}

/// What must not be seen.
struct Mask<'a> {
    whole: BTreeSet<&'a str>,
    /// Texts that are hidden as parts of others, too: the secrets and their base64.
    parts: Vec<String>,
}

impl<'a> Mask<'a> {
    fn of(secrets: &'a [String]) -> Self {
        let long = secrets.iter().filter(|it| it.len() >= MIN_PART);
        let mut parts: Vec<String> = long.flat_map(|it| [it.clone(), STANDARD.encode(it)]).collect();
        parts.sort_by_key(|it| std::cmp::Reverse(it.len()));
        Self { whole: secrets.iter().map(String::as_str).collect(), parts }
    }

    fn hides(&self, text: &str) -> bool {
        self.whole.contains(text) || self.parts.iter().any(|part| text.contains(part.as_str()))
    }

    fn text(&self, text: &str) -> String {
        self.parts.iter().fold(text.to_owned(), |text, part| text.replace(part.as_str(), MASK))
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::Object(map) => map.values_mut().for_each(|it| self.value(it)),
            Value::Array(list) => list.iter_mut().for_each(|it| self.value(it)),
            Value::String(text) if self.hides(text) => *value = MASK.into(),
            Value::Number(number) if self.whole.contains(number.to_string().as_str()) => *value = MASK.into(),
            _ => {}
        }
    }

    fn manifest(&self, manifest: &str) -> String {
        let documents = desired::split(manifest).into_iter();
        let masked: Vec<Document> = documents
            .map(|it| {
                // Documents of a record begin with their source line, which is written anew.
                let line = format!("# Source: {}\n", it.source);
                let text = self.document(&it);
                Document { text: text.strip_prefix(&line).map_or(text.clone(), str::to_owned), source: it.source }
            })
            .collect();
        desired::join(&masked)
    }

    /// A document without secrets; as it stands if it has none.
    fn document(&self, document: &Document) -> String {
        let Ok(yaml) = kpkg_yaml::read(&document.text) else { return self.text(&document.text) };
        let mut value = yaml.to_json();
        let before = value.clone();
        hide_secrets(&mut value, false);
        self.value(&mut value);
        if value == before {
            return document.text.clone();
        }
        kpkg_yaml::write_json(&value).trim_end().to_owned()
    }
}

/// Hides what Secrets hold, those in lists included.
fn hide_secrets(value: &mut Value, in_list_of_secrets: bool) {
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    if kind == "Secret" || (in_list_of_secrets && kind.is_empty()) {
        hide_data(value);
    } else if kind.ends_with("List")
        && let Some(items) = value.get_mut("items").and_then(Value::as_array_mut)
    {
        items.iter_mut().for_each(|item| hide_secrets(item, kind == "SecretList"));
    }
}

/// A Secret's keys without their values, all where only base64 may be.
fn hide_data(secret: &mut Value) {
    let Some(map) = secret.as_object_mut() else { return };
    let plain = map.remove("stringData");
    let mut keys = map.remove("data").and_then(|it| it.as_object().cloned()).unwrap_or_default();
    keys.extend(plain.and_then(|it| it.as_object().cloned()).unwrap_or_default());
    if !keys.is_empty() {
        keys.values_mut().for_each(|it| *it = MASK.into());
        map.insert("data".to_owned(), Value::Object(keys));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> Identity {
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX".parse().unwrap()
    }

    fn release() -> Release {
        let manifest = "---\n# Source: a/templates/s.yaml\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {other: eHh4}\nstringData: {p: hunter22}\n\
                        ---\n# Source: a/templates/c.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {url: 'db://u:hunter22@x', port: '5432'}\n\
                        ---\n# Source: a/templates/n.yaml\n# kept as it is\nkind: ConfigMap\n";
        serde_json::from_value(json!({
            "name": "web", "namespace": "n", "version": 1, "manifest": manifest,
            "info": {"status": "deployed", "notes": "Log in with hunter22"},
            "chart": {"metadata": {"name": "a"}, "values": {"x": "hunter22"}},
            "config": {"password": "hunter22", "port": 5432, "debug": "on"},
            "hooks": [{"name": "h", "kind": "Job", "path": "a/templates/h.yaml", "manifest": "kind: Job\nenv: aHVudGVyMjI=\n", "events": []}],
        }))
        .unwrap()
    }

    #[test]
    fn what_is_hidden_is_nowhere_in_the_record() {
        let mut hidden = release();
        hidden.hide(&["hunter22".to_owned(), "5432".to_owned()], &[key().recipient()]).unwrap();
        let stored = serde_json::to_string(&hidden).unwrap();
        for secret in ["hunter22", "aHVudGVyMjI", "5432"] {
            assert!(!stored.contains(secret), "{secret}: {stored}");
            assert!(!format!("{hidden:?}").contains(secret), "{secret}");
        }
        assert_eq!(hidden.config, json!({"password": MASK, "port": MASK, "debug": "on"}));
        assert!(hidden.manifest.contains("# Source: a/templates/n.yaml\n# kept as it is\nkind: ConfigMap\n"));
        assert_eq!(hidden.manifest.matches("# Source: ").count(), 3);
        assert_eq!(hidden.info.notes, format!("Log in with {MASK}"));
        // Who applies a mask is refused: it is no base64.
        assert!(hidden.manifest.contains(&format!("data:\n  other: {MASK}\n  p: {MASK}\n")), "{}", hidden.manifest);
    }

    #[test]
    fn secrets_in_lists_are_hidden() {
        let secret = json!({"kind": "Secret", "data": {"a": "eA=="}});
        for (kind, item) in [("List", secret), ("SecretList", json!({"stringData": {"a": "x"}}))] {
            let mut list = json!({"kind": kind, "items": [item]});
            hide_secrets(&mut list, false);
            assert_eq!(list["items"][0]["data"], json!({"a": MASK}), "{kind}");
        }
    }

    #[test]
    fn a_key_brings_everything_back() {
        let mut hidden = release();
        hidden.hide(&["hunter22".to_owned()], &[key().recipient()]).unwrap();
        let mut stored = Release::decode(&hidden.encode().unwrap()).unwrap();
        stored.open(&[]).unwrap();
        let error = stored.in_clear().unwrap_err().to_string();
        assert!(error.contains("revision 1 of `web`") && error.contains(&key().recipient().to_string()), "{error}");
        stored.open(&[key()]).unwrap();
        let clear = serde_json::to_value(stored.in_clear().unwrap()).unwrap();
        assert_eq!(clear, serde_json::to_value(release()).unwrap());
        assert_eq!(stored.sealed.as_ref().unwrap().secrets(), ["hunter22"]);
        // Written again, it still hides.
        assert!(!serde_json::to_string(&stored).unwrap().contains("hunter22"));
    }
}
