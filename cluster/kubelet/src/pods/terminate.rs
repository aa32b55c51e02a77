//! Stops containers: hooks, signals, grace, and the order that sidecars ask for.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Container, Pod};
use kpkg_runtime::{ContainerId, ContainerStatus};
use tokio::time::Instant;

use super::{
    event::PodEvents,
    hooks,
    observed::{Observed, Role, all_containers},
};
use crate::{
    doors::{Cri, chain},
    probe::ProbeKind,
};

/// The least time a container gets after its signal.
const MINIMUM: Duration = Duration::from_secs(2);
const DEFAULT: Duration = Duration::from_secs(30);

/// Stops containers of one pod.
pub(super) struct Killer {
    pub(super) runtime: Arc<dyn Cri>,
    pub(super) pod: Arc<Pod>,
    pub(super) events: PodEvents,
    pub(super) ip: std::net::IpAddr,
}

/// The time that a pod's containers get: what the deletion says, else what the spec says.
pub(super) fn grace(pod: &Pod) -> Duration {
    let meta = &pod.metadata;
    let of_deletion = meta.deletion_timestamp.as_ref().and(meta.deletion_grace_period_seconds);
    let seconds = of_deletion.or_else(|| pod.spec.as_ref()?.termination_grace_period_seconds);
    seconds.map_or(DEFAULT, |seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// The time that a container gets which a probe condemned.
pub(super) fn probe_grace(pod: &Pod, container: &Container, kind: ProbeKind) -> Duration {
    let probe = match kind {
        ProbeKind::Startup => container.startup_probe.as_ref(),
        _ => container.liveness_probe.as_ref(),
    };
    let own =
        probe.and_then(|probe| probe.termination_grace_period_seconds).and_then(|seconds| u64::try_from(seconds).ok());
    own.map_or_else(|| grace(pod), Duration::from_secs)
}

/// The signal that the container's spec asks for.
pub(super) fn stop_signal(container: &Container) -> Option<&str> {
    container.lifecycle.as_ref()?.stop_signal.as_deref()
}

impl Killer {
    /// Stops all containers: apps and ephemeral ones at once, then sidecars one by one from the last.
    pub(super) async fn kill_all(&self, observed: &Observed, grace: Duration, with_hooks: bool) {
        let deadline = Instant::now() + grace;
        let containers = all_containers(&self.pod);
        let find = |name: &str| containers.iter().find(|(_, container)| container.name == name);
        let mut sidecars: Vec<&ContainerStatus> = Vec::new();
        let mut others = Vec::new();
        for status in observed.running() {
            match find(&status.name) {
                Some((Role::Sidecar, _)) => sidecars.push(status),
                _ => others.push(status),
            }
        }
        let order =
            |status: &&ContainerStatus| containers.iter().position(|(_, container)| container.name == status.name);
        sidecars.sort_by_key(|status| std::cmp::Reverse(order(status)));
        let kill = |status: &ContainerStatus, left: Duration| {
            let (role, container) = match find(&status.name) {
                Some((role, container)) => (*role, container.clone()),
                None => (Role::App, Container { name: status.name.clone(), ..Container::default() }),
            };
            let id = status.id.clone();
            async move {
                let message = format!("Stopping container {}", container.name);
                self.kill(role, &container, &id, &message, left, with_hooks).await;
            }
        };
        futures::future::join_all(others.into_iter().map(|status| kill(status, grace))).await;
        for status in sidecars {
            kill(status, deadline.saturating_duration_since(Instant::now())).await;
        }
    }

    /// Stops one container: event, hook, signal, and the end when `grace` is over.
    pub(super) async fn kill(
        &self,
        role: Role,
        container: &Container,
        id: &ContainerId,
        message: &str,
        grace: Duration,
        with_hooks: bool,
    ) {
        self.events.container_normal(role, &container.name, "Killing", message);
        let started = Instant::now();
        let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        if let Some(hook) = hook.filter(|_| with_hooks && !grace.is_zero()) {
            match tokio::time::timeout(grace, hooks::run(&*self.runtime, hook, container, id, self.ip)).await {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => self.events.container_warning(
                    role,
                    &container.name,
                    "FailedPreStopHook",
                    format!("PreStopHook failed: {cause}"),
                ),
                Err(_) => tracing::debug!(container = %container.name, "the preStop hook outlasted the grace period"),
            }
        }
        let left = if grace.is_zero() { grace } else { grace.saturating_sub(started.elapsed()).max(MINIMUM) };
        if let Err(error) = self.runtime.stop_container(id, left, stop_signal(container)).await
            && !error.is_not_found()
        {
            tracing::warn!(container = %container.name, error = %chain(&error), "cannot stop a container");
        }
    }
}
