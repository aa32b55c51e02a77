//! How registries are spoken to: OCI's distribution protocol, Docker's logins, and HTTP that keeps a login where it belongs.
//!
//! Two halves of kpkg need it, charts (`engine/registry`) and images (`cluster/runtime`), and neither knows the other.
//! Words: a *registry* is a host that speaks the protocol, a *reference* names something in it, a *blob* is bytes by
//! digest, a *manifest* names the blobs of one thing, an *index* the manifests of its variants.
//!
//! - [`Registry`]: start here; manifests, blobs and tags, both ways
//! - [`Reference`][]: `oci://host/path/name:tag@digest`
//! - [`Manifest`], [`Index`], [`Document`]: what registries keep, read with suspicion
//! - [`Credentials`], [`LoginFile`]: who we are there
//! - [`transport`]: the HTTP below; repositories of charts use it too
//!
//! What a manifest or blob is for is not known here, nothing is kept between two programs but logins, and no
//! environment is read.

mod auth;
mod challenge;
mod credentials;
mod download;
mod error;
mod inflow;
mod manifest;
mod reference;
mod registry;
pub mod transport;
mod upload;

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

pub use auth::basic;
pub use credentials::{Credentials, LoginFile};
pub use error::Error;
pub use manifest::{
    DOCKER_LIST, DOCKER_MANIFEST, Descriptor, Document, INDEX, Index, LONGEST_MANIFEST, MANIFEST, Manifest, Platform,
};
pub use reference::{Reference, checked_digest};
pub use registry::Registry;
pub use transport::Access;
pub use upload::Source;

/// `sha256:...` of some bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}
