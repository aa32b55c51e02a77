//! Failures: everything below the HTTP edge fails with a Kubernetes `Status`.

use kpkg_api::status::{Reason, Status};

/// What a step of a request gives.
pub(crate) type Result<T, E = Status> = std::result::Result<T, E>;

/// What a client is told about a failure of the store. The cause of what is not the client's doing is logged.
pub(crate) fn of_store(error: kpkg_store::Error) -> Status {
    use kpkg_store::Error;
    match error {
        Error::Compacted { .. } => Status::expired("The resourceVersion for the provided list is too old."),
        Error::FutureRevision { requested, current } => too_large_revision(requested, current),
        Error::TooLarge { limit, .. } => Status::too_large(limit),
        Error::DiskFull { .. } => {
            tracing::error!(%error, "a write failed");
            Status::new(Reason::InternalError, "Internal error occurred: no space left on the server's disk")
        }
        Error::Closed => Status::service_unavailable("the server is shutting down").retry_after(1),
        error => {
            tracing::error!(%error, "the store failed");
            Status::internal(error)
        }
    }
}

/// A revision was asked for that does not exist yet.
pub(crate) fn too_large_revision(requested: i64, current: i64) -> Status {
    Status::timeout(format!("Too large resource version: {requested}, current: {current}"), 1).with_cause(
        "ResourceVersionTooLarge",
        "Too large resource version",
        "",
    )
}
