//! Images, sandboxes and containers on one machine: CRI's nouns and semantics as a Rust API.
//!
//! A *sandbox* is the shared part of a pod: its namespaces, its control group and its shim. The
//! *shim* is this same binary, executed again as a small single-threaded process that outlives the
//! server: it starts the pod's containers (through libcontainer), writes their logs, and puts each
//! exit code on disk before anybody is told of it. So a server that dies loses nothing; the next one
//! opens the same directories and finds every pod again. An *image* is a manifest, a configuration
//! and layers; a layer is kept compressed as a blob and unpacked once for overlayfs.
//!
//! Start at [`Runtime`]; images are behind [`Runtime::images`]. `main` of every program that opens a
//! runtime must call [`shim::run_if_requested`] first.
//!
//! What this crate does not do: pod networking (it is handed a network namespace), volumes (it is
//! handed paths) and restart policies (the kubelet decides).

mod cgroup;
mod container;
mod durable;
mod error;
mod exec;
mod id;
mod record;
mod resources;
mod runtime;
mod sandbox;
mod spec;

pub mod build;
#[cfg(target_env = "gnu")]
pub mod heap;
pub mod image;
pub mod shim;

pub use container::{
    Capabilities, ContainerConfig, ContainerFilter, ContainerState, ContainerStatus, Device, LogRotation, Mount,
    Propagation, Seccomp, Security,
};
pub use error::{Result, RuntimeError};
pub use exec::{AttachStreams, ExecRequest, ExecResult, ExecStreams, Resizer, StreamReader, StreamWriter};
pub use id::{ContainerId, SandboxId};
pub use resources::{ContainerStats, Resources, Usage};
pub use runtime::{ContainerEvent, EventKind, Runtime, RuntimeConfig};
pub use sandbox::{SandboxConfig, SandboxFilter, SandboxState, SandboxStatus};
