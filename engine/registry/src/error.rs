//! What can go wrong between here and a registry or repository.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why something could not be published, fetched or trusted. No message shows a credential.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A reference is not one.
    #[error("`{reference}` is not a reference: {problem}")]
    Reference {
        /// What was given.
        reference: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A flag or setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The server could not be reached, or the connection broke.
    #[error("cannot reach {url}")]
    Transport {
        /// Where, without credentials.
        url: String,
        /// What the client said.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered with an error.
    #[error("{url} answered {status}: {message}")]
    Status {
        /// Where, without credentials.
        url: String,
        /// The status.
        status: u16,
        /// What the server said, shortened.
        message: String,
    },
    /// The server wants a login, or another one.
    #[error("{host} refuses access: {message}")]
    Unauthorized {
        /// The server.
        host: String,
        /// What is known of why.
        message: String,
    },
    /// There is no such thing.
    #[error("{what} was not found")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// A redirect or upload location may not be followed.
    #[error("{from} sends on to {to}: {problem}")]
    Redirect {
        /// From where.
        from: String,
        /// To where.
        to: String,
        /// Why not.
        problem: &'static str,
    },
    /// Contents are not what their digest says.
    #[error("{what} has the digest {found}, not {expected}")]
    Digest {
        /// Whose contents.
        what: String,
        /// Their digest.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// Something is larger than may be.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// How much is allowed.
        limit: u64,
    },
    /// A document does not say what it should.
    #[error("{what}: {problem}")]
    Document {
        /// Which document.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// What a reference names is something else than a chart.
    #[error("{reference} is not a chart: it is of type {media_type}")]
    NotAChart {
        /// The reference.
        reference: String,
        /// What it is.
        media_type: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {operation} {path}")]
    File {
        /// What was attempted.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Logins cannot be read or kept.
    #[error("cannot use the login for {registry}: {problem}")]
    Login {
        /// The registry.
        registry: String,
        /// What is wrong.
        problem: String,
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
    /// For `map_err`: an error of the file system.
    pub(crate) fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Status { status: 404, .. })
    }
}
