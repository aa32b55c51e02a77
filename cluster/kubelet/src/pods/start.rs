//! Starts one container: image, configuration, creation, start, `postStart`.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kpkg_runtime::{ContainerConfig, ContainerId, Mount, Propagation, SandboxId};
use tokio_util::sync::CancellationToken;

use super::{
    event::PodEvents,
    hooks,
    images::Want,
    observed::{Observed, Role, annotation, label, restart_count, spec_hash},
    pod_name,
    security::{root_refused, security},
};
use crate::{
    doors::{ImageFacts, chain},
    env::{self, PodFacts},
    kubelet::Shared,
    resources::container_resources,
    status::StartFailure,
    volumes::{self, ReadyVolumes},
};

/// What all containers of a pod are started with.
pub(super) struct Starter<'a> {
    pub(super) shared: &'a Shared,
    pub(super) pod: &'a Pod,
    pub(super) sandbox: &'a SandboxId,
    pub(super) facts: &'a PodFacts,
    pub(super) volumes: &'a ReadyVolumes,
    pub(super) secrets: &'a [Secret],
    pub(super) events: &'a PodEvents,
    /// Fires when the pod is to end; long waits end then.
    pub(super) stop: &'a CancellationToken,
}

/// Where containers find these files of the pod.
const POD_FILES: [(&str, &str); 3] =
    [("etc-hosts", "/etc/hosts"), ("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname")];

impl Starter<'_> {
    /// Starts a container. `Err` also when its `postStart` hook failed: it is dead then.
    pub(super) async fn start(
        &self,
        role: Role,
        container: &Container,
        observed: &Observed,
    ) -> Result<(), StartFailure> {
        let want = Want { pod: self.pod, role, container, secrets: self.secrets, events: self.events };
        let image = tokio::select! {
            image = self.shared.images.ensure(&want) => image?,
            () = self.stop.cancelled() => return Err(failure("ContainerCreating", String::new())),
        };
        let restarts = observed
            .latest(&container.name)
            .map_or_else(|| self.restarts_before(container), |last| restart_count(last) + 1);
        let config = self.config(role, container, &image, restarts).await.map_err(|message| {
            self.warn(role, container, "Failed", format!("Error: {message}"));
            failure("CreateContainerConfigError", message)
        })?;
        let id = self.shared.runtime.create_container(self.sandbox, config).await.map_err(|error| {
            let message = chain(&error);
            self.warn(role, container, "Failed", format!("Error: {message}"));
            failure("CreateContainerError", message)
        })?;
        self.events.container_normal(role, &container.name, "Created", "Container created");
        self.shared.runtime.start_container(&id).await.map_err(|error| {
            let message = chain(&error);
            self.warn(role, container, "Failed", format!("Error: {message}"));
            failure("RunContainerError", message)
        })?;
        self.events.container_normal(role, &container.name, "Started", "Container started");
        self.post_start(role, container, &id).await
    }

    async fn post_start(&self, role: Role, container: &Container, id: &ContainerId) -> Result<(), StartFailure> {
        let Some(hook) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref()) else {
            return Ok(());
        };
        let ip = self.facts.pod_ip.unwrap_or(self.facts.host_ip);
        let result = tokio::select! {
            result = hooks::run(&*self.shared.runtime, hook, container, id, ip) => result,
            () = self.stop.cancelled() => return Ok(()),
        };
        let Err(cause) = result else { return Ok(()) };
        self.warn(role, container, "FailedPostStartHook", format!("PostStartHook failed: {cause}"));
        self.events.container_normal(role, &container.name, "Killing", "FailedPostStartHook");
        let grace = super::terminate::grace(self.pod);
        if let Err(error) =
            self.shared.runtime.stop_container(id, grace, super::terminate::stop_signal(container)).await
        {
            tracing::warn!(container = %container.name, error = %chain(&error), "cannot stop a container after its postStart hook failed");
        }
        Err(failure("PostStartHookError", format!("PostStartHook failed: {cause}")))
    }

    /// What the API remembers of a container that the runtime has forgotten.
    fn restarts_before(&self, container: &Container) -> i32 {
        let status = self.pod.status.as_ref();
        let lists = [
            status.and_then(|status| status.container_statuses.as_ref()),
            status.and_then(|status| status.init_container_statuses.as_ref()),
        ];
        let known = lists.into_iter().flatten().flatten().find(|status| status.name == container.name);
        known.filter(|status| status.container_id.is_some()).map_or(0, |status| status.restart_count + 1)
    }

    async fn config(
        &self,
        role: Role,
        container: &Container,
        image: &ImageFacts,
        restarts: i32,
    ) -> Result<ContainerConfig, String> {
        let shared = self.shared;
        let security = security(self.pod, container, &shared.config.root_dir);
        if let Some(refusal) = root_refused(&pod_name(self.pod), container, &security, &image.user) {
            return Err(refusal);
        }
        let services = shared.services().await;
        let variables = env::environment(self.pod, container, self.facts, &shared.objects, &services).await?;
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        let pod_dir = shared.config.pod_dir(uid);
        let mut mounts = volumes::container_mounts(container, self.volumes, &pod_dir, &variables)?;
        let message_file = message_file(&pod_dir, container)
            .map_err(|error| format!("cannot make the termination message file: {error}"))?;
        mounts.extend(pod_file_mounts(&pod_dir, &mounts));
        if let Some(file) = &message_file {
            mounts.push(mount(file.clone(), container.termination_message_path.as_deref().unwrap_or_default()));
        }
        let meta = &self.pod.metadata;
        let (namespace, name) =
            (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        let log_path =
            shared.config.pod_log_dir(namespace, name, uid).join(&container.name).join(format!("{restarts}.log"));
        tracing::debug!(pod = %name, container = %container.name, ?role, "creating a container");
        Ok(ContainerConfig {
            name: container.name.clone(),
            attempt: u32::try_from(restarts).unwrap_or(0),
            image: container.image.clone().unwrap_or_default(),
            command: env::expand_all(container.command.as_deref(), &variables),
            args: env::expand_all(container.args.as_deref(), &variables),
            working_dir: container.working_dir.clone().filter(|dir| !dir.is_empty()),
            mounts,
            security,
            resources: container_resources(self.pod, container, shared.machine.capacity.memory),
            log_path: Some(log_path),
            tty: container.tty == Some(true),
            stdin: container.stdin == Some(true),
            stdin_once: container.stdin_once == Some(true),
            labels: labels(self.pod, Some(container)),
            annotations: annotations(container, restarts, message_file.as_deref()),
            env: variables,
            ..ContainerConfig::default()
        })
    }

    fn warn(&self, role: Role, container: &Container, reason: &str, message: String) {
        self.events.container_warning(role, &container.name, reason, message);
    }
}

