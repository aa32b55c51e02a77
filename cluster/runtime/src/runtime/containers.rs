//! The life of containers.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::client::Conversation;
use super::state::{Container, Sandbox};
use super::{EventKind, Runtime, blocking, signal};
use crate::cgroup::Cgroups;
use crate::durable::{self, Durability};
use crate::error::{Result, RuntimeError};
use crate::image::{ContainerUse, Image, ImageError, ImageStore, USE_FILE, size_of_tree};
use crate::record::{ContainerRecord, StatusRecord, VERSION};
use crate::resources::{ContainerStats, Resources};
use crate::shim::protocol::{Operation, Reply};
use crate::{ContainerConfig, ContainerFilter, ContainerId, ContainerState, ContainerStatus, SandboxId};

/// How long a killed container may take to end.
const KILL: Duration = Duration::from_secs(30);
const DEFAULT_STOP_SIGNAL: &str = "SIGTERM";

impl Runtime {
    /// Makes a container; nothing runs yet.
    pub async fn create_container(&self, sandbox: &SandboxId, config: ContainerConfig) -> Result<ContainerId> {
        let sandbox = self.ready(sandbox)?;
        check(&config)?;
        let missing = || ImageError::NotFound { reference: config.image.clone() };
        let image = self.images.resolve(&config.image)?.ok_or_else(missing)?;
        let id = ContainerId::random();
        let record = ContainerRecord {
            version: VERSION,
            id: id.clone(),
            sandbox: sandbox.id.clone(),
            cgroup: format!("{}/{id}", sandbox.cgroup),
            files: self.images.layout().containers().join(id.as_str()),
            layers: Vec::new(),
            created_at: Timestamp::now(),
            config,
            image,
        };
        let (images, dir) = (self.images.clone(), sandbox.dir.container(&id));
        let container = blocking(move || make(&images, dir, record)).await?;
        let container = Arc::new(container);
        self.state.add_container(Arc::clone(&container));
        self.tell(&container, EventKind::Created);
        Ok(id)
    }

