//! Manifests and configurations of images, as strangers wrote them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::layout::hex_of;
use super::{ImageConfig, ImageError};

pub(super) use kpkg_oci::{
    Descriptor, Document, INDEX as OCI_INDEX, Index, LONGEST_MANIFEST, MANIFEST as OCI_MANIFEST, Manifest,
};

/// The longest configuration that is read.
pub(super) const LONGEST_CONFIG: u64 = 8 << 20;

pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(super) const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

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

fn wrong(what: &str, problem: impl Into<String>) -> ImageError {
    ImageError::Document { what: what.to_owned(), problem: problem.into() }
}

/// Reads a manifest or an index.
pub(super) fn parse(what: &str, bytes: &[u8]) -> Result<Document, ImageError> {
    let document = Document::parse(what, bytes).map_err(unclear(what))?;
    match &document {
        Document::Manifest(manifest) if manifest.config.size > LONGEST_CONFIG => {
            Err(wrong(what, "its configuration is too long"))
        }
        _ => Ok(document),
    }
}

/// Reads the manifest of one image.
pub(super) fn parse_manifest(what: &str, bytes: &[u8]) -> Result<Manifest, ImageError> {
    match parse(what, bytes)? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(_) => Err(wrong(what, "it is an index of several, not a manifest")),
    }
}

/// An error of the reader, which knows no images.
fn unclear(what: &str) -> impl FnOnce(kpkg_oci::Error) -> ImageError {
    let what = what.to_owned();
    move |error| match error {
        kpkg_oci::Error::Document { what, problem } => ImageError::Document { what, problem },
        other => ImageError::Document { what, problem: other.to_string() },
    }
}

/// Reads a configuration that belongs to `layers` layers.
pub(super) fn parse_config(what: &str, bytes: &[u8], layers: usize) -> Result<ConfigFile, ImageError> {
    let config: ConfigFile = serde_json::from_slice(bytes).map_err(|error| wrong(what, error.to_string()))?;
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

    #[test]
    fn a_configuration_that_is_too_long_is_not_asked_for() {
        let manifest =
            serde_json::json!({"schemaVersion": 2, "config": {"digest": D, "size": 1u64 << 40}, "layers": []});
        assert!(parse_manifest("it", manifest.to_string().as_bytes()).is_err());
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