fn failure(reason: &str, message: String) -> StartFailure {
    StartFailure { reason: reason.to_owned(), message }
}

/// Labels by which a sandbox or container is known as a pod's.
pub(super) fn labels(pod: &Pod, container: Option<&Container>) -> BTreeMap<String, String> {
    let meta = &pod.metadata;
    let mut out: BTreeMap<String, String> =
        [(label::POD_NAME, &meta.name), (label::POD_NAMESPACE, &meta.namespace), (label::POD_UID, &meta.uid)]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.clone().unwrap_or_default()))
            .collect();
    if let Some(container) = container {
        out.insert(label::CONTAINER_NAME.to_owned(), container.name.clone());
    }
    out
}

fn annotations(container: &Container, restarts: i32, message_file: Option<&Path>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::from([
        (annotation::HASH.to_owned(), spec_hash(container)),
        (annotation::RESTART_COUNT.to_owned(), restarts.to_string()),
        (annotation::MESSAGE_PATH.to_owned(), container.termination_message_path.clone().unwrap_or_default()),
        (
            annotation::MESSAGE_POLICY.to_owned(),
            container.termination_message_policy.clone().unwrap_or_else(|| "File".to_owned()),
        ),
    ]);
    if let Some(file) = message_file {
        out.insert(annotation::MESSAGE_FILE.to_owned(), file.display().to_string());
    }
    out
}

fn mount(host_path: PathBuf, container_path: &str) -> Mount {
    Mount { host_path, container_path: container_path.into(), readonly: false, propagation: Propagation::Private }
}

/// The pod's own files, except where a volume stands in their place.
fn pod_file_mounts(pod_dir: &Path, volumes: &[Mount]) -> Vec<Mount> {
    let taken = |path: &str| volumes.iter().any(|mount| mount.container_path == Path::new(path));
    POD_FILES.iter().filter(|(_, path)| !taken(path)).map(|(file, path)| mount(pod_dir.join(file), path)).collect()
}

/// A fresh file for the termination message, writable by whoever the container runs as.
fn message_file(pod_dir: &Path, container: &Container) -> io::Result<Option<PathBuf>> {
    if container.termination_message_path.as_deref().unwrap_or_default().is_empty() {
        return Ok(None);
    }
    let directory = pod_dir.join("containers").join(&container.name);
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{:08x}", rand::random::<u32>()));
    fs::File::create_new(&path)?.set_permissions(fs::Permissions::from_mode(0o666))?;
    Ok(Some(path))
}
