//! Containers and a network in memory: what tests run pods on.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use kpkg_runtime::{
    AttachStreams, ContainerConfig, ContainerEvent, ContainerId, ContainerState, ContainerStatus, EventKind,
    ExecRequest, ExecResult, ExecStreams, Result, RuntimeError, SandboxConfig, SandboxId, SandboxState, SandboxStatus,
    image::{ImageError, PullOptions},
};
use tokio::sync::broadcast;

use super::{Attached, Cri, ImageFacts, PodNet};

/// A runtime in memory. Every image named `present...` is there, `pull...` can be pulled, others cannot.
/// A container whose command is `exit N` ends at once; others run until stopped.
#[derive(Debug)]
pub(crate) struct FakeCri {
    state: Mutex<State>,
    events: broadcast::Sender<ContainerEvent>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    sandboxes: Vec<SandboxStatus>,
    containers: Vec<ContainerStatus>,
    commands: BTreeMap<ContainerId, Vec<String>>,
    /// What was done, one word each.
    log: Vec<String>,
}

impl FakeCri {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), events: broadcast::channel(64).0 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was done so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Ends a running container.
    pub(crate) fn exit(&self, name: &str, code: i32) {
        let found = self
            .lock()
            .containers
            .iter()
            .find(|container| container.name == name && container.state == ContainerState::Running)
            .map(|container| container.id.clone());
        if let Some(id) = found {
            self.end(&id, code);
        }
    }

    fn end(&self, id: &ContainerId, code: i32) {
        self.change(id, EventKind::Exited, |container| {
            if container.state == ContainerState::Running {
                container.state = ContainerState::Exited;
                container.exit_code = Some(code);
                container.finished_at = Some(Timestamp::now());
                container.reason = if code == 0 { "Completed" } else { "Error" }.to_owned();
            }
        });
    }

    fn change(&self, id: &ContainerId, kind: EventKind, with: impl FnOnce(&mut ContainerStatus)) {
        let mut state = self.lock();
        let Some(container) = state.containers.iter_mut().find(|container| container.id == *id) else { return };
        with(container);
        let sandbox = container.sandbox.clone();
        let pod_uid = state
            .sandboxes
            .iter()
            .find(|have| have.id == sandbox)
            .map(|have| have.config.uid.clone())
            .unwrap_or_default();
        drop(state);
        let _ =
            self.events.send(ContainerEvent { sandbox, pod_uid, container: id.clone(), kind, at: Timestamp::now() });
    }
}

impl State {
    fn id(&mut self) -> String {
        self.next += 1;
        format!("{:064x}", self.next)
    }
}

fn no<T>() -> Result<T> {
    Err(RuntimeError::Shim { message: "not in memory".to_owned() })
}

impl Cri for FakeCri {
    fn resolve_image(&self, reference: &str) -> Result<Option<ImageFacts>, ImageError> {
        Ok(reference.starts_with("present").then(|| ImageFacts { id: "sha256:1".to_owned(), ..ImageFacts::default() }))
    }

