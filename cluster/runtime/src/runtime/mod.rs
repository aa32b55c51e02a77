//! The runtime as the kubelet sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::error::Result;
use crate::image::ImageStore;
use crate::{
    AttachStreams, ContainerConfig, ContainerFilter, ContainerId, ContainerStats, ContainerStatus,
    ExecRequest, ExecResult, ExecStreams, Resources, SandboxConfig, SandboxFilter, SandboxId, SandboxStatus, Usage,
};

/// Where a runtime keeps its things.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Images and the files that containers write.
    pub root: PathBuf,
    /// Sandboxes, containers and their shims' sockets; readable by root only.
    pub state: PathBuf,
    /// The control group below which all pods live, such as `/kpkg-default`.
    pub cgroup_root: String,
    /// The program that answers [`crate::shim::run_if_requested`]: usually this one.
    pub shim_exe: PathBuf,
}

/// What happened to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It was made.
    Created,
    /// Its first process runs.
    Started,
    /// Its first process ended.
    Exited,
    /// It is no more.
    Removed,
}

/// A change of a container's state. The status on disk is newer than or as new as the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// The uid of the pod.
    pub pod_uid: String,
    /// The container.
    pub container: ContainerId,
    /// What happened.
    pub kind: EventKind,
    /// When it was noticed.
    pub at: Timestamp,
}

/// The runtime: images, sandboxes, containers.
#[derive(Debug)]
pub struct Runtime {
    images: ImageStore,
}

impl Runtime {
    /// Opens the directories, making them if missing, and finds all running pods again.
    pub async fn open(_config: RuntimeConfig) -> Result<Arc<Self>> {
        todo!()
    }
    /// Ends every pod below `config`, also those of a crashed server, and removes the state
    /// directory, the control groups and the containers' files. Images stay.
    pub async fn teardown(_config: RuntimeConfig) -> Result<()> {
        todo!()
    }
    /// The images.
    pub fn images(&self) -> &ImageStore {
        &self.images
    }
    /// Changes of containers from now on. A receiver that lags must list.
    pub fn events(&self) -> broadcast::Receiver<ContainerEvent> {
        todo!()
    }
    /// Makes a sandbox and starts its shim.
    pub async fn run_pod_sandbox(&self, _config: SandboxConfig) -> Result<SandboxId> {
        todo!()
    }
    /// Kills what runs in the sandbox and ends its shim; no error if that is done already.
    pub async fn stop_pod_sandbox(&self, _id: &SandboxId) -> Result<()> {
        todo!()
    }
    /// Removes the sandbox and its containers, stopping it first; no error if there is none.
    pub async fn remove_pod_sandbox(&self, _id: &SandboxId) -> Result<()> {
        todo!()
    }
    /// The sandbox as it is.
    pub fn pod_sandbox_status(&self, _id: &SandboxId) -> Result<SandboxStatus> {
        todo!()
    }
    /// All sandboxes that pass the filter.
    pub fn list_pod_sandboxes(&self, _filter: &SandboxFilter) -> Vec<SandboxStatus> {
        todo!()
    }
    /// The usage of the whole pod.
    pub fn pod_sandbox_stats(&self, _id: &SandboxId) -> Result<Usage> {
        todo!()
    }
    /// Changes the limits of the whole pod.
    pub fn update_pod_sandbox_resources(&self, _id: &SandboxId, _resources: &Resources) -> Result<()> {
        todo!()
    }
    /// Makes a container; nothing runs yet.
    pub async fn create_container(&self, _sandbox: &SandboxId, _config: ContainerConfig) -> Result<ContainerId> {
        todo!()
    }
    /// Starts a created container. If its command cannot be run the container is `Exited` with
    /// code 128 and the reason `ContainerCannotRun`, and the error says why.
    pub async fn start_container(&self, _id: &ContainerId) -> Result<()> {
        todo!()
    }
    /// Asks the container to stop, and kills it when `grace` is over. `signal` overrides the
    /// image's stop signal. Returns when it has ended; no error if it ended before.
    pub async fn stop_container(&self, _id: &ContainerId, _grace: Duration, _signal: Option<&str>) -> Result<()> {
        todo!()
    }
    /// Removes a container with its files (not its log), killing it first if it runs; no error if
    /// there is none.
    pub async fn remove_container(&self, _id: &ContainerId) -> Result<()> {
        todo!()
    }
    /// All containers that pass the filter.
    pub fn list_containers(&self, _filter: &ContainerFilter) -> Vec<ContainerStatus> {
        todo!()
    }
    /// The container as it is.
    pub fn container_status(&self, _id: &ContainerId) -> Result<ContainerStatus> {
        todo!()
    }
    /// Resolves when the container has ended.
    pub async fn wait_container(&self, _id: &ContainerId) -> Result<ContainerStatus> {
        todo!()
    }
    /// Changes a container's limits, running or not.
    pub async fn update_container_resources(&self, _id: &ContainerId, _resources: &Resources) -> Result<()> {
        todo!()
    }
    /// The container's usage.
    pub fn container_stats(&self, _id: &ContainerId) -> Result<ContainerStats> {
        todo!()
    }
    /// Starts a new log file now.
    pub async fn reopen_container_log(&self, _id: &ContainerId) -> Result<()> {
        todo!()
    }
    /// Runs a command and waits for it; a zero timeout means none. Output beyond 16 MiB is dropped.
    pub async fn exec_sync(&self, _id: &ContainerId, _cmd: &[String], _timeout: Duration) -> Result<ExecResult> {
        todo!()
    }
    /// Runs a command with open streams.
    pub async fn exec(&self, _id: &ContainerId, _request: ExecRequest) -> Result<ExecStreams> {
        todo!()
    }
    /// Joins the streams of the container's first process.
    pub async fn attach(&self, _id: &ContainerId) -> Result<AttachStreams> {
        todo!()
    }
}
