//! Why a cluster could not be started, looked at, stopped or deleted.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use crate::preflight::Problem;

/// A failure of the cluster as a whole. [`Error::hint`] says what the user may do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name serves as part of interface, table and cgroup names.
    #[error("`{name}` cannot name a cluster: 1 to 40 lower-case letters, digits and inner dashes")]
    BadName {
        /// The name asked for.
        name: String,
    },

    /// The data directory was written by a newer version.
    #[error("data directory {dir} was written by a newer kpkg (layout {found}, this one knows {supported})")]
    NewerDataDir {
        /// The data directory.
        dir: PathBuf,
        /// Its layout version.
        found: u32,
        /// The newest layout we know.
        supported: u32,
    },

    /// The directory holds something else.
    #[error("{dir} is not a kpkg data directory, and not empty")]
    ForeignDataDir {
        /// The directory.
        dir: PathBuf,
    },

    /// The directory belongs to another cluster.
    #[error("data directory {dir} belongs to cluster `{found}`, not to `{asked}`")]
    OtherCluster {
        /// The data directory.
        dir: PathBuf,
        /// Whose it is.
        found: String,
        /// The cluster that was asked for.
        asked: String,
    },

    /// A cluster of this name lives elsewhere on this machine.
    #[error("cluster `{name}` exists already, in {dir}")]
    NameTaken {
        /// The name.
        name: String,
        /// The data directory of the other one.
        dir: PathBuf,
    },

    /// What was chosen at the first start cannot be changed.
    #[error("the {what} of this cluster is {fixed} and cannot become {asked}")]
    Fixed {
        /// The setting.
        what: &'static str,
        /// Its value.
        fixed: String,
        /// The value asked for.
        asked: String,
    },

    /// The machine cannot run a cluster.
    #[error("this machine cannot run a cluster:{}", list(.problems))]
    Preflight {
        /// What is missing, at least one.
        problems: Vec<Problem>,
    },

    /// Something listens on the API server's port.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where we would listen.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// There is no cluster.
    #[error("there is no cluster in {dir}")]
    NoCluster {
        /// The data directory.
        dir: PathBuf,
    },

    /// Another process serves this data directory.
    #[error("the cluster is running already (process {pid})")]
    Running {
        /// The server.
        pid: u32,
    },

    /// The server ended before it was ready.
    #[error("the cluster did not start: {reason}")]
    Start {
        /// What it said last.
        reason: String,
        /// Its own advice.
        hint: Option<String>,
    },

    /// The server did not become ready in time.
    #[error("the cluster is not ready after {} s; last step: {step}", .waited.as_secs())]
    Timeout {
        /// How long we waited.
        waited: Duration,
        /// What it was doing.
        step: String,
    },

    /// The server does not stop.
    #[error("process {pid} does not stop")]
    Stuck {
        /// The server.
        pid: u32,
    },

    /// Mounts below the data directory cannot be removed.
    #[error("{path} is still mounted")]
    Mounted {
        /// The mount point.
        path: PathBuf,
    },

    /// A file or directory failed us.
    #[error("cannot {action} {path}")]
    File {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// A file of ours makes no sense.
    #[error("{path} cannot be understood: {detail}")]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },

    /// The system refused something that concerns no file.
    #[error("cannot {action}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// A certificate could not be made.
    #[error("cannot make the certificate of {subject}")]
    Certificate {
        /// Whose.
        subject: String,
        /// What the library said.
        #[source]
        source: rcgen::Error,
    },

    /// TLS could not be set up with the cluster's certificates.
    #[error("cannot set up TLS with the certificates in {dir}: {detail}")]
    Tls {
        /// Where they are.
        dir: PathBuf,
        /// What the library said.
        detail: String,
    },

    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] kpkg_store::OpenError),

    /// The network could not be set up or removed.
    #[error(transparent)]
    Network(#[from] kpkg_network::Error),

    /// The container runtime could not be opened or removed.
    #[error(transparent)]
    Runtime(#[from] kpkg_runtime::RuntimeError),

    /// Our own API server refused what every cluster needs.
    #[error("cannot make what every cluster has: {reason}")]
    Bootstrap {
        /// What the API server said.
        reason: String,
    },
}

fn list(problems: &[Problem]) -> String {
    if let [problem] = problems {
        return format!(" {}", problem.what);
    }
    problems.iter().map(|problem| format!("\n  - {}", problem.what)).collect()
}

impl Error {
    /// For `map_err` on a file operation.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// For `map_err` on a system call.
    pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }

    /// What the user may do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NewerDataDir { .. } => Some("use the kpkg that wrote it, or a newer one".to_owned()),
            Self::ForeignDataDir { .. } => Some("name an empty or new directory with --data-dir".to_owned()),
            Self::OtherCluster { found, .. } => Some(format!("pass --name {found}, or another --data-dir")),
            Self::NameTaken { dir, .. } => Some(format!("pass --data-dir {}, or another --name", dir.display())),
            Self::Fixed { .. } => Some("delete the cluster first, or start another one with another --name".to_owned()),
            Self::Preflight { problems } => {
                Some(problems.iter().map(|problem| problem.mend.as_str()).collect::<Vec<_>>().join("\nhint: "))
            }
            Self::Listen { address, .. } => Some(format!(
                "`ss -ltnp 'sport = :{}'` shows who listens there; --api-port chooses another port",
                address.port()
            )),
            Self::NoCluster { .. } => Some("`kpkg cluster start` makes one".to_owned()),
            Self::Start { hint, .. } => hint.clone(),
            Self::Store(error) => error.hint(),
            Self::File { source, .. } | Self::System { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => Some("free some disk space".to_owned()),
                io::ErrorKind::PermissionDenied => Some("run this as root, for example with sudo".to_owned()),
                _ => None,
            },
            _ => None,
        }
    }
}