    fn pull_image<'a>(
        &'a self,
        reference: &'a str,
        _: &'a PullOptions,
    ) -> BoxFuture<'a, Result<ImageFacts, ImageError>> {
        Box::pin(async move {
            if reference.starts_with("pull") {
                Ok(ImageFacts { id: "sha256:2".to_owned(), size: 42, ..ImageFacts::default() })
            } else {
                Err(ImageError::NotFound { reference: reference.to_owned() })
            }
        })
    }

    fn images(&self) -> Vec<ImageFacts> {
        Vec::new()
    }

    fn events(&self) -> broadcast::Receiver<ContainerEvent> {
        self.events.subscribe()
    }

    fn run_sandbox(&self, config: SandboxConfig) -> BoxFuture<'_, Result<SandboxId>> {
        Box::pin(async move {
            let mut state = self.lock();
            let id: SandboxId = state.id().parse()?;
            state.log.push(format!("sandbox {}", config.name));
            state.sandboxes.push(SandboxStatus {
                id: id.clone(),
                config,
                state: SandboxState::Ready,
                created_at: Timestamp::now(),
            });
            Ok(id)
        })
    }

    fn stop_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut state = self.lock();
            for sandbox in state.sandboxes.iter_mut().filter(|sandbox| sandbox.id == *id) {
                sandbox.state = SandboxState::NotReady;
            }
            Ok(())
        })
    }

    fn remove_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut state = self.lock();
            state.sandboxes.retain(|sandbox| sandbox.id != *id);
            state.containers.retain(|container| container.sandbox != *id);
            Ok(())
        })
    }

    fn sandboxes(&self, pod_uid: Option<&str>) -> Vec<SandboxStatus> {
        let state = self.lock();
        state.sandboxes.iter().filter(|sandbox| pod_uid.is_none_or(|uid| sandbox.config.uid == uid)).cloned().collect()
    }

    fn containers(&self, sandbox: &SandboxId) -> Vec<ContainerStatus> {
        self.lock().containers.iter().filter(|container| container.sandbox == *sandbox).cloned().collect()
    }

    fn create_container<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        config: ContainerConfig,
    ) -> BoxFuture<'a, Result<ContainerId>> {
        Box::pin(async move {
            let mut state = self.lock();
            let id: ContainerId = state.id().parse()?;
            state.commands.insert(id.clone(), config.command);
            state.containers.push(ContainerStatus {
                id: id.clone(),
                sandbox: sandbox.clone(),
                name: config.name,
                attempt: config.attempt,
                state: ContainerState::Created,
                created_at: Timestamp::now(),
                started_at: None,
                finished_at: None,
                exit_code: None,
                signal: None,
                reason: String::new(),
                message: String::new(),
                image: config.image,
                image_id: "sha256:1".to_owned(),
                image_ref: String::new(),
                log_path: config.log_path,
                pid: None,
                labels: config.labels,
                annotations: config.annotations,
                resources: config.resources,
            });
            Ok(id)
        })
    }

    fn start_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut name = String::new();
            self.change(id, EventKind::Started, |container| {
                container.state = ContainerState::Running;
                container.started_at = Some(Timestamp::now());
                name.clone_from(&container.name);
            });
            let command = {
                let mut state = self.lock();
                state.log.push(format!("start {name}"));
                state.commands.get(id).cloned().unwrap_or_default()
            };
            if let [word, code] = command.as_slice()
                && word == "exit"
            {
                self.end(id, code.parse().unwrap_or(1));
            }
            Ok(())
        })
    }

    fn stop_container<'a>(&'a self, id: &'a ContainerId, _: Duration, _: Option<&'a str>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let name = self
                .lock()
                .containers
                .iter()
                .find(|container| container.id == *id)
                .map(|container| container.name.clone());
            self.lock().log.push(format!("stop {}", name.unwrap_or_default()));
            self.end(id, 0);
            Ok(())
        })
    }

    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.lock().containers.retain(|container| container.id != *id);
            Ok(())
        })
    }

    fn exec_sync<'a>(&'a self, _: &'a ContainerId, _: &'a [String], _: Duration) -> BoxFuture<'a, Result<ExecResult>> {
        Box::pin(async { Ok(ExecResult { stdout: vec![], stderr: vec![], exit_code: 0 }) })
    }

    fn exec<'a>(&'a self, _: &'a ContainerId, _: ExecRequest) -> BoxFuture<'a, Result<ExecStreams>> {
        Box::pin(async { no() })
    }

    fn attach<'a>(&'a self, _: &'a ContainerId) -> BoxFuture<'a, Result<AttachStreams>> {
        Box::pin(async { no() })
    }
}

/// A network in memory.
#[derive(Debug, Default)]
pub(crate) struct FakeNet {
    places: Mutex<BTreeMap<String, Attached>>,
}

impl FakeNet {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Attached>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PodNet for FakeNet {
    fn attach<'a>(&'a self, pod_uid: &'a str) -> BoxFuture<'a, io::Result<Attached>> {
        Box::pin(async move {
            let mut places = self.lock();
            let number = u8::try_from(places.len() + 2).unwrap_or(255);
            let place = Attached { netns: PathBuf::from("/nowhere"), ip: [127, 0, 0, number].into() };
            Ok(places.entry(pod_uid.to_owned()).or_insert(place).clone())
        })
    }

    fn detach<'a>(&'a self, pod_uid: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            self.lock().remove(pod_uid);
            Ok(())
        })
    }

    fn find(&self, pod_uid: &str) -> Option<Attached> {
        self.lock().get(pod_uid).cloned()
    }

    fn attached(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }
}
