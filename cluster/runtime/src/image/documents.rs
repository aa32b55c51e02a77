//! Manifests, indexes and configurations, as strangers wrote them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout::hex_of;
use super::{ImageConfig, ImageError};

/// The longest manifest or index that is read.
pub(super) const LONGEST_MANIFEST: u64 = 4 << 20;
/// The longest configuration that is read.
pub(super) const LONGEST_CONFIG: u64 = 8 << 20;
const MOST_LAYERS: usize = 500;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(super) const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A reference to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) variant: Option<String>,
}

/// The manifest of one image.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// Variants of an image, or the images of a layout.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) manifests: Vec<Descriptor>,
}

/// What a registry answers for a name.
#[derive(Debug, Clone)]
pub(super) enum Either {
    Manifest(Manifest),
    Index(Index),
}

/// The configuration of an image: what we read of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ConfigFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    #[serde(default)]
    pub(super) architecture: String,
    #[serde(default)]
    pub(super) os: String,
    #[serde(default)]
    pub(super) config: Option<RunConfig>,
    pub(super) rootfs: Rootfs,
}

/// The digests of the layers' uncompressed archives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Rootfs {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) diff_ids: Vec<String>,
}

/// Docker's names for [`ImageConfig`]; lists may be `null`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RunConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entrypoint: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes: Option<BTreeMap<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
}

impl From<RunConfig> for ImageConfig {
    fn from(config: RunConfig) -> Self {
        let keys = |map: Option<BTreeMap<String, serde_json::Value>>| map.unwrap_or_default().into_keys().collect();
        Self {
            entrypoint: config.entrypoint.unwrap_or_default(),
            cmd: config.cmd.unwrap_or_default(),
            env: config.env.unwrap_or_default(),
            working_dir: config.working_dir.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            exposed_ports: keys(config.exposed_ports),
            volumes: keys(config.volumes),
            stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
            labels: config.labels.unwrap_or_default(),
        }
    }
}

impl From<ImageConfig> for RunConfig {
    fn from(config: ImageConfig) -> Self {
        fn filled<T: Default + PartialEq>(value: T) -> Option<T> {
            (value != T::default()).then_some(value)
        }
        let keys = |names: Vec<String>| {
            filled(names.into_iter().map(|name| (name, serde_json::Value::Object(serde_json::Map::new()))).collect())
        };
        Self {
            user: filled(config.user),
            exposed_ports: keys(config.exposed_ports),
            env: filled(config.env),
            entrypoint: filled(config.entrypoint),
            cmd: filled(config.cmd),
            volumes: keys(config.volumes),
            working_dir: filled(config.working_dir),
            labels: filled(config.labels),
            stop_signal: config.stop_signal,
        }
    }
}

fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ImageError::Document { what: what.to_owned(), problem: error.to_string() })
}

fn wrong(what: &str, problem: impl Into<String>) -> ImageError {
    ImageError::Document { what: what.to_owned(), problem: problem.into() }
}

/// Reads a manifest or an index. A document that could be read as either is refused: two readers
/// would see two images behind one digest.
pub(super) fn parse_either(what: &str, bytes: &[u8]) -> Result<Either, ImageError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        schema_version: u32,
        #[serde(default)]
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        layers: Option<serde::de::IgnoredAny>,
        config: Option<serde::de::IgnoredAny>,
        #[serde(rename = "fsLayers")]
        fs_layers: Option<serde::de::IgnoredAny>,
    }
    let shape: Shape = parse(what, bytes)?;
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
        Some(OCI_INDEX | DOCKER_LIST) => of_index,
        Some(OCI_MANIFEST | DOCKER_MANIFEST) => of_manifest,
        Some(other) => return Err(wrong(what, format!("`{other}` is not the media type of an image"))),
    };
    if !fits {
        return Err(wrong(what, "its content contradicts its media type"));
    }
    if of_index { parse(what, bytes).map(Either::Index) } else { parse_manifest(what, bytes).map(Either::Manifest) }
}

/// Reads the manifest of one image.
pub(super) fn parse_manifest(what: &str, bytes: &[u8]) -> Result<Manifest, ImageError> {
    let manifest: Manifest = parse(what, bytes)?;
    if manifest.layers.len() > MOST_LAYERS {
        return Err(wrong(what, format!("it has more than {MOST_LAYERS} layers")));
    }
    for descriptor in manifest.layers.iter().chain([&manifest.config]) {
        hex_of(&descriptor.digest)?;
    }
    if manifest.config.size > LONGEST_CONFIG {
        return Err(wrong(what, "its configuration is too long"));
    }
    Ok(manifest)
}

/// Reads a configuration that belongs to `layers` layers.
pub(super) fn parse_config(what: &str, bytes: &[u8], layers: usize) -> Result<ConfigFile, ImageError> {
    let config: ConfigFile = parse(what, bytes)?;
    if config.rootfs.kind != "layers" || config.rootfs.diff_ids.len() != layers {
        return Err(wrong(what, "its layers are not those of its manifest"));
    }
    config.rootfs.diff_ids.iter().try_for_each(|id| hex_of(id).map(drop))?;
    Ok(config)
}

/// This machine's architecture in Go's words.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// The variant of an image for this machine.
pub(super) fn choose(index: &Index) -> Option<&Descriptor> {
    let fits = |descriptor: &&Descriptor| {
        descriptor.platform.as_ref().is_some_and(|platform| {
            platform.os == "linux"
                && platform.architecture == architecture()
                && platform.variant.as_deref().is_none_or(|variant| matches!(variant, "" | "v1" | "v8"))
        })
    };
    index.manifests.iter().find(fits).or_else(|| {
        // An index of one image that does not say what it is for.
        match &index.manifests[..] {
            [only] if only.platform.is_none() => Some(only),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parsed(json: &serde_json::Value) -> Result<Either, ImageError> {
        parse_either("it", json.to_string().as_bytes())
    }

    #[test]
    fn a_document_with_two_meanings_is_refused() {
        // GHSA-5j5w-g665-5m35
        let blob = serde_json::json!({"mediaType": "x", "digest": D, "size": 1});
        let manifest = serde_json::json!({"schemaVersion": 2, "config": blob, "layers": [blob]});
        assert!(matches!(parsed(&manifest), Ok(Either::Manifest(_))));
        let index = serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [blob]});
        assert!(matches!(parsed(&index), Ok(Either::Index(_))));
        let bad = [
            serde_json::json!({"schemaVersion": 2, "config": blob, "layers": [], "manifests": []}),
            serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "config": blob, "layers": [blob]}),
            serde_json::json!({"schemaVersion": 1, "fsLayers": [], "config": blob, "layers": []}),
            serde_json::json!({"schemaVersion": 2}),
            serde_json::json!({"schemaVersion": 2, "config": {"digest": "sha256:../../x", "size": 1}, "layers": []}),
            serde_json::json!({"schemaVersion": 2, "config": {"digest": D, "size": 1u64 << 40}, "layers": []}),
        ];
        for document in bad {
            assert!(parsed(&document).is_err(), "{document}");
        }
    }

    #[test]
    fn null_lists_of_a_configuration_are_empty() {
        let json = format!(
            r#"{{"rootfs":{{"type":"layers","diff_ids":["{D}"]}},"config":{{"Env":null,"Cmd":["sh"],"Labels":null}}}}"#
        );
        let config = parse_config("it", json.as_bytes(), 1).unwrap();
        let run: ImageConfig = config.config.unwrap().into();
        assert_eq!((run.cmd, run.env), (vec!["sh".to_owned()], vec![]));
        assert!(parse_config("it", json.as_bytes(), 2).is_err());
    }
}
