//! Why a reconcile did not come to its end.

use std::path::PathBuf;

use crate::runtime::Key;

/// Every variant is retried with backoff; what retrying cannot mend is a condition in an object's
/// status or an event instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API refused or could not be reached.
    #[error("cannot {verb} {kind} `{key}`")]
    Request {
        /// What was attempted, as `create`.
        verb: &'static str,
        /// The kind of the object.
        kind: String,
        /// The object.
        key: Key,
        /// What the API said.
        #[source]
        source: kube::Error,
    },
    /// The API does not say which kinds it serves.
    #[error("cannot discover the kinds that the API serves")]
    Discovery(#[source] kube::Error),
    /// A part of the machine ended before it was told to.
    #[error("a controller task ended: {0}")]
    Ended(String),
    /// A folder of a local volume could not be made or removed.
    #[error("cannot {verb} the volume folder {path}")]
    Folder {
        /// What was attempted.
        verb: &'static str,
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// The object changed or vanished under the writer: routine, and cured by reading again.
    pub fn is_race(&self) -> bool {
        matches!(self.code(), Some(404 | 409))
    }

    /// The object is not there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// An object of that name is there already.
    pub fn is_already_exists(&self) -> bool {
        self.status().is_some_and(|status| status.reason == "AlreadyExists")
    }

    /// The object's namespace is on its way out and takes nothing in.
    pub fn is_namespace_terminating(&self) -> bool {
        let details = self.status().and_then(|status| status.details.as_ref());
        details.is_some_and(|details| details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating"))
    }

    /// The API's own sentence, for events and conditions; else this error's.
    pub fn outward(&self) -> String {
        self.status().map_or_else(|| self.to_string(), |status| status.message.clone())
    }

    fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Request { source: kube::Error::Api(status), .. } => Some(status),
            _ => None,
        }
    }
}
