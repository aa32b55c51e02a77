//! Asks in time: one task per probe of a running container.

use std::{collections::HashMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use kpkg_runtime::{ContainerId, ContainerState, ContainerStatus};
use tokio::{sync::Notify, task::JoinHandle, time::MissedTickBehavior};

use super::{Asker, Board, Outcome, ProbeKind, Verdict, Verdicts, state};
use crate::{pods::event::PodEvents, pods::observed::Role};

/// The probing tasks of one pod; they end with it.
pub(crate) struct Runners {
    board: Arc<Board>,
    wake: Arc<Notify>,
    tasks: HashMap<(ContainerId, ProbeKind), JoinHandle<()>>,
}

impl Drop for Runners {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}

impl Runners {
    pub(crate) fn new(board: Arc<Board>, wake: Arc<Notify>) -> Self {
        Self { board, wake, tasks: HashMap::new() }
    }

    /// Starts what is missing for a running container.
    pub(crate) fn watch(
        &mut self,
        pod: &Arc<Pod>,
        role: Role,
        container: &Container,
        status: &ContainerStatus,
        asker: &Asker,
        events: &PodEvents,
    ) {
        if status.state != ContainerState::Running || matches!(role, Role::Init | Role::Ephemeral) {
            return;
        }
        for (kind, probe) in probes(container) {
            let key = (status.id.clone(), kind);
            if self.tasks.contains_key(&key) {
                continue;
            }
            if self.board.get(&status.id, kind).is_none()
                && let Some(verdict) = known(pod, &status.id, kind).or(state::initial(kind))
            {
                self.board.set(&status.id, kind, verdict);
            }
            let task = Task {
                kind,
                probe: probe.clone(),
                id: status.id.clone(),
                has_startup: container.startup_probe.is_some(),
                started: status.started_at.unwrap_or(status.created_at),
                container: container.clone(),
                pod: pod.clone(),
                role,
                asker: asker.clone(),
                events: events.clone(),
                board: self.board.clone(),
                wake: self.wake.clone(),
            };
            self.tasks.insert(key, tokio::spawn(task.run()));
        }
    }

    /// Ends probing of containers that no longer run.
    pub(crate) fn retain(&mut self, running: impl Fn(&ContainerId) -> bool) {
        self.tasks.retain(|(id, _), task| {
            let keep = running(id);
            if !keep {
                task.abort();
            }
            keep
        });
        self.board.retain(running);
    }

    /// Ends the probes that could restart a container; readiness is still asked while a pod terminates.
    pub(crate) fn stop_restarting(&mut self) {
        self.tasks.retain(|(_, kind), task| {
            let keep = *kind == ProbeKind::Readiness;
            if !keep {
                task.abort();
            }
            keep
        });
    }
}

/// What the last kubelet found out about this very container, so that a restart of the server takes nobody out of service.
fn known(pod: &Pod, id: &ContainerId, kind: ProbeKind) -> Option<Verdict> {
    let status = pod.status.as_ref()?;
    let mut all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    let of_id = all.find(|status| {
        status.container_id.as_deref().and_then(|known| known.strip_prefix("kpkg://")) == Some(id.as_str())
    })?;
    let good = match kind {
        ProbeKind::Readiness => of_id.ready,
        ProbeKind::Startup => of_id.started == Some(true),
        ProbeKind::Liveness => true,
    };
    good.then_some(Verdict::Success)
}

/// A container's probes by kind.
pub(crate) fn probes(container: &Container) -> impl Iterator<Item = (ProbeKind, &Probe)> {
    [
        (ProbeKind::Startup, container.startup_probe.as_ref()),
        (ProbeKind::Liveness, container.liveness_probe.as_ref()),
        (ProbeKind::Readiness, container.readiness_probe.as_ref()),
    ]
    .into_iter()
    .filter_map(|(kind, probe)| Some((kind, probe?)))
}

struct Task {
    kind: ProbeKind,
    probe: Probe,
    id: ContainerId,
    has_startup: bool,
    started: jiff::Timestamp,
    container: Container,
    pod: Arc<Pod>,
    role: Role,
    asker: Asker,
    events: PodEvents,
    board: Arc<Board>,
    wake: Arc<Notify>,
}

impl Task {
    async fn run(self) {
        if self.kind == ProbeKind::Startup && self.board.get(&self.id, ProbeKind::Startup) == Some(Verdict::Success) {
            return;
        }
        let delay = seconds(self.probe.initial_delay_seconds, 0);
        let age = crate::pods::backoff::since(self.started, jiff::Timestamp::now());
        tokio::time::sleep(delay.saturating_sub(age)).await;
        let mut ticks = tokio::time::interval(seconds(self.probe.period_seconds, 10));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tally = state::Tally::new(&self.probe);
        while self.has_startup
            && self.kind != ProbeKind::Startup
            && self.board.get(&self.id, ProbeKind::Startup) != Some(Verdict::Success)
        {
            // The startup probe's task wakes the worker, not us; a tenth of a second is soon enough to begin.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        loop {
            ticks.tick().await;
            let outcome = self.asker.ask(&self.pod, &self.container, &self.id, &self.probe).await;
            self.report(&outcome);
            let Some(verdict) = tally.record(outcome.is_success()) else { continue };
            if self.board.set(&self.id, self.kind, verdict) {
                self.wake.notify_one();
            }
            if state::is_final(self.kind, verdict) {
                return;
            }
        }
    }

    fn report(&self, outcome: &Outcome) {
        let title = self.kind.title();
        let (reason, text) = match outcome {
            Outcome::Success => return,
            Outcome::Warning(text) => ("ProbeWarning", format!("{title} probe warning: {text}")),
            Outcome::Failure(text) => ("Unhealthy", format!("{title} probe failed: {text}")),
            Outcome::Unknown(text) => {
                ("Unhealthy", format!("{title} probe errored and resulted in unknown state: {text}"))
            }
        };
        self.events.container_warning(self.role, &self.container.name, reason, text);
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    let value = value.and_then(|value| u64::try_from(value).ok());
    Duration::from_secs(value.filter(|value| *value > 0).unwrap_or(default))
}
