//! Manifests and indexes: what a tag or digest stands for, as strangers wrote it.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::reference::checked_digest;

/// An OCI manifest's media type.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI index's media type.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's name for a manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's name for an index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The longest manifest or index that is read.
pub const LONGEST_MANIFEST: u64 = 4 << 20;
const MOST_LAYERS: usize = 500;

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
    /// What it runs on, in an index of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The system.
    pub os: String,
    /// The processor, in Go's words.
    pub architecture: String,
    /// Which of several alike processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Descriptor {
    /// Names some bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, crate::digest_of(bytes), bytes.len() as u64)
    }

    /// Names what has this digest and size.
    pub fn new(media_type: &str, digest: String, size: u64) -> Self {
        Self { media_type: media_type.to_owned(), digest, size, ..Self::default() }
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

/// Variants of an image, or the contents of a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// What this document is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// What it lists.
    pub manifests: Vec<Descriptor>,
}

/// What a registry answers for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One thing.
    Manifest(Manifest),
    /// Several to choose from.
    Index(Index),
}

impl Document {
    /// Reads a manifest or an index; `what` names it in errors. A document that could be read as either is
    /// refused: two readers would see two things behind one digest.
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Shape {
            schema_version: u32,
            #[serde(default)]
            media_type: Option<String>,
            manifests: Option<IgnoredAny>,
            layers: Option<IgnoredAny>,
            config: Option<IgnoredAny>,
            #[serde(rename = "fsLayers")]
            fs_layers: Option<IgnoredAny>,
        }
        let shape: Shape = read(what, bytes)?;
        let of_index = shape.manifests.is_some();
        let of_manifest = shape.layers.is_some() || shape.config.is_some();
        if shape.schema_version != 2 || shape.fs_layers.is_some() {
            return Err(wrong(what, "only schema version 2 is supported"));
        }
        if of_index == of_manifest {
            return Err(wrong(what, "it is neither clearly a manifest nor clearly an index"));
        }
        let fits = match shape.media_type.as_deref() {
            None | Some("") => true,
            Some(INDEX | DOCKER_LIST) => of_index,
            Some(MANIFEST | DOCKER_MANIFEST) => of_manifest,
            Some(other) => {
                return Err(wrong(what, &format!("`{other}` is the media type of neither manifest nor index")));
            }
        };
        if !fits {
            return Err(wrong(what, "its content contradicts its media type"));
        }
        if of_index {
            read(what, bytes).map(Self::Index)
        } else {
            checked(what, read(what, bytes)?).map(Self::Manifest)
        }
    }
}

impl Manifest {
    /// A manifest of these parts.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Self {
        Self { schema_version: 2, media_type: MANIFEST.to_owned(), config, layers, annotations }
    }

    /// Reads a manifest; `what` names it in errors.
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self, Error> {
        match Document::parse(what, bytes)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(wrong(what, "an index of several, not a manifest")),
        }
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

fn read<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        if bytes.trim_ascii_start().starts_with(b"<") {
            wrong(what, "a web page, not a manifest")
        } else {
            wrong(what, &format!("not a manifest: {error}"))
        }
    })
}

fn checked(what: &str, manifest: Manifest) -> Result<Manifest, Error> {
    if manifest.layers.len() > MOST_LAYERS {
        return Err(wrong(what, &format!("it has more than {MOST_LAYERS} layers")));
    }
    for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
        checked_digest(&part.digest).map_err(|problem| wrong(what, problem))?;
    }
    Ok(manifest)
}

fn wrong(what: &str, problem: &str) -> Error {
    Error::Document { what: what.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parsed(json: &serde_json::Value) -> Result<Document, Error> {
        Document::parse("it", json.to_string().as_bytes())
    }

    #[test]
    fn a_document_with_two_meanings_is_refused() {
        // GHSA-5j5w-g665-5m35
        let blob = serde_json::json!({"mediaType": "x", "digest": D, "size": 1});
        let manifest = serde_json::json!({"schemaVersion": 2, "config": blob, "layers": [blob]});
        assert!(matches!(parsed(&manifest), Ok(Document::Manifest(_))));
        let index = serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [blob]});
        assert!(matches!(parsed(&index), Ok(Document::Index(_))));
        assert!(Manifest::parse("it", index.to_string().as_bytes()).is_err());
        let many = vec![blob.clone(); MOST_LAYERS + 1];
        let bad = [
            serde_json::json!({"schemaVersion": 2, "config": blob, "layers": [], "manifests": []}),
            serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "config": blob, "layers": [blob]}),
            serde_json::json!({"schemaVersion": 2, "mediaType": "text/html", "config": blob, "layers": [blob]}),
            serde_json::json!({"schemaVersion": 1, "fsLayers": [], "config": blob, "layers": []}),
            serde_json::json!({"schemaVersion": 2}),
            serde_json::json!({"schemaVersion": 2, "config": {"digest": "sha256:../../x", "size": 1}, "layers": []}),
            serde_json::json!({"schemaVersion": 2, "config": blob, "layers": many}),
        ];
        for document in bad {
            assert!(parsed(&document).is_err(), "{document}");
        }
    }

    #[test]
    fn a_web_page_is_called_one() {
        let error = Document::parse("it", b"\n<!doctype html><title>Sign in").expect_err("no manifest");
        assert_eq!(error.to_string(), "it: a web page, not a manifest");
    }
}
