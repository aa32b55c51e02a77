//! Pod sandboxes: what is asked for and what there is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::SandboxId;
use crate::resources::Resources;

/// A pod's shared part, as the kubelet wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SandboxConfig {
    /// The pod's name.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's uid.
    pub uid: String,
    /// How many sandboxes this pod had before.
    pub attempt: u32,
    /// The pod's host name; `None` keeps the machine's (host network).
    pub hostname: Option<String>,
    /// The pod's network namespace; `None` is the machine's.
    pub netns: Option<PathBuf>,
    /// The pod's control group below the runtime's root, such as `burstable/pod1234`; `None` is
    /// `pod<uid>`. It is created, and removed with the sandbox.
    pub cgroup_parent: Option<String>,
    /// Limits of the whole pod.
    pub resources: Resources,
    /// Namespaced kernel parameters, such as `net.core.somaxconn`.
    pub sysctls: BTreeMap<String, String>,
    /// One process namespace for all containers of the pod.
    pub share_process_namespace: bool,
    /// The containers see the machine's processes.
    pub host_pid: bool,
    /// The containers share the machine's System V IPC and `/dev/shm`.
    pub host_ipc: bool,
    /// Bytes of `/dev/shm`; 64 MiB if absent.
    pub shm_bytes: Option<u64>,
    /// Kept and handed back.
    pub labels: BTreeMap<String, String>,
    /// Kept and handed back.
    pub annotations: BTreeMap<String, String>,
}

/// Whether containers can be started in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxState {
    /// Its namespaces and shim live.
    Ready,
    /// It was stopped, or its shim is gone.
    NotReady,
}

/// A sandbox as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxStatus {
    /// Its identity.
    pub id: SandboxId,
    /// What it was made from.
    pub config: SandboxConfig,
    /// Whether it lives.
    pub state: SandboxState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which sandboxes to list; the default is all.
#[derive(Debug, Clone, Default)]
pub struct SandboxFilter {
    /// Only the pod with this uid.
    pub pod_uid: Option<String>,
    /// Only those in this state.
    pub state: Option<SandboxState>,
}
