//! What can go wrong with images.

use std::io;
use std::path::PathBuf;

/// Why an operation on images failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The name does not follow the grammar of image references.
    #[error("invalid image reference `{reference}`: {problem}")]
    Reference {
        /// The name.
        reference: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No such image in the store.
    #[error("image `{reference}` is not in the local store")]
    NotFound {
        /// The name or id.
        reference: String,
    },
    /// The registry has no such image, or does not show it to us.
    #[error("registry has no image `{reference}`, or it needs a login")]
    NotInRegistry {
        /// The name.
        reference: String,
        /// What the registry answered.
        #[source]
        source: Box<kpkg_oci::Error>,
    },
    /// The registry could not be reached or answered with a failure.
    #[error("cannot {operation} `{reference}`")]
    Registry {
        /// What was attempted.
        operation: &'static str,
        /// The image or blob.
        reference: String,
        /// What went wrong.
        #[source]
        source: Box<kpkg_oci::Error>,
    },
    /// The image is for other machines.
    #[error("image `{reference}` has no variant for linux/{architecture}")]
    Platform {
        /// The name.
        reference: String,
        /// This machine's architecture.
        architecture: &'static str,
    },
    /// Content does not have the digest that names it.
    #[error("{what} is corrupt: its digest is {found}, expected {expected}")]
    Digest {
        /// The layer or document.
        what: String,
        /// The digest of what came.
        found: String,
        /// The digest it should have.
        expected: String,
    },
    /// A layer ends early, is not what it says, or contains what an image must not.
    #[error("cannot unpack layer {layer}")]
    Layer {
        /// The layer's digest.
        layer: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A manifest or configuration is not readable.
    #[error("{what} is not valid: {problem}")]
    Document {
        /// The document.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An archive holds no image.
    #[error("{path} is neither an OCI layout nor a docker archive")]
    Archive {
        /// The archive.
        path: PathBuf,
    },
    /// A file of the store could not be used.
    #[error("cannot {operation} {path}")]
    File {
        /// What was attempted.
        operation: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Docker's configuration names a login that cannot be had.
    #[error("cannot get the login for `{registry}`: {problem}")]
    Login {
        /// The registry.
        registry: String,
        /// What went wrong.
        problem: String,
    },
    /// The image is used by containers.
    #[error("image `{reference}` is used by container {container}")]
    InUse {
        /// The name.
        reference: String,
        /// One of the containers.
        container: String,
    },
}

impl ImageError {
    /// For `map_err`: the failed operation on `path`.
    pub(crate) fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }

    /// Whether the image does not exist, so that asking again will not help.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::NotInRegistry { .. })
    }
}
