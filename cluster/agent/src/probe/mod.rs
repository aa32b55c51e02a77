//! Probes: is a container started, alive, ready?
//!
//! A [`Prober`] runs one task for each probe of each running container, counts successes and failures
//! against the thresholds, and keeps the verdicts. A changed verdict wakes the pod's worker.

mod check;
mod counter;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use kpkg_events::Recorder;
use kpkg_runtime::ContainerId;
use tokio_util::sync::CancellationToken;

use crate::doors::Cri;
pub(crate) use check::{Answer, check, http_get, numeric_port};
use counter::Counter;

/// What a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

impl ProbeKind {
    /// As events write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    /// The container's probe of this kind.
    pub(crate) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
        }
    }
}

/// What a probe has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    Failure,
}

/// The verdicts as the rules read them.
pub(crate) trait Verdicts: Sync {
    /// The verdict of a container's probe; `None` before the first.
    fn get(&self, container: &ContainerId, kind: ProbeKind) -> Option<Verdict>;
}

type Table = BTreeMap<(String, ProbeKind), Verdict>;

/// Runs the probes of one pod.
pub(crate) struct Prober {
    cri: Arc<dyn Cri>,
    recorder: Recorder,
    verdicts: Arc<Mutex<Table>>,
    running: Mutex<HashMap<(String, ProbeKind), CancellationToken>>,
    /// Wakes the pod's worker.
    wake: Arc<tokio::sync::Notify>,
}

impl Verdicts for Prober {
    fn get(&self, container: &ContainerId, kind: ProbeKind) -> Option<Verdict> {
        lock(&self.verdicts).get(&(container.to_string(), kind)).copied()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a probe's task needs.
struct Task {
    cri: Arc<dyn Cri>,
    recorder: Recorder,
    pod: Arc<Pod>,
    container: Container,
    id: ContainerId,
    kind: ProbeKind,
    ip: Option<IpAddr>,
    verdicts: Arc<Mutex<Table>>,
    wake: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
}

impl Prober {
    pub(crate) fn new(cri: Arc<dyn Cri>, recorder: Recorder, wake: Arc<tokio::sync::Notify>) -> Self {
        Self { cri, recorder, verdicts: Arc::default(), running: Mutex::default(), wake }
    }

    /// Sees to it that exactly these containers are probed; ids that are not named are forgotten.
    pub(crate) fn ensure(&self, pod: &Arc<Pod>, containers: &[(Container, ContainerId)], ip: Option<IpAddr>) {
        let mut running = lock(&self.running);
        running.retain(|(id, _), stop| {
            let kept = containers.iter().any(|(_, it)| it.to_string() == *id);
            if !kept {
                stop.cancel();
            }
            kept
        });
        lock(&self.verdicts).retain(|(id, _), _| containers.iter().any(|(_, it)| it.to_string() == *id));
        for (container, id) in containers {
            for kind in [ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness] {
                let key = (id.to_string(), kind);
                if kind.of(container).is_none() || running.contains_key(&key) {
                    continue;
                }
                let stop = CancellationToken::new();
                running.insert(key, stop.clone());
                let task = Task {
                    cri: self.cri.clone(),
                    recorder: self.recorder.clone(),
                    pod: pod.clone(),
                    container: container.clone(),
                    id: id.clone(),
                    kind,
                    ip,
                    verdicts: self.verdicts.clone(),
                    wake: self.wake.clone(),
                    stop,
                };
                tokio::spawn(task.run());
            }
        }
    }

    /// Ends all probes.
    pub(crate) fn stop(&self) {
        for stop in lock(&self.running).drain().map(|(_, stop)| stop) {
            stop.cancel();
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Task {
    async fn run(self) {
        let Some(probe) = self.kind.of(&self.container).cloned() else { return };
        let seconds = |value: Option<i32>, default: u64| {
            Duration::from_secs(value.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0).unwrap_or(default))
        };
        let period = seconds(probe.period_seconds, 10);
        let mut counter = Counter::new(&probe);
        let delay = Duration::from_secs(probe.initial_delay_seconds.and_then(|it| u64::try_from(it).ok()).unwrap_or(0));
        if self.wait(delay).await {
            return;
        }
        loop {
            // The others wait until the container has started.
            if self.kind != ProbeKind::Startup && self.starts() {
                if self.wait(Duration::from_millis(100)).await {
                    return;
                }
                continue;
            }
            let timeout = seconds(probe.timeout_seconds, 1);
            let answer = tokio::select! {
                answer = check(&*self.cri, &self.pod, &self.container, &self.id, &probe, self.ip, timeout) => answer,
                () = self.stop.cancelled() => return,
            };
            self.tell(&answer);
            if let Some(verdict) = counter.count(answer.is_success()) {
                self.set(verdict);
                if self.kind == ProbeKind::Startup && verdict == Verdict::Success {
                    return;
                }
            }
            if self.wait(period).await {
                return;
            }
        }
    }

    /// Whether the startup probe has not succeeded yet.
    fn starts(&self) -> bool {
        let done = lock(&self.verdicts).get(&(self.id.to_string(), ProbeKind::Startup)) == Some(&Verdict::Success);
        self.container.startup_probe.is_some() && !done
    }

    /// Waits; true if the probe is to end.
    async fn wait(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = self.stop.cancelled() => true,
        }
    }

    fn set(&self, verdict: Verdict) {
        let before = lock(&self.verdicts).insert((self.id.to_string(), self.kind), verdict);
        if before != Some(verdict) {
            self.wake.notify_one();
        }
    }

    fn tell(&self, answer: &Answer) {
        let (verb, text) = match answer {
            Answer::Success => return,
            Answer::Failure(text) => ("failed", text),
            Answer::Error(text) => ("errored and resulted in unknown state", text),
        };
        let message = format!("{} probe {verb}: {text}", self.kind.title());
        crate::pods::worker::container_event(&self.recorder, &self.pod, &self.container.name, kpkg_events::Severity::Warning, "Unhealthy", message);
    }
}
