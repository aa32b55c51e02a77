//! Images: pulled, loaded or built, kept by digest, unpacked once.
//!
//! An [`ImageStore`] is a directory that several processes may use at a time (`kpkg image pull`
//! beside the server): blobs and unpacked layers are named by their content and appear by rename, the
//! names of images are small files replaced whole, and a lock keeps collection from taking what a
//! pull just brought.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod ahead;
mod archive;
mod arrival;
mod blobs;
mod collect;
mod documents;
mod error;
mod import;
mod layers;
mod layout;
mod names;
mod options;
mod reference;
mod registry;
mod store;
mod unpack;

pub(crate) use collect::{ContainerUse, USE_FILE, size_of_tree};

pub use error::ImageError;
pub use kpkg_oci::Credentials;
pub(crate) use kpkg_oci::hex;
pub use options::{Progress, ProgressEvent, PullOptions, silent};
pub use reference::ImageName;
pub use store::{ImageStore, Removed, Scratch};

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The digest of its configuration, `sha256:...`: what CRI calls the image id.
    pub id: String,
    /// The digest of its manifest.
    pub manifest: String,
    /// Its names with tags, normalised: `docker.io/library/nginx:latest`.
    pub tags: Vec<String>,
    /// Its names with digests: `docker.io/library/nginx@sha256:...`.
    pub digests: Vec<String>,
    /// Bytes of its compressed layers and documents.
    pub size: u64,
    /// When it says it was made, as RFC 3339.
    pub created: Option<String>,
    /// The architecture it is for, in Go's words.
    pub architecture: String,
    /// How its containers run.
    pub config: ImageConfig,
    /// The chain ids of its layers, lowest first: what they are unpacked as.
    pub(crate) layers: Vec<String>,
}

/// How an image's containers run by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// What runs, before `cmd`.
    pub entrypoint: Vec<String>,
    /// The default arguments.
    pub cmd: Vec<String>,
    /// The environment, as `NAME=value`.
    pub env: Vec<String>,
    /// The working directory; `/` if empty.
    pub working_dir: String,
    /// The user: `name`, `uid`, `name:group` or `uid:gid`; root if empty.
    pub user: String,
    /// Ports such as `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Directories that hold data.
    pub volumes: Vec<String>,
    /// The signal that asks the process to stop; `SIGTERM` if absent.
    pub stop_signal: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}
