//! What the server and the shims write down for each other.
//!
//! Every record carries the version of its form. The server writes the sandbox's and the containers'
//! records; a container's status is the shim's from the moment it is asked to start it.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::container::{ContainerConfig, ContainerState, ContainerStatus};
use crate::durable::{self, Durability};
use crate::id::{ContainerId, SandboxId};
use crate::image::Image;
use crate::resources::Resources;
use crate::sandbox::SandboxConfig;

/// The form of the records that this version writes and reads.
pub(crate) const VERSION: u32 = 1;

/// A sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SandboxRecord {
    pub(crate) version: u32,
    pub(crate) id: SandboxId,
    pub(crate) config: SandboxConfig,
    pub(crate) created_at: Timestamp,
    /// The pod's control group, from the root of the hierarchies.
    pub(crate) cgroup: String,
    /// The control group of all shims.
    pub(crate) shims_cgroup: String,
    /// It was stopped on purpose.
    pub(crate) stopped: bool,
}

/// A container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    pub(crate) version: u32,
    pub(crate) id: ContainerId,
    pub(crate) sandbox: SandboxId,
    pub(crate) config: ContainerConfig,
    pub(crate) image: Image,
    /// The image's unpacked layers, the uppermost first.
    pub(crate) layers: Vec<PathBuf>,
    /// The directory of what the container writes.
    pub(crate) files: PathBuf,
    pub(crate) created_at: Timestamp,
    /// Its control group, from the root of the hierarchies.
    pub(crate) cgroup: String,
}

/// Where a container is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusRecord {
    pub(crate) state: ContainerState,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) pid: Option<i32>,
}

/// Reasons of an end, in Kubernetes' words.
pub(crate) mod reason {
    pub(crate) const COMPLETED: &str = "Completed";
    pub(crate) const ERROR: &str = "Error";
    pub(crate) const OOM_KILLED: &str = "OOMKilled";
    pub(crate) const CANNOT_RUN: &str = "ContainerCannotRun";
    pub(crate) const UNKNOWN: &str = "Unknown";
}

/// The exit code of a container that could not be started.
pub(crate) const CANNOT_RUN_CODE: i32 = 128;
/// The exit code of a process ended by `SIGKILL`, and of those whose end nobody saw.
pub(crate) const KILLED_CODE: i32 = 137;

impl StatusRecord {
    pub(crate) fn created() -> Self {
        Self {
            state: ContainerState::Created,
            started_at: None,
            finished_at: None,
            exit_code: None,
            signal: None,
            reason: String::new(),
            message: String::new(),
            pid: None,
        }
    }

    pub(crate) fn running(pid: i32) -> Self {
        Self { state: ContainerState::Running, started_at: Some(Timestamp::now()), pid: Some(pid), ..Self::created() }
    }

    pub(crate) fn cannot_run(message: &str) -> Self {
        let now = Some(Timestamp::now());
        Self {
            state: ContainerState::Exited,
            started_at: now,
            finished_at: now,
            exit_code: Some(CANNOT_RUN_CODE),
            reason: reason::CANNOT_RUN.to_owned(),
            message: message.to_owned(),
            ..Self::created()
        }
    }

    /// The same container after its end.
    pub(crate) fn ended(self, exit_code: i32, signal: Option<i32>, oom_killed: bool) -> Self {
        let reason = match exit_code {
            0 => reason::COMPLETED,
            _ if oom_killed => reason::OOM_KILLED,
            _ => reason::ERROR,
        };
        Self {
            state: ContainerState::Exited,
            finished_at: Some(Timestamp::now()),
            exit_code: Some(exit_code),
            signal,
            reason: reason.to_owned(),
            pid: None,
            ..self
        }
    }

    /// The same container when its shim is gone and it was killed.
    pub(crate) fn lost(self, message: &str) -> Self {
        Self { reason: reason::UNKNOWN.to_owned(), message: message.to_owned(), ..self.ended(KILLED_CODE, None, false) }
    }
}

