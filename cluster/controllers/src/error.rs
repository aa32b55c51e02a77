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
        matches!(self, Self::Request { source: kube::Error::Api(status), .. } if matches!(status.code, 404 | 409))
    }
}
