//! Containers: what is asked for and what there is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ContainerId, SandboxId};
use crate::resources::Resources;

/// A container as the kubelet wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerConfig {
    /// The container's name in its pod.
    pub name: String,
    /// How many containers of this name the sandbox had before.
    pub attempt: u32,
    /// The image: a reference, or an image id. It must be in the store.
    pub image: String,
    /// Replaces the image's entry point and drops its arguments; empty keeps them.
    pub command: Vec<String>,
    /// Replaces the image's arguments; empty keeps them unless `command` is given.
    pub args: Vec<String>,
    /// The working directory; `None` is the image's. Created if missing.
    pub working_dir: Option<String>,
    /// Environment in order, over the image's.
    pub env: Vec<(String, String)>,
    /// What is mounted, in order; `/etc/hosts` and the like are mounts too.
    pub mounts: Vec<Mount>,
    /// Devices beside the usual ones.
    pub devices: Vec<Device>,
    /// Who the processes are and what they may do.
    pub security: Security,
    /// The container's limits.
    pub resources: Resources,
    /// The log file in CRI's format; its directory is created. `None` discards the output.
    pub log_path: Option<PathBuf>,
    /// When the log starts a new file.
    pub log_rotation: LogRotation,
    /// The process has a terminal.
    pub tty: bool,
    /// The process has an open standard input, fed by attaching.
    pub stdin: bool,
    /// Standard input closes when the first attached client leaves.
    pub stdin_once: bool,
    /// Kept and handed back.
    pub labels: BTreeMap<String, String>,
    /// Kept and handed back.
    pub annotations: BTreeMap<String, String>,
}

/// A path of the machine inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The file or directory on the machine; it must exist.
    pub host_path: PathBuf,
    /// Where the container sees it; created if missing.
    pub container_path: PathBuf,
    /// Not writable from inside, mounts below it included.
    pub readonly: bool,
    /// Which later mounts pass between the two sides.
    pub propagation: Propagation,
}

/// Which later mounts pass between the machine and a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// None.
    #[default]
    Private,
    /// The machine's mounts appear in the container, also below its other mounts.
    HostToContainer,
}

/// A device node of the machine inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The node on the machine.
    pub host_path: PathBuf,
    /// The node in the container.
    pub container_path: PathBuf,
    /// Any of `r`, `w` and `m`.
    pub permissions: String,
}

/// Capabilities to add to and take from the default set; names with or without `CAP_`, or `ALL`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Added.
    pub add: Vec<String>,
    /// Taken away; wins over what `ALL` added.
    pub drop: Vec<String>,
}

/// The system calls that are let through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// The runtime's list.
    #[default]
    RuntimeDefault,
    /// Every call.
    Unconfined,
    /// A profile in OCI's JSON form.
    Localhost(PathBuf),
}

/// Who a container's processes are and what they may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// The user id; over `run_as_username` and the image's user.
    pub run_as_user: Option<u32>,
    /// The group id; the user's own if absent.
    pub run_as_group: Option<u32>,
    /// A user name known to the image; over the image's user.
    pub run_as_username: Option<String>,
    /// Refuse to start as user 0.
    pub run_as_non_root: bool,
    /// Groups beside the user's (`fsGroup`, `supplementalGroups`).
    pub supplemental_groups: Vec<u32>,
    /// Ignore the groups that the image gives the user (`supplementalGroupsPolicy: Strict`).
    pub strict_groups: bool,
    /// Capabilities beside or without the default ones.
    pub capabilities: Capabilities,
    /// All capabilities, the machine's devices, no masked paths, no filter of system calls.
    pub privileged: bool,
    /// The root file system cannot be written.
    pub read_only_rootfs: bool,
    /// Programs cannot gain rights by being executed.
    pub no_new_privs: bool,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// Paths hidden in the container; `None` is the usual list.
    pub masked_paths: Option<Vec<String>>,
    /// Paths that cannot be written; `None` is the usual list.
    pub readonly_paths: Option<Vec<String>>,
}

/// When a log starts a new file, and how many files stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRotation {
    /// Bytes after which a new file starts.
    pub max_bytes: u64,
    /// Files kept, the current one included.
    pub max_files: u32,
}

impl Default for LogRotation {
    /// Kubernetes' values.
    fn default() -> Self {
        Self { max_bytes: 10 << 20, max_files: 5 }
    }
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Its first process runs.
    Running,
    /// Its first process ended, or could not be started.
    Exited,
    /// It ran, and what became of it cannot be known (the machine was restarted).
    Unknown,
}

/// A container as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Its identity.
    pub id: ContainerId,
    /// The sandbox it belongs to.
    pub sandbox: SandboxId,
    /// Its name in its pod.
    pub name: String,
    /// How many containers of this name came before.
    pub attempt: u32,
    /// Where it is in its life.
    pub state: ContainerState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first process started.
    pub started_at: Option<Timestamp>,
    /// When its first process ended.
    pub finished_at: Option<Timestamp>,
    /// The exit code; 128 and the signal's number if a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun` or `Unknown`; empty before the end.
    pub reason: String,
    /// Why it could not run.
    pub message: String,
    /// The image as it was asked for.
    pub image: String,
    /// The id of the image.
    pub image_id: String,
    /// The digests the image was pulled by, as `repository@sha256:...`.
    pub image_ref: String,
    /// The log file.
    pub log_path: Option<PathBuf>,
    /// The id of its first process on the machine, while it runs.
    pub pid: Option<i32>,
    /// As given.
    pub labels: BTreeMap<String, String>,
    /// As given.
    pub annotations: BTreeMap<String, String>,
    /// The limits in force.
    pub resources: Resources,
}

/// Which containers to list; the default is all.
#[derive(Debug, Clone, Default)]
pub struct ContainerFilter {
    /// Only those of this sandbox.
    pub sandbox: Option<SandboxId>,
    /// Only those in this state.
    pub state: Option<ContainerState>,
}