    /// Starts a created container. If its command cannot be run the container is `Exited` with
    /// code 128 and the reason `ContainerCannotRun`, and the error says why.
    pub async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let container = self.state.container(id)?;
        if container.state() != ContainerState::Created {
            return Err(wrong_state("start", &container));
        }
        let sandbox = self.ready(&container.record.sandbox)?;
        let reply = ask(&sandbox, Operation::Start { container: id.clone() }).await;
        container.refresh();
        match reply? {
            Reply::Failed { message } => Err(RuntimeError::Shim { message }),
            _ => Ok(()),
        }
    }

    /// Asks the container to stop, and kills it when `grace` is over. `signal` overrides the
    /// image's stop signal. Returns when it has ended; no error if it ended before.
    pub async fn stop_container(&self, id: &ContainerId, grace: Duration, signal: Option<&str>) -> Result<()> {
        let container = self.state.container(id)?;
        let sandbox = self.state.sandbox(&container.record.sandbox)?;
        if container.state() != ContainerState::Running {
            return Ok(());
        }
        let own = container.record.image.config.stop_signal.as_deref();
        let number = match signal {
            Some(signal) => signal::number(signal)?,
            // A stranger's image with an unknown signal stops as others do.
            None => own.and_then(|own| signal::number(own).ok()).unwrap_or(signal::number(DEFAULT_STOP_SIGNAL)?),
        };
        if !grace.is_zero() {
            send_signal(&sandbox, id, number, false).await?;
            if tokio::time::timeout(grace, container.ended()).await.is_ok() {
                return Ok(());
            }
        }
        self.kill(&sandbox, &container).await
    }

    async fn kill(&self, sandbox: &Sandbox, container: &Container) -> Result<()> {
        send_signal(sandbox, &container.record.id, libc::SIGKILL, true).await?;
        let in_time = tokio::time::timeout(KILL, container.ended()).await;
        in_time.map_err(|_| RuntimeError::Shim {
            message: format!("container {} does not end although killed", container.record.id),
        })
    }

    /// Removes a container with its files (not its log), killing it first if it runs; no error if
    /// there is none.
    pub async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        let container = match self.state.container(id) {
            Ok(container) => container,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        self.stop_container(id, Duration::ZERO, None).await?;
        let (cgroups, removed) = (self.cgroups.clone(), Arc::clone(&container));
        blocking(move || {
            let record = &removed.record;
            cgroups.remove(&record.cgroup).map_err(RuntimeError::file("remove the control group", &record.cgroup))?;
            // The files go last: while they are there they say which image they need.
            for path in [removed.dir.path(), &record.files] {
                durable::remove_tree(path).map_err(RuntimeError::file("remove", path))?;
            }
            Ok(())
        })
        .await?;
        self.state.remove_container(id);
        self.tell(&container, EventKind::Removed);
        Ok(())
    }

    /// All containers that pass the filter.
    pub fn list_containers(&self, filter: &ContainerFilter) -> Vec<ContainerStatus> {
        let passes = |container: &&Arc<Container>| {
            filter.sandbox.as_ref().is_none_or(|sandbox| *sandbox == container.record.sandbox)
                && filter.state.is_none_or(|state| state == container.state())
        };
        self.state.containers().iter().filter(passes).map(|container| container.status()).collect()
    }

    /// The container as it is.
    pub fn container_status(&self, id: &ContainerId) -> Result<ContainerStatus> {
        Ok(self.state.container(id)?.status())
    }

    /// Resolves when the container has ended.
    pub async fn wait_container(&self, id: &ContainerId) -> Result<ContainerStatus> {
        let container = self.state.container(id)?;
        container.ended().await;
        Ok(container.status())
    }

    /// Changes a container's limits, running or not.
    pub async fn update_container_resources(&self, id: &ContainerId, resources: &Resources) -> Result<()> {
        let container = self.state.container(id)?;
        let (cgroups, changed, wanted) = (self.cgroups.clone(), Arc::clone(&container), resources.clone());
        blocking(move || change_limits(&cgroups, &changed, &wanted)).await?;
        container.set_resources(resources.clone());
        Ok(())
    }

    /// The container's usage.
    pub fn container_stats(&self, id: &ContainerId) -> Result<ContainerStats> {
        let container = self.state.container(id)?;
        Ok(ContainerStats {
            id: id.clone(),
            at: Timestamp::now(),
            usage: self.cgroups.usage(&container.record.cgroup),
            writable_layer_bytes: size_of_tree(&container.record.files.join("upper")),
        })
    }

    /// Starts a new log file now.
    pub async fn reopen_container_log(&self, id: &ContainerId) -> Result<()> {
        let container = self.running("rotate the log of", id)?;
        let sandbox = self.state.sandbox(&container.record.sandbox)?;
        match ask(&sandbox, Operation::Rotate { container: id.clone() }).await? {
            Reply::Failed { message } => Err(RuntimeError::Shim { message }),
            _ => Ok(()),
        }
    }

    fn ready(&self, id: &SandboxId) -> Result<Arc<Sandbox>> {
        let sandbox = self.state.sandbox(id)?;
        if sandbox.is_alive() && !sandbox.is_stopped() {
            Ok(sandbox)
        } else {
            Err(RuntimeError::SandboxNotReady { id: id.to_string() })
        }
    }

    pub(super) fn running(&self, operation: &'static str, id: &ContainerId) -> Result<Arc<Container>> {
        let container = self.state.container(id)?;
        if container.state() == ContainerState::Running {
            Ok(container)
        } else {
            Err(wrong_state(operation, &container))
        }
    }
}

fn change_limits(cgroups: &Cgroups, container: &Container, resources: &Resources) -> Result<()> {
    let dir = &container.dir;
    match container.state() {
        ContainerState::Running => {
            let cgroup = &container.record.cgroup;
            cgroups.apply(cgroup, resources).map_err(RuntimeError::file("limit the control group", cgroup))?;
            dir.write_resources(resources).map_err(RuntimeError::file("write into", dir.path()))
        }
        ContainerState::Created => {
            let mut record = container.record.clone();
            record.config.resources = resources.clone();
            dir.write(&record).map_err(RuntimeError::file("write into", dir.path()))
        }
        _ => Err(wrong_state("change", container)),
    }
}

