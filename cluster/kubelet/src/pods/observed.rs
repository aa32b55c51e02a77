//! What the runtime knows about one pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod};
use kpkg_runtime::{ContainerState, ContainerStatus, SandboxState, SandboxStatus};

/// Labels on sandboxes and containers, by which they are found again.
pub(crate) mod label {
    pub(crate) const POD_NAME: &str = "io.kubernetes.pod.name";
    pub(crate) const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
    pub(crate) const POD_UID: &str = "io.kubernetes.pod.uid";
    pub(crate) const CONTAINER_NAME: &str = "io.kubernetes.container.name";
}

/// Annotations on containers: what the next kubelet must know of them.
pub(crate) mod annotation {
    pub(crate) const HASH: &str = "io.kubernetes.container.hash";
    pub(crate) const RESTART_COUNT: &str = "io.kubernetes.container.restartCount";
    pub(crate) const MESSAGE_PATH: &str = "io.kubernetes.container.terminationMessagePath";
    pub(crate) const MESSAGE_POLICY: &str = "io.kubernetes.container.terminationMessagePolicy";
    /// The file on the node behind the termination message.
    pub(crate) const MESSAGE_FILE: &str = "kpkg.io/terminationMessageFile";
}

/// Sandboxes and containers of one pod, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    pub(crate) sandboxes: Vec<SandboxStatus>,
    pub(crate) containers: Vec<ContainerStatus>,
}

impl Observed {
    pub(crate) fn new(mut sandboxes: Vec<SandboxStatus>, mut containers: Vec<ContainerStatus>) -> Self {
        sandboxes.sort_by_key(|sandbox| std::cmp::Reverse((sandbox.created_at, sandbox.config.attempt)));
        containers.sort_by_key(|container| std::cmp::Reverse((container.created_at, container.attempt)));
        Self { sandboxes, containers }
    }

    /// The sandbox that containers can be started in.
    pub(crate) fn ready_sandbox(&self) -> Option<&SandboxStatus> {
        self.sandboxes.first().filter(|sandbox| sandbox.state == SandboxState::Ready)
    }

    /// The newest container of a name, in whichever sandbox.
    pub(crate) fn latest(&self, name: &str) -> Option<&ContainerStatus> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// The newest container of a name that has ended: back-off counts from its end, also while a newer one is being killed.
    pub(crate) fn latest_exited(&self, name: &str) -> Option<&ContainerStatus> {
        self.containers.iter().find(|container| container.name == name && container.state == ContainerState::Exited)
    }

    /// The newest container of a name in the newest sandbox.
    pub(crate) fn latest_active(&self, name: &str) -> Option<&ContainerStatus> {
        let sandbox = &self.sandboxes.first()?.id;
        self.containers.iter().find(|container| container.name == name && container.sandbox == *sandbox)
    }

    /// Containers that may have processes.
    pub(crate) fn running(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.containers
            .iter()
            .filter(|container| matches!(container.state, ContainerState::Running | ContainerState::Unknown))
    }
}

/// The restart count that a container was created with.
pub(crate) fn restart_count(container: &ContainerStatus) -> i32 {
    annotated(&container.annotations, annotation::RESTART_COUNT)
        .unwrap_or_else(|| i32::try_from(container.attempt).unwrap_or(i32::MAX))
}

fn annotated<T: std::str::FromStr>(annotations: &BTreeMap<String, String>, key: &str) -> Option<T> {
    annotations.get(key)?.parse().ok()
}

/// What may change in a running container's spec and asks for a new container: its name and image.
pub(crate) fn spec_hash(container: &Container) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (&container.name, &container.image).hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// Which list of the spec a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Init,
    /// An init container that keeps running (`restartPolicy: Always`).
    Sidecar,
    App,
    Ephemeral,
}

impl Role {
    /// The list's name in an event's `fieldPath`.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Init | Self::Sidecar => "initContainers",
            Self::App => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// Whether an init container is a sidecar.
pub(crate) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Init containers of a pod.
pub(crate) fn init_containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default()
}

/// App containers of a pod.
pub(crate) fn app_containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default()
}

/// Ephemeral containers of a pod, in the form of the others.
pub(crate) fn ephemeral_containers(pod: &Pod) -> Vec<Container> {
    let list = pod.spec.as_ref().and_then(|spec| spec.ephemeral_containers.as_deref()).unwrap_or_default();
    list.iter().filter_map(as_container).collect()
}

fn as_container(ephemeral: &EphemeralContainer) -> Option<Container> {
    // The types share their fields; what ephemeral containers have on top (`targetContainerName`) is not looked at.
    serde_json::from_value(serde_json::to_value(ephemeral).ok()?).ok()
}

/// All containers with their roles, in the spec's order.
pub(crate) fn all_containers(pod: &Pod) -> Vec<(Role, Container)> {
    let init = init_containers(pod).iter().map(|c| (if is_sidecar(c) { Role::Sidecar } else { Role::Init }, c.clone()));
    let app = app_containers(pod).iter().map(|c| (Role::App, c.clone()));
    let ephemeral = ephemeral_containers(pod).into_iter().map(|c| (Role::Ephemeral, c));
    init.chain(app).chain(ephemeral).collect()
}