impl ContainerRecord {
    /// The container as others see it.
    pub(crate) fn status(&self, status: StatusRecord, resources: Resources) -> ContainerStatus {
        ContainerStatus {
            id: self.id.clone(),
            sandbox: self.sandbox.clone(),
            name: self.config.name.clone(),
            attempt: self.config.attempt,
            state: status.state,
            created_at: self.created_at,
            started_at: status.started_at,
            finished_at: status.finished_at,
            exit_code: status.exit_code,
            signal: status.signal,
            reason: status.reason,
            message: status.message,
            image: self.config.image.clone(),
            image_id: self.image.id.clone(),
            image_ref: self.image.digests.first().unwrap_or(&self.image.id).clone(),
            log_path: self.config.log_path.clone(),
            pid: status.pid,
            labels: self.config.labels.clone(),
            annotations: self.config.annotations.clone(),
            resources,
        }
    }
}

/// The directory of one sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SandboxDir(PathBuf);

impl SandboxDir {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("sandbox.json")
    }

    /// The mount point of the pause process's root.
    pub(crate) fn pause_root(&self) -> PathBuf {
        self.0.join("pause")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("shim.log")
    }

    pub(crate) fn containers(&self) -> PathBuf {
        self.0.join("containers")
    }

    pub(crate) fn container(&self, id: &ContainerId) -> ContainerDir {
        ContainerDir(self.containers().join(id.as_str()))
    }

    pub(crate) fn read(&self) -> io::Result<Option<SandboxRecord>> {
        durable::read_json(&self.record())
    }

    pub(crate) fn write(&self, record: &SandboxRecord) -> io::Result<()> {
        durable::write_json(&self.record(), record, Durability::Process)
    }
}

/// The name of the shim's socket in the sandbox's directory.
pub(crate) const SOCKET: &str = "shim.sock";

/// The directory of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerDir(PathBuf);

impl ContainerDir {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What libcontainer reads.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// Where the root file system is mounted, in the container's own mount namespace only.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.0.join("bundle/rootfs")
    }

    /// Where the pod's `/dev/shm` is mounted on the way into the container.
    pub(crate) fn shm(&self) -> PathBuf {
        self.0.join("bundle/shm")
    }

    /// The OCI specification.
    pub(crate) fn spec(&self) -> PathBuf {
        self.0.join("bundle/config.json")
    }

    /// libcontainer's own notes.
    pub(crate) fn libcontainer(&self) -> PathBuf {
        self.0.join("libcontainer")
    }

    /// Where libcontainer hands over the terminal.
    pub(crate) fn console(&self) -> PathBuf {
        self.0.join("console.sock")
    }

    pub(crate) fn read(&self) -> io::Result<Option<ContainerRecord>> {
        durable::read_json(&self.0.join("container.json"))
    }

    pub(crate) fn write(&self, record: &ContainerRecord) -> io::Result<()> {
        durable::write_json(&self.0.join("container.json"), record, Durability::Process)
    }

    pub(crate) fn read_status(&self) -> io::Result<Option<StatusRecord>> {
        durable::read_json(&self.0.join("status.json"))
    }

    /// Writes the status; an end survives a loss of power.
    pub(crate) fn write_status(&self, status: &StatusRecord) -> io::Result<()> {
        let durability = match status.state {
            ContainerState::Exited => Durability::Machine,
            _ => Durability::Process,
        };
        durable::write_json(&self.0.join("status.json"), status, durability)
    }

    /// The limits in force, where they were changed after the start.
    pub(crate) fn read_resources(&self) -> io::Result<Option<Resources>> {
        durable::read_json(&self.0.join("resources.json"))
    }

    pub(crate) fn write_resources(&self, resources: &Resources) -> io::Result<()> {
        durable::write_json(&self.0.join("resources.json"), resources, Durability::Process)
    }
}
