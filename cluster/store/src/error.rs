//! Why a store could not do what it was asked.

use std::{io, path::PathBuf, sync::Arc};

use crate::KeyValue;

/// Why a read, a write or a watch failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The precondition of a write does not hold.
    #[error("the key is not in the state the write expects")]
    Conflict {
        /// What is there instead; `None` if the key does not exist.
        current: Option<Box<KeyValue>>,
    },

    /// A delete found nothing.
    #[error("the key does not exist")]
    NotFound,

    /// The revision lies before what the store remembers.
    #[error("revision {requested} is compacted, the oldest one left is {compacted}")]
    Compacted {
        /// The revision that was asked for.
        requested: i64,
        /// The revision up to which history is forgotten.
        compacted: i64,
    },

    /// The revision lies in the future.
    #[error("revision {requested} is in the future, the current one is {current}")]
    FutureRevision {
        /// The revision that was asked for.
        requested: i64,
        /// The newest revision.
        current: i64,
    },

    /// The reader of a watch fell so far behind that it was cut off; it must list and watch anew.
    #[error("the watch was cut off, its reader is {pending} events behind")]
    SlowWatcher {
        /// How many events were waiting to be read.
        pending: usize,
    },

    /// The disk has no room for the write. Reads go on; writes do as soon as there is room.
    #[error("no space left on the disk of {path}")]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },

    /// The disk failed the write. The write did not happen; the next one tries anew.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },

    /// Key and value together exceed what one record holds.
    #[error("a record of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes of key and value.
        size: usize,
        /// The most bytes allowed.
        limit: usize,
    },

    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// A failed write to `path`, told apart by cause.
    pub(crate) fn write(path: PathBuf, source: io::Error) -> Self {
        let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let source = Arc::new(source);
        if full { Self::DiskFull { path, source } } else { Self::Write { path, source } }
    }
}

/// Why a store's directory could not be opened. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process holds the directory.
    #[error("the store in {dir} is in use by another process")]
    Locked {
        /// The store's directory.
        dir: PathBuf,
    },

    /// A file was written by a newer version of this program.
    #[error("{path} has format version {found}, this program reads versions up to {supported}")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version we know.
        supported: u32,
    },

    /// A file is damaged, and not by a crash while its end was being written.
    #[error("{path} is damaged at byte {offset}: {detail}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What is wrong there.
        detail: &'static str,
    },

    /// Part of the log is not there.
    #[error("revisions {first} to {last} are missing before {path}")]
    Missing {
        /// The file that ought to continue the one before.
        path: PathBuf,
        /// The first missing revision.
        first: i64,
        /// The last missing revision.
        last: i64,
    },

    /// The system refused to read or write a file.
    #[error("cannot open the store: {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// What the user may do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Locked { .. } => Some("stop the other server first, or use another data directory".to_owned()),
            Self::NewerFormat { .. } => Some("run the version of kpkg that wrote it, or a newer one".to_owned()),
            Self::Damaged { path, .. } | Self::Missing { path, .. } => Some(format!(
                "check the disk, then restore {} from a backup; nothing was changed, and what is \
                 before the damage can still be read",
                path.parent().unwrap_or(path).display()
            )),
            Self::Io { .. } => None,
        }
    }
}
