//! Stopping: hooks, signal, grace, kill; then the sandbox, the volumes, the address.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, Pod};
use kpkg_events::Severity;
use kpkg_runtime::{ContainerStatus, SandboxState};
use kube::ResourceExt;

use super::hooks;
use super::observed::{Observed, all_containers, is_sidecar};
use super::worker::{Worker, container_event};
use crate::doors::chain;
use crate::volumes;

/// The grace where nobody says anything.
const DEFAULT_GRACE: i64 = 30;
/// After a hook has used the grace up, the process still gets this long.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// The pod's grace: what the deletion says, over the spec.
pub(super) fn grace(pod: &Pod) -> Duration {
    let spec = pod.spec.as_ref().and_then(|it| it.termination_grace_period_seconds);
    let seconds = pod.metadata.deletion_grace_period_seconds.or(spec).unwrap_or(DEFAULT_GRACE);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

impl Worker {
    /// Stops a container: its preStop hook, its signal, its grace.
    pub(super) async fn stop_container(&self, pod: &Pod, container: &Container, live: &ContainerStatus, message: &str, grace: Duration) {
        container_event(&self.shared.recorder, pod, &container.name, Severity::Normal, "Killing", message.to_owned());
        let begun = tokio::time::Instant::now();
        let hook = container.lifecycle.as_ref().and_then(|it| it.pre_stop.as_ref());
        if let Some(hook) = hook.filter(|_| !grace.is_zero()) {
            let ran = hooks::run(&*self.shared.cri, pod, container, &live.id, hook, self.pod_ip(), grace).await;
            if let Err(error) = ran {
                container_event(&self.shared.recorder, pod, &container.name, Severity::Warning, "FailedPreStopHook", error);
            }
        }
        let left = match grace.is_zero() {
            true => Duration::ZERO,
            false => grace.saturating_sub(begun.elapsed()).max(LEAST_GRACE),
        };
        let signal = container.lifecycle.as_ref().and_then(|it| it.stop_signal.as_deref());
        if let Err(error) = self.shared.cri.stop_container(&live.id, left, signal).await {
            tracing::warn!(container = %container.name, error = chain(&error), "a container could not be stopped");
        }
    }

    /// Stops everything of the pod: apps first, then sidecars from the last to the first, then the
    /// sandboxes.
    pub(super) async fn stop_all(&self, pod: &Pod, observed: &Observed, grace: Duration) {
        let begun = tokio::time::Instant::now();
        let specs = all_containers(pod);
        let live = |container: &Container| observed.running().find(|it| it.name == container.name).cloned();
        let (sidecars, apps): (Vec<_>, Vec<_>) = specs.into_iter().map(|(_, container)| container).partition(is_sidecar);
        let stops = apps.iter().filter_map(|container| Some((container, live(container)?))).map(|(container, live)| async move {
            let message = format!("Stopping container {}", container.name);
            self.stop_container(pod, container, &live, &message, grace).await;
        });
        join_all(stops).await;
        for container in sidecars.iter().rev() {
            if let Some(live) = live(container) {
                let left = grace.saturating_sub(begun.elapsed());
                let message = format!("Stopping container {}", container.name);
                self.stop_container(pod, container, &live, &message, left).await;
            }
        }
        for sandbox in observed.sandboxes.iter().filter(|it| it.state == SandboxState::Ready) {
            if let Err(error) = self.shared.cri.stop_sandbox(&sandbox.id).await {
                tracing::warn!(pod = %pod.name_any(), error = chain(&error), "a sandbox could not be stopped");
            }
        }
    }

    /// Takes everything of a stopped pod off the node.
    pub(super) async fn clean_up(&self, uid: &str, observed: &Observed) -> Result<(), String> {
        for container in &observed.containers {
            self.shared.cri.remove_container(&container.id).await.map_err(|error| chain(&error))?;
        }
        for sandbox in &observed.sandboxes {
            self.shared.cri.remove_sandbox(&sandbox.id).await.map_err(|error| chain(&error))?;
        }
        self.shared.network.detach(uid).await.map_err(|error| error.to_string())?;
        let dir = self.shared.config.pod_dir(uid);
        let torn = tokio::task::spawn_blocking(move || volumes::teardown(&dir)).await;
        torn.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.shared.tokens.forget(uid);
        self.shared.images.forget(uid);
        Ok(())
    }
}
