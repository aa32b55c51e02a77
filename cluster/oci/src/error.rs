//! What can go wrong between here and a registry.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why something could not be sent or fetched. No message shows a credential.
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
    /// What is downloaded cannot be kept.
    #[error("cannot keep {what}")]
    Sink {
        /// What is downloaded.
        what: String,
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
}

impl Error {
    /// For `map_err`: an error of the file system.
    pub fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Status { status: 404, .. })
    }

    /// Whether it is not there as far as we may see: registries hide what a login is missing for.
    pub fn is_hidden(&self) -> bool {
        self.is_not_found() || matches!(self, Self::Unauthorized { .. })
    }
}
