//! A Kubernetes cluster in one process: everything in `cluster/`, wired together.
//!
//! A *cluster* has a name and a data directory ([`Layout`]). What is chosen at its first start
//! ([`Settings`]: ranges, port, node name) is kept there. The *server* is one process that holds the
//! lock of the data directory; it runs as a daemon ([`start`]) or in the foreground ([`run`] after
//! [`prepare`]). Containers live in processes of their own, so a server that stops or dies takes
//! none with it, and the next one takes them up again.
//!
//! - [`start`], [`stop`], [`delete`], [`status`]: what the commands call.
//! - [`preflight`]: what a machine must have, with how to mend it.
//! - [`run`]: the wiring; start reading at `wiring`.
//! - [`kubeconfig`]: access for kubectl and everyone else.
//!
//! What it does not do: several nodes, several servers.

mod compaction;
mod error;
mod files;
pub mod kubeconfig;
mod layout;
mod machine;
mod notify;
mod pki;
pub mod preflight;
mod process;
mod registry;
mod serve;
mod settings;
mod start;
mod status;
mod stop;
mod supervisor;
mod wiring;

pub use error::Error;
pub use kpkg_network::IpNet;
pub use layout::Layout;
pub use settings::{DEFAULT_NAME, Request, Settings};
pub use start::{Started, prepare, start};
pub use status::{NodeStatus, PodCount, State, Status, status};
pub use stop::{delete, stop};
pub use wiring::{report_failure, run};
