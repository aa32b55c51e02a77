//! Manifests: what a tag or digest stands for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::reference::checked_digest;

/// What names a blob or manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// `sha256:...`.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Names some bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: super::digest_of(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }

    /// The same with a note.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A configuration and layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What this document is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// What it is made of.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// A manifest of these parts.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Self {
        Self { schema_version: 2, media_type: super::MANIFEST.to_owned(), config, layers, annotations }
    }

    /// Reads a manifest; `what` names it in errors.
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Document { what: what.to_owned(), problem };
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| {
            let start = bytes.trim_ascii_start();
            if start.starts_with(b"<") {
                wrong("a web page, not a manifest".to_owned())
            } else {
                wrong(format!("not a manifest: {error}"))
            }
        })?;
        for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
            checked_digest(&part.digest).map_err(|problem| wrong(problem.to_owned()))?;
        }
        Ok(manifest)
    }

    /// The manifest as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default() // maps with text keys and numbers: cannot fail
    }

    /// The only layer of a type.
    pub fn layer(&self, media_types: &[&str]) -> Option<&Descriptor> {
        self.layers.iter().find(|layer| media_types.contains(&layer.media_type.as_str()))
    }
}