fn wrong_state(operation: &'static str, container: &Container) -> RuntimeError {
    let state = format!("{:?}", container.state()).to_lowercase();
    RuntimeError::State { operation, id: container.record.id.to_string(), state }
}

async fn send_signal(sandbox: &Sandbox, id: &ContainerId, signal: i32, everyone: bool) -> Result<()> {
    if !sandbox.is_alive() {
        return Ok(()); // what it ran was killed
    }
    match ask(sandbox, Operation::Signal { container: id.clone(), signal, everyone }).await? {
        Reply::Failed { message } => Err(RuntimeError::Shim { message }),
        _ => Ok(()),
    }
}

/// Asks a shim something that has one answer.
async fn ask(sandbox: &Sandbox, operation: Operation) -> Result<Reply> {
    let lost = |source: io::Error| RuntimeError::ShimLost { id: sandbox.id.to_string(), source };
    let mut conversation = Conversation::open(sandbox.dir.path(), operation, &[]).await.map_err(lost)?;
    conversation.next().await.map_err(lost)
}

fn check(config: &ContainerConfig) -> Result<()> {
    let invalid = |field, problem: String| Err(RuntimeError::Invalid { field, problem });
    for mount in &config.mounts {
        let plain =
            |path: &Path| path.is_absolute() && path.components().all(|part| part != std::path::Component::ParentDir);
        if !plain(&mount.container_path) || mount.container_path == Path::new("/") {
            return invalid("mount", format!("`{}` is not a place to mount at", mount.container_path.display()));
        }
        if !mount.host_path.is_absolute() || !mount.host_path.exists() {
            return invalid("mount", format!("`{}` does not exist", mount.host_path.display()));
        }
    }
    if config.log_path.as_ref().is_some_and(|path| !path.is_absolute()) {
        return invalid("log path", "it must be absolute".to_owned());
    }
    Ok(())
}

/// Makes the container's directories and records.
fn make(images: &ImageStore, dir: crate::record::ContainerDir, mut record: ContainerRecord) -> Result<Container> {
    // Until the record that names the image is there, nobody may collect it.
    let _shared = images.layout().lock_shared()?;
    record.layers = images.mountable_layers(&record.image)?;
    let made = make_files(&record).and_then(|()| make_state(&dir, &record));
    if made.is_err() {
        for path in [dir.path(), &record.files] {
            let _ = durable::remove_tree(path); // the first error is the one that matters
        }
    }
    made?;
    let resources = record.config.resources.clone();
    Ok(Container::new(dir, record, StatusRecord::created(), resources))
}

fn make_files(record: &ContainerRecord) -> Result<()> {
    let files = &record.files;
    durable::private_directory(files).map_err(RuntimeError::file("make", files))?;
    let Image { id, manifest, layers, .. } = record.image.clone();
    let usage = ContainerUse { image_id: id, manifest, layers };
    durable::write_json(&files.join(USE_FILE), &usage, Durability::Process)
        .map_err(RuntimeError::file("write into", files))?;
    let (upper, work) = (files.join("upper"), files.join("work"));
    let make = || {
        fs::create_dir(&work)?;
        fs::create_dir(&upper)?;
        // The root directory is as the image has it.
        let Some(top) = record.layers.first() else {
            return fs::set_permissions(&upper, fs::Permissions::from_mode(0o755));
        };
        let metadata = fs::metadata(top)?;
        std::os::unix::fs::chown(&upper, Some(metadata.uid()), Some(metadata.gid()))?;
        fs::set_permissions(&upper, metadata.permissions())
    };
    make().map_err(RuntimeError::file("make", files))
}

fn make_state(dir: &crate::record::ContainerDir, record: &ContainerRecord) -> Result<()> {
    let make = || {
        for path in [dir.path().to_owned(), dir.bundle(), dir.rootfs(), dir.shm(), dir.libcontainer()] {
            durable::private_directory(&path)?;
        }
        dir.write(record)?;
        dir.write_status(&StatusRecord::created())
    };
    make().map_err(RuntimeError::file("make", dir.path()))
}
