//! The status of one container.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kpkg_runtime::{ContainerState as Phase, ContainerStatus as Live};

use super::View;
use crate::pods::observed::{Role, annotation, restart_count};
use crate::probe::{ProbeKind, Verdict};

/// What container ids begin with.
pub(crate) const SCHEME: &str = "kpkg://";
/// The most bytes of a termination message (the kubelet's bound).
const MAX_MESSAGE: u64 = 4096;
/// The most of the log that stands in for one.
const MAX_LOG: u64 = 2048;

/// What the pod's status said of a container before.
pub(super) fn old<'a>(status: &'a PodStatus, role: Role, name: &str) -> Option<&'a ContainerStatus> {
    let list = match role {
        Role::Init | Role::Sidecar => status.init_container_statuses.as_ref(),
        Role::App => status.container_statuses.as_ref(),
        Role::Ephemeral => status.ephemeral_container_statuses.as_ref(),
    };
    list?.iter().find(|it| it.name == name)
}

/// The status of a container of the spec.
pub(super) fn status(pod: &Pod, role: Role, container: &Container, view: &View<'_>, old: Option<&ContainerStatus>) -> ContainerStatus {
    let mut all = view.observed.containers.iter().filter(|it| it.name == container.name);
    let latest = all.next();
    let before = all.find(|it| it.state == Phase::Exited);
    let waiting = view.waiting.get(&container.name);
    let Some(latest) = latest else { return absent(pod, role, container, view, old) };
    let mut state = live_state(latest);
    let mut last = before.map(live_state);
    if let Some(reason) = waiting
        && state.running.is_none()
    {
        // It ended and waits to be started again: the end becomes the last state.
        if state.terminated.is_some() {
            last = Some(state);
        }
        let message = Some(reason.message.clone()).filter(|it| !it.is_empty());
        state = ContainerState {
            waiting: Some(ContainerStateWaiting { reason: Some(reason.reason.clone()), message }),
            ..ContainerState::default()
        };
    }
    let running = state.running.is_some();
    let started = running && started(container, latest, view);
    let finished_init = role == Role::Init && state.terminated.as_ref().is_some_and(|it| it.exit_code == 0);
    ContainerStatus {
        name: container.name.clone(),
        image: latest.image.clone(),
        image_id: if latest.image_ref.is_empty() { latest.image_id.clone() } else { latest.image_ref.clone() },
        container_id: Some(format!("{SCHEME}{}", latest.id)),
        restart_count: restart_count(latest),
        ready: finished_init || (running && started && role != Role::Init && role != Role::Ephemeral && ready(container, latest, view)),
        started: Some(started),
        last_state: Some(last.or_else(|| old.and_then(|it| it.last_state.clone())).unwrap_or_default()),
        state: Some(state),
        resources: container.resources.clone(),
        ..ContainerStatus::default()
    }
}

fn started(container: &Container, live: &Live, view: &View<'_>) -> bool {
    container.startup_probe.is_none() || view.verdicts.get(&live.id, ProbeKind::Startup) == Some(Verdict::Success)
}

fn ready(container: &Container, live: &Live, view: &View<'_>) -> bool {
    container.readiness_probe.is_none() || view.verdicts.get(&live.id, ProbeKind::Readiness) == Some(Verdict::Success)
}

/// A container that the runtime does not have (yet).
fn absent(pod: &Pod, role: Role, container: &Container, view: &View<'_>, old: Option<&ContainerStatus>) -> ContainerStatus {
    // What has ended keeps its end, also when the container was cleaned away.
    if let Some(old) = old.filter(|it| it.state.as_ref().is_some_and(|state| state.terminated.is_some()))
        && !view.waiting.contains_key(&container.name)
    {
        return old.clone();
    }
    let has_init = pod.spec.as_ref().and_then(|it| it.init_containers.as_ref()).is_some_and(|it| !it.is_empty());
    let default = if has_init && role != Role::Ephemeral { "PodInitializing" } else { "ContainerCreating" };
    let reason = view.waiting.get(&container.name);
    ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        restart_count: old.map_or(0, |it| it.restart_count),
        started: Some(false),
        last_state: Some(old.and_then(|it| it.last_state.clone()).unwrap_or_default()),
        state: Some(ContainerState {
            waiting: Some(ContainerStateWaiting {
                reason: Some(reason.map_or_else(|| default.to_owned(), |it| it.reason.clone())),
                message: reason.map(|it| it.message.clone()).filter(|it| !it.is_empty()),
            }),
            ..ContainerState::default()
        }),
        resources: container.resources.clone(),
        ..ContainerStatus::default()
    }
}

fn live_state(live: &Live) -> ContainerState {
    match live.state {
        Phase::Running => ContainerState {
            running: Some(ContainerStateRunning { started_at: live.started_at.map(Time) }),
            ..ContainerState::default()
        },
        Phase::Exited | Phase::Unknown => ContainerState { terminated: Some(terminated(live)), ..ContainerState::default() },
        Phase::Created => ContainerState {
            waiting: Some(ContainerStateWaiting { reason: Some("ContainerCreating".to_owned()), message: None }),
            ..ContainerState::default()
        },
    }
}

fn terminated(live: &Live) -> ContainerStateTerminated {
    let reason = if live.reason.is_empty() { "ContainerStatusUnknown".to_owned() } else { live.reason.clone() };
    ContainerStateTerminated {
        exit_code: live.exit_code.unwrap_or(137),
        signal: None,
        reason: Some(reason),
        message: message(live),
        started_at: live.started_at.map(Time),
        finished_at: live.finished_at.map(Time),
        container_id: Some(format!("{SCHEME}{}", live.id)),
    }
}

/// The termination message: what the container wrote, or the end of its log if it failed and may
/// speak so.
fn message(live: &Live) -> Option<String> {
    if !live.message.is_empty() {
        return Some(live.message.clone());
    }
    if let Some(file) = live.annotations.get(annotation::MESSAGE_FILE) {
        let text = tail(std::path::Path::new(file), MAX_MESSAGE);
        if !text.is_empty() {
            return Some(text);
        }
    }
    let from_log = live.annotations.get(annotation::MESSAGE_POLICY).is_some_and(|it| it == "FallbackToLogsOnError");
    if !from_log || live.exit_code == Some(0) {
        return None;
    }
    let log = tail(live.log_path.as_deref()?, MAX_LOG * 2);
    // `TIME STREAM F text`: the text alone.
    let lines: Vec<&str> = log.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).collect();
    let text = lines.join("\n");
    (!text.is_empty()).then_some(text)
}

/// The last bytes of a file as text; nothing if it cannot be read.
fn tail(path: &std::path::Path, bytes: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut text = Vec::new();
        file.take(bytes).read_to_end(&mut text)?;
        Ok(text)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
