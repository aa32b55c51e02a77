//! The distribution protocol: manifests, blobs and tags of a registry.

mod auth;
mod challenge;
mod manifest;
mod registry;
mod upload;

pub(crate) use auth::basic;
pub use manifest::{Descriptor, Manifest};
pub use registry::Registry;
pub use upload::Source;

use sha2::{Digest, Sha256};

/// An OCI manifest's media type.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI index's media type.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `sha256:...` of some bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
