//! What can go wrong between here and a registry or repository.

use thiserror::Error;

/// Why something could not be published, fetched or trusted. No message shows a credential.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// On the way to a registry or repository and back, or with the files here.
    #[error(transparent)]
    Oci(#[from] kpkg_oci::Error),
    /// What a reference names is something else than a chart.
    #[error("{reference} is not a chart: it is of type {media_type}")]
    NotAChart {
        /// The reference.
        reference: String,
        /// What it is.
        media_type: String,
    },
    /// A chart cannot be loaded.
    #[error("cannot load chart `{reference}`")]
    Chart {
        /// Which.
        reference: String,
        /// Why.
        #[source]
        source: kpkg_chart::LoadError,
    },
    /// No version fits.
    #[error("{what}: no version fits `{wanted}`{}", .known.as_ref().map(|it| format!(" (there are {it})")).unwrap_or_default())]
    NoVersion {
        /// Of what, and who asks for it.
        what: String,
        /// The version or range that was asked for.
        wanted: String,
        /// Some versions that there are.
        known: Option<String>,
    },
    /// A signature is missing, wrong, or of nobody who is trusted.
    #[error("{what} cannot be trusted: {problem}")]
    Signature {
        /// What was checked.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// A repository's name is not known.
    #[error("there is no repository `{name}`")]
    NoRepository {
        /// The name.
        name: String,
    },
}

impl Error {
    /// Whether only the files here failed: what was fetched can still be had without keeping it.
    pub(crate) fn is_of_cache(&self) -> bool {
        matches!(self, Self::Oci(kpkg_oci::Error::File { .. } | kpkg_oci::Error::Sink { .. }))
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Oci(error) if error.is_not_found())
    }
}
