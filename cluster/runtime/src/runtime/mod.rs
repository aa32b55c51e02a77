//! The runtime as the kubelet sees it.
//!
//! State is in directories; what is in memory is read from them. Each living sandbox has a task that
//! listens to its shim ([`watch`]); everything else is a request to a shim and its answer.

mod client;
mod commands;
mod containers;
mod sandboxes;
mod signal;
mod spawn;
mod state;
mod streams;
mod watch;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::FlockOperation;
use tokio::sync::broadcast;

use crate::cgroup::Cgroups;
use crate::durable;
use crate::error::{Result, RuntimeError};
use crate::image::ImageStore;
use crate::record::{SandboxDir, SandboxRecord, VERSION};
use crate::{ContainerId, SandboxId};
use spawn::ShimProgram;
use state::{Container, Sandbox, State};

const EVENT_BACKLOG: usize = 4096;
const SHIMS: &str = "shims";

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

/// A change of a container's state. The status that can be asked for is as new as the event.
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

/// The runtime: images, sandboxes, containers. It lives in a tokio runtime.
#[derive(Debug)]
pub struct Runtime {
    config: RuntimeConfig,
    images: ImageStore,
    cgroups: Cgroups,
    program: Arc<ShimProgram>,
    state: State,
    events: broadcast::Sender<ContainerEvent>,
    /// Keeps other servers out of the state directory.
    _lock: File,
}

impl Runtime {
    /// Opens the directories, making them if missing, and finds all running pods again.
    pub async fn open(config: RuntimeConfig) -> Result<Arc<Self>> {
        check_cgroup_root(&config.cgroup_root)?;
        let images = ImageStore::open(&config.root)?;
        let sandboxes = config.state.join("sandboxes");
        for directory in [&config.state, &sandboxes] {
            durable::private_directory(directory).map_err(RuntimeError::file("make", directory))?;
        }
        let lock = lock_state(&config.state)?;
        let cgroups = Cgroups::detect().map_err(RuntimeError::file("read", "/proc/self/mountinfo"))?;
        let program = ShimProgram::open(&config.shim_exe).map_err(RuntimeError::file("open", &config.shim_exe))?;
        let runtime = Arc::new(Self {
            config,
            images,
            cgroups,
            program: Arc::new(program),
            state: State::default(),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            _lock: lock,
        });
        runtime.adopt(&sandboxes).await?;
        runtime.remove_orphans();
        Ok(runtime)
    }

    /// Ends every pod below `config`, also those of a crashed server, and removes the state
    /// directory, the control groups and the containers' files. Images stay.
    pub async fn teardown(config: RuntimeConfig) -> Result<()> {
        check_cgroup_root(&config.cgroup_root)?;
        blocking(move || {
            let cgroups = Cgroups::detect().map_err(RuntimeError::file("read", "/proc/self/mountinfo"))?;
            let group = config.cgroup_root.as_str();
            cgroups.kill(group).map_err(RuntimeError::file("end the pods in", group))?;
            cgroups.remove(group).map_err(RuntimeError::file("remove", group))?;
            for directory in [config.state.clone(), config.root.join("containers")] {
                durable::remove_tree(&directory).map_err(RuntimeError::file("remove", directory))?;
            }
            Ok(())
        })
        .await
    }

    /// The images.
    pub fn images(&self) -> &ImageStore {
        &self.images
    }

    /// Changes of containers from now on. A receiver that lags must list.
    pub fn events(&self) -> broadcast::Receiver<ContainerEvent> {
        self.events.subscribe()
    }

    /// Takes over the sandboxes that an earlier server left.
    async fn adopt(self: &Arc<Self>, sandboxes: &Path) -> Result<()> {
        for entry in fs::read_dir(sandboxes).map_err(RuntimeError::file("read", sandboxes))? {
            let entry = entry.map_err(RuntimeError::file("read", sandboxes))?;
            let dir = SandboxDir::new(entry.path());
            match dir.read() {
                Ok(Some(record)) if record.version == VERSION => self.adopt_sandbox(dir, record).await,
                Ok(Some(record)) => {
                    return Err(RuntimeError::Invalid {
                        field: "state directory",
                        problem: format!(
                            "sandbox {} has form {}, this version reads {VERSION}",
                            record.id, record.version
                        ),
                    });
                }
                // It was made when the server ended; nothing runs in it.
                Ok(None) => remove_leftover(dir.path()),
                Err(error) => {
                    tracing::error!(path = %dir.path().display(), %error, "removing a damaged sandbox");
                    remove_leftover(dir.path());
                }
            }
        }
        Ok(())
    }

    async fn adopt_sandbox(self: &Arc<Self>, dir: SandboxDir, record: SandboxRecord) {
        let id = record.id.clone();
        for container in read_containers(&dir) {
            self.state.add_container(Arc::new(container));
        }
        let sandbox = Arc::new(Sandbox::new(dir, record, true));
        self.state.add_sandbox(id, Arc::clone(&sandbox));
        self.watch(&sandbox).await;
    }

    /// Removes files of containers that no sandbox knows.
    fn remove_orphans(&self) {
        let directory = self.images.layout().containers();
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let id = entry.file_name().to_string_lossy().parse::<ContainerId>();
            if !id.is_ok_and(|id| self.state.container(&id).is_ok()) {
                remove_leftover(&entry.path());
            }
        }
    }

    fn tell(&self, container: &Container, kind: EventKind) {
        let sandbox = container.record.sandbox.clone();
        let pod_uid = self.state.sandbox(&sandbox).map(|sandbox| sandbox.record().config.uid).unwrap_or_default();
        let event =
            ContainerEvent { sandbox, pod_uid, container: container.record.id.clone(), kind, at: Timestamp::now() };
        let _ = self.events.send(event); // nobody may be listening
    }
}

fn check_cgroup_root(root: &str) -> Result<()> {
    let plain = |part: &str| !part.is_empty() && !matches!(part, "." | "..");
    match root.strip_prefix('/') {
        Some(relative) if relative.split('/').all(plain) => Ok(()),
        _ => Err(RuntimeError::Invalid {
            field: "cgroup_root",
            problem: format!("`{root}` is not an absolute path of a group"),
        }),
    }
}

fn lock_state(state: &Path) -> Result<File> {
    let path = state.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(RuntimeError::file("open", &path))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RuntimeError::Invalid {
            field: "state directory",
            problem: format!("{} is used by another process", state.display()),
        }),
        Err(error) => Err(RuntimeError::file("lock", path)(error.into())),
    }
}

fn read_containers(dir: &SandboxDir) -> Vec<Container> {
    let mut containers = Vec::new();
    for entry in fs::read_dir(dir.containers()).into_iter().flatten().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<ContainerId>() else { continue };
        let dir = dir.container(&id);
        match (dir.read(), dir.read_status()) {
            (Ok(Some(record)), Ok(Some(status))) => {
                let resources = dir.read_resources().ok().flatten().unwrap_or_else(|| record.config.resources.clone());
                containers.push(Container::new(dir, record, status, resources));
            }
            _ => remove_leftover(dir.path()), // it was being made, or went with the machine's power
        }
    }
    containers
}

fn remove_leftover(path: &Path) {
    if let Err(error) = durable::remove_tree(path) {
        tracing::error!(path = %path.display(), %error, "cannot remove a leftover of the runtime");
    }
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                Err(RuntimeError::file("finish work on", "the runtime's files")(std::io::Error::other(error)))
            }
        },
    }
}
