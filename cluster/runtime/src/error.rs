//! What can go wrong with sandboxes and containers.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::image::ImageError;

/// The result of a runtime operation.
pub type Result<T, E = RuntimeError> = std::result::Result<T, E>;

/// Why an operation on sandboxes or containers failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// There is no such sandbox or container.
    #[error("{what} `{id}` was not found")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// The identity asked for.
        id: String,
    },
    /// The container is not in the state that the operation needs.
    #[error("cannot {operation} container `{id}`: it is {state}")]
    State {
        /// What was attempted.
        operation: &'static str,
        /// The container.
        id: String,
        /// The state it is in.
        state: String,
    },
    /// The sandbox was stopped or its shim is gone.
    #[error("pod sandbox `{id}` is not ready")]
    SandboxNotReady {
        /// The sandbox.
        id: String,
    },
    /// A request contradicts itself or names something impossible.
    #[error("invalid {field}: {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The image store could not give what was asked.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A file or directory of the runtime could not be used.
    #[error("cannot {operation} {path}")]
    File {
        /// What was attempted.
        operation: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The shim could not be started.
    #[error("cannot start the shim of pod sandbox `{id}`: {problem}")]
    ShimStart {
        /// The sandbox.
        id: String,
        /// What the shim said.
        problem: String,
    },
    /// The connection to a shim broke.
    #[error("lost the shim of pod sandbox `{id}`")]
    ShimLost {
        /// The sandbox.
        id: String,
        /// The cause.
        source: io::Error,
    },
    /// The shim tried and failed; the text is its own.
    #[error("{message}")]
    Shim {
        /// What the shim said.
        message: String,
    },
    /// A command did not end in time, and was killed.
    #[error("command timed out after {timeout:?}")]
    ExecTimeout {
        /// The time it had.
        timeout: Duration,
    },
    /// A terminal's size could not be changed.
    #[error("cannot resize the terminal")]
    Resize {
        /// The cause.
        source: io::Error,
    },
}

impl RuntimeError {
    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// For `map_err`: the failed operation on `path`.
    pub(crate) fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}
