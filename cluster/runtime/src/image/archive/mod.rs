//! Images as tar archives: OCI layouts and what `docker save` writes.

mod load;
mod save;

use serde::{Deserialize, Serialize};

pub(super) use load::load;
pub(super) use save::save;

const INDEX: &str = "index.json";
const LAYOUT: &str = "oci-layout";
const DOCKER_MANIFEST: &str = "manifest.json";
const BLOBS: &str = "blobs/sha256/";
const NAME_ANNOTATION: &str = "io.containerd.image.name";
const REF_ANNOTATION: &str = "org.opencontainers.image.ref.name";

/// One image in Docker's `manifest.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}
