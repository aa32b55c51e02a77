//! What the server knows of sandboxes and containers; the directories know as much.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::error::{Result, RuntimeError};
use crate::record::{ContainerDir, ContainerRecord, SandboxDir, SandboxRecord, StatusRecord};
use crate::resources::Resources;
use crate::{ContainerId, ContainerState, ContainerStatus, SandboxId, SandboxState, SandboxStatus};

/// A sandbox.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) id: SandboxId,
    /// The pod's control group.
    pub(super) cgroup: String,
    pub(super) dir: SandboxDir,
    record: Mutex<SandboxRecord>,
    /// Whether its shim answers.
    alive: watch::Sender<bool>,
}

impl Sandbox {
    pub(super) fn new(dir: SandboxDir, record: SandboxRecord, alive: bool) -> Self {
        let (id, cgroup) = (record.id.clone(), record.cgroup.clone());
        Self { id, cgroup, dir, record: Mutex::new(record), alive: watch::Sender::new(alive) }
    }

    /// A copy of the record as it is.
    pub(super) fn record(&self) -> SandboxRecord {
        lock(&self.record).clone()
    }

    /// Whether it was stopped on purpose.
    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.record).stopped
    }

    /// Changes the record, on disk first.
    pub(super) fn change(&self, change: impl FnOnce(&mut SandboxRecord)) -> Result<()> {
        let mut record = lock(&self.record);
        let mut changed = record.clone();
        change(&mut changed);
        self.dir.write(&changed).map_err(RuntimeError::file("write", self.dir.record()))?;
        *record = changed;
        Ok(())
    }

    pub(super) fn is_alive(&self) -> bool {
        *self.alive.borrow()
    }

    pub(super) fn set_dead(&self) {
        self.alive.send_replace(false);
    }

    /// Resolves when the shim is gone and what it left behind was seen to.
    pub(super) async fn dead(&self) {
        let _ = self.alive.subscribe().wait_for(|alive| !alive).await; // its sender lives in `self`
    }

    pub(super) fn status(&self) -> SandboxStatus {
        let record = self.record();
        let is_ready = self.is_alive() && !record.stopped;
        SandboxStatus {
            id: record.id.clone(),
            config: record.config.clone(),
            state: if is_ready { SandboxState::Ready } else { SandboxState::NotReady },
            created_at: record.created_at,
        }
    }
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) dir: ContainerDir,
    pub(super) record: ContainerRecord,
    status: watch::Sender<StatusRecord>,
    resources: Mutex<Resources>,
}

impl Container {
    pub(super) fn new(dir: ContainerDir, record: ContainerRecord, status: StatusRecord, resources: Resources) -> Self {
        Self { dir, record, status: watch::Sender::new(status), resources: Mutex::new(resources) }
    }

    pub(super) fn state(&self) -> ContainerState {
        self.status.borrow().state
    }

    pub(super) fn status(&self) -> ContainerStatus {
        self.record.status(self.status.borrow().clone(), lock(&self.resources).clone())
    }

    pub(super) fn set_status(&self, status: StatusRecord) {
        self.status.send_replace(status);
    }

    pub(super) fn status_record(&self) -> StatusRecord {
        self.status.borrow().clone()
    }

    /// Reads again what the shim wrote.
    pub(super) fn refresh(&self) {
        match self.dir.read_status() {
            Ok(Some(status)) => self.set_status(status),
            Ok(None) => {}
            Err(error) => tracing::error!(container = %self.record.id, %error, "cannot read the status of a container"),
        }
    }

    /// Resolves when it is not running any more.
    pub(super) async fn ended(&self) {
        let is_over =
            |status: &StatusRecord| !matches!(status.state, ContainerState::Running | ContainerState::Created);
        let _ = self.status.subscribe().wait_for(is_over).await; // its sender lives in `self`
    }

    pub(super) fn set_resources(&self, resources: Resources) {
        *lock(&self.resources) = resources;
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct State {
    sandboxes: Mutex<BTreeMap<SandboxId, Arc<Sandbox>>>,
    containers: Mutex<BTreeMap<ContainerId, Arc<Container>>>,
}

impl State {
    pub(super) fn sandbox(&self, id: &SandboxId) -> Result<Arc<Sandbox>> {
        let missing = || RuntimeError::NotFound { what: "pod sandbox", id: id.to_string() };
        lock(&self.sandboxes).get(id).cloned().ok_or_else(missing)
    }

    pub(super) fn container(&self, id: &ContainerId) -> Result<Arc<Container>> {
        let missing = || RuntimeError::NotFound { what: "container", id: id.to_string() };
        lock(&self.containers).get(id).cloned().ok_or_else(missing)
    }

    pub(super) fn sandboxes(&self) -> Vec<Arc<Sandbox>> {
        lock(&self.sandboxes).values().cloned().collect()
    }

    pub(super) fn containers(&self) -> Vec<Arc<Container>> {
        lock(&self.containers).values().cloned().collect()
    }

    pub(super) fn containers_of(&self, sandbox: &SandboxId) -> Vec<Arc<Container>> {
        let mut containers = self.containers();
        containers.retain(|container| container.record.sandbox == *sandbox);
        containers
    }

    pub(super) fn add_sandbox(&self, id: SandboxId, sandbox: Arc<Sandbox>) {
        lock(&self.sandboxes).insert(id, sandbox);
    }

    pub(super) fn add_container(&self, container: Arc<Container>) {
        lock(&self.containers).insert(container.record.id.clone(), container);
    }

    pub(super) fn remove_sandbox(&self, id: &SandboxId) {
        lock(&self.sandboxes).remove(id);
    }

    pub(super) fn remove_container(&self, id: &ContainerId) {
        lock(&self.containers).remove(id);
    }
}

/// Nothing that holds these locks can fail half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
