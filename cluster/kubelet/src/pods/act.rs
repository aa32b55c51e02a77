//! Takes the steps that were decided.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kpkg_runtime::{ContainerState, SandboxConfig, SandboxId};

use super::{
    backoff::go_duration,
    decide::{Actions, Kill},
    observed::{Observed, Role, app_containers, ephemeral_containers, init_containers, is_sidecar},
    pod_name,
    start::{Starter, labels},
    terminate::{self, Killer},
    worker::Worker,
};
use crate::{
    doors::chain,
    podfiles::{self, is_host_network, pod_host},
    resources::{cgroup_parent, pod_resources},
    status::StartFailure,
    volumes::ReadyVolumes,
};

/// When to look again after a step failed.
pub(super) const RETRY: Duration = Duration::from_secs(10);

impl Worker {
    /// Acts; the answer is when to look again at the latest.
    pub(super) async fn act(
        &mut self,
        observed: &Observed,
        actions: Actions,
        volumes: &ReadyVolumes,
    ) -> Option<Duration> {
        if actions.create_sandbox.is_some() && !observed.sandboxes.is_empty() {
            self.events.normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
        }
        if actions.kill_pod {
            self.kill_everything(observed, terminate::grace(&self.pod), true).await;
        } else {
            self.kill_some(&actions.kill).await;
        }
        let sandbox = match actions.create_sandbox {
            Some(attempt) => {
                self.purge(observed).await;
                match self.create_sandbox(attempt).await {
                    Ok(id) => id,
                    Err(message) => {
                        self.events
                            .warning("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {message}"));
                        return Some(RETRY);
                    }
                }
            }
            None => observed.ready_sandbox()?.id.clone(),
        };
        self.start_all(&sandbox, observed, &actions, volumes).await
    }

    /// Stops all containers, then the sandboxes.
    pub(super) async fn kill_everything(&self, observed: &Observed, grace: Duration, with_hooks: bool) {
        self.killer().kill_all(observed, grace, with_hooks).await;
        for sandbox in &observed.sandboxes {
            if let Err(error) = self.shared.runtime.stop_sandbox(&sandbox.id).await {
                tracing::warn!(pod = %pod_name(&self.pod), error = %chain(&error), "cannot stop the pod's sandbox");
            }
        }
    }

    pub(super) fn killer(&self) -> Killer {
        Killer {
            runtime: self.shared.runtime.clone(),
            pod: self.pod.clone(),
            events: self.events.clone(),
            ip: self.address(),
        }
    }

    async fn kill_some(&self, kills: &[Kill]) {
        let killer = self.killer();
        let all = super::observed::all_containers(&self.pod);
        for kill in kills {
            let Some((role, container)) = all.iter().find(|(_, container)| container.name == kill.name) else {
                continue;
            };
            let grace = kill
                .probe
                .map_or_else(|| terminate::grace(&self.pod), |kind| terminate::probe_grace(&self.pod, container, kind));
            killer.kill(*role, container, &kill.id, &kill.message, grace, true).await;
        }
    }

    /// Removes old sandboxes but the newest, and the init containers of the last one, which run again.
    async fn purge(&self, observed: &Observed) {
        for old in observed.sandboxes.iter().skip(1) {
            let _ = self.shared.runtime.remove_sandbox(&old.id).await;
        }
        for container in init_containers(&self.pod) {
            for status in observed.containers.iter().filter(|status| status.name == container.name) {
                let _ = self.shared.runtime.remove_container(&status.id).await;
            }
        }
    }

    async fn create_sandbox(&mut self, attempt: u32) -> Result<SandboxId, String> {
        let pod = self.pod.clone();
        let spec = pod.spec.clone().unwrap_or_default();
        let host_network = is_host_network(&pod);
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let netns = if host_network {
            None
        } else {
            let place = self
                .shared
                .network
                .attach(&uid)
                .await
                .map_err(|error| format!("plugin type=\"kpkg\" failed (add): {error}"))?;
            self.place = Some(place.clone());
            Some(place.netns)
        };
        let directory = self.shared.config.pod_dir(&uid);
        podfiles::write(&pod, &self.shared.config, &directory, Some(self.address()))
            .map_err(|error| error.to_string())?;
        let context = spec.security_context.unwrap_or_default();
        let config = SandboxConfig {
            name: pod.metadata.name.clone().unwrap_or_default(),
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            uid,
            attempt,
            hostname: (!host_network).then(|| pod_host(&pod, &self.shared.config.cluster_domain).name),
            netns,
            cgroup_parent: Some(cgroup_parent(&pod)),
            resources: pod_resources(&pod),
            // `net/core/somaxconn` is another way to write it.
            sysctls: context
                .sysctls
                .into_iter()
                .flatten()
                .map(|sysctl| (sysctl.name.replace('/', "."), sysctl.value))
                .collect(),
            share_process_namespace: spec.share_process_namespace == Some(true),
            host_pid: spec.host_pid == Some(true),
            host_ipc: spec.host_ipc == Some(true),
            shm_bytes: None,
            labels: labels(&pod, None),
            annotations: pod.metadata.annotations.clone().unwrap_or_default(),
        };
        self.shared.runtime.run_sandbox(config).await.map_err(|error| chain(&error))
    }

    async fn start_all(
        &mut self,
        sandbox: &SandboxId,
        observed: &Observed,
        actions: &Actions,
        volumes: &ReadyVolumes,
    ) -> Option<Duration> {
        let pod = self.pod.clone();
        let mut list: Vec<(Role, Container)> = Vec::new();
        let ephemeral = ephemeral_containers(&pod);
        list.extend(actions.start_ephemeral.iter().map(|index| (Role::Ephemeral, ephemeral[*index].clone())));
        list.extend(actions.start_init.iter().map(|index| {
            let container = init_containers(&pod)[*index].clone();
            (if is_sidecar(&container) { Role::Sidecar } else { Role::Init }, container)
        }));
        list.extend(actions.start.iter().map(|index| (Role::App, app_containers(&pod)[*index].clone())));
        if list.is_empty() {
            return None;
        }
        let secrets = self.pull_secrets(&pod).await;
        let mut again = None;
        for (role, container) in list {
            if self.mailbox.stop.is_cancelled() {
                return None;
            }
            let result = match self.in_back_off(role, &container, observed) {
                Some(failure) => Err(failure),
                None => self.start_one(role, &container, sandbox, observed, volumes, &secrets).await,
            };
            match result {
                Ok(()) => {
                    self.start_errors.remove(&container.name);
                    self.forget_old(&container.name, observed).await;
                }
                Err(failure) => {
                    let wait = self.wait_for(&container.name, observed, &failure);
                    again = Some(again.map_or(wait, |again: Duration| again.min(wait)));
                    self.start_errors.insert(container.name.clone(), failure);
                    if role == Role::Init {
                        return again;
                    }
                }
            }
        }
        again
    }

    async fn start_one(
        &mut self,
        role: Role,
        container: &Container,
        sandbox: &SandboxId,
        observed: &Observed,
        volumes: &ReadyVolumes,
        secrets: &[Secret],
    ) -> Result<(), StartFailure> {
        if let Some(last) = observed.latest_exited(&container.name) {
            self.backoff.next(container.name.clone(), last.finished_at.unwrap_or(last.created_at), Timestamp::now());
        }
        let facts = self.facts();
        let starter = Starter {
            shared: &self.shared,
            pod: &self.pod,
            sandbox,
            facts: &facts,
            volumes,
            secrets,
            events: &self.events,
            stop: &self.mailbox.stop,
        };
        starter.start(role, container, observed).await
    }

    /// Whether a container that ended must wait before it is started again.
    fn in_back_off(&self, role: Role, container: &Container, observed: &Observed) -> Option<StartFailure> {
        let last = observed.latest_exited(&container.name)?;
        let ended = last.finished_at.unwrap_or(last.created_at);
        self.backoff.remaining_since(&container.name, ended, Timestamp::now())?;
        let (name, pod) = (&container.name, pod_name(&self.pod));
        self.events.container_warning(
            role,
            name,
            "BackOff",
            format!("Back-off restarting failed container {name} in pod {pod}"),
        );
        let delay = go_duration(self.backoff.delay(name).unwrap_or_default());
        let message = format!("back-off {delay} restarting failed container={name} pod={pod}");
        Some(StartFailure { reason: "CrashLoopBackOff".to_owned(), message })
    }

    fn wait_for(&self, name: &str, observed: &Observed, failure: &StartFailure) -> Duration {
        let left = observed.latest_exited(name).filter(|_| failure.reason == "CrashLoopBackOff").and_then(|last| {
            self.backoff.remaining_since(
                &name.to_owned(),
                last.finished_at.unwrap_or(last.created_at),
                Timestamp::now(),
            )
        });
        left.map_or(RETRY, |left| left.min(RETRY))
    }

    /// Keeps one dead container of a name, for `lastState` and `logs --previous`.
    async fn forget_old(&self, name: &str, observed: &Observed) {
        for old in observed
            .containers
            .iter()
            .filter(|status| status.name == name && status.state == ContainerState::Exited)
            .skip(1)
        {
            if self.shared.runtime.remove_container(&old.id).await.is_ok()
                && let Some(log) = &old.log_path
            {
                crate::http::logs::remove(log);
            }
        }
    }

    async fn pull_secrets(&self, pod: &Pod) -> Vec<Secret> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let names = pod.spec.iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten());
        let mut out = Vec::new();
        for reference in names {
            match self.shared.objects.secret(namespace, &reference.name, false).await {
                Ok(secret) => out.extend(secret),
                Err(_) => self.events.warning(
                    "FailedToRetrieveImagePullSecret",
                    format!("Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.", reference.name),
                ),
            }
        }
        out
    }
}
