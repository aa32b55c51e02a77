//! Statuses of single containers.

use k8s_openapi::{
    api::core::v1::{
        Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kpkg_runtime as runtime;

use super::Input;
use crate::{
    pods::{
        decide::should_restart,
        observed::{Role, restart_count},
    },
    probe::{ProbeKind, Verdict},
};

/// Exit code of containers whose end nobody saw.
const LOST: i32 = 137;

/// The status of one container.
pub(super) fn status(
    input: &Input<'_>,
    role: Role,
    container: &Container,
    previous: Option<&ContainerStatus>,
) -> ContainerStatus {
    let mut history = input.observed.containers.iter().filter(|have| have.name == container.name);
    let (newest, older) = (history.next(), history.next());
    let mut status = match newest {
        Some(newest) => seen(newest),
        None => unseen(input, role, container, previous),
    };
    if let Some(older) = older
        && let Some(ContainerState { terminated: Some(terminated), .. }) = seen(older).state
    {
        status.last_state = Some(terminated_state(terminated));
    } else if newest.is_some() {
        status.last_state = status.last_state.or_else(|| previous_last_state(newest, previous));
    }
    waiting_for_restart(input, role, container, newest, &mut status);
    mark_started_and_ready(input, role, container, newest, &mut status);
    status
}

/// What was before a container whose predecessor the runtime has forgotten: what we said last time.
fn previous_last_state(
    newest: Option<&runtime::ContainerStatus>,
    previous: Option<&ContainerStatus>,
) -> Option<ContainerState> {
    let previous = previous?;
    let same = newest.is_some_and(|newest| previous.container_id.as_deref() == Some(&container_id(newest)));
    if same { previous.last_state.clone().filter(|state| state.terminated.is_some()) } else { None }
}

fn container_id(container: &runtime::ContainerStatus) -> String {
    format!("kpkg://{}", container.id)
}

fn seen(container: &runtime::ContainerStatus) -> ContainerStatus {
    let state = match container.state {
        runtime::ContainerState::Created => waiting("", None),
        runtime::ContainerState::Running => ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(Time(container.started_at.unwrap_or(container.created_at))),
            }),
            ..ContainerState::default()
        },
        runtime::ContainerState::Exited => terminated_state(terminated(container)),
        runtime::ContainerState::Unknown => terminated_state(ContainerStateTerminated {
            reason: Some("ContainerStatusUnknown".to_owned()),
            message: Some("The container could not be located when the pod was terminated".to_owned()),
            exit_code: LOST,
            container_id: Some(container_id(container)),
            ..ContainerStateTerminated::default()
        }),
    };
    ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone(),
        image_id: if container.image_ref.is_empty() { container.image_id.clone() } else { container.image_ref.clone() },
        container_id: Some(container_id(container)),
        restart_count: restart_count(container),
        state: Some(state),
        last_state: Some(ContainerState::default()),
        ..ContainerStatus::default()
    }
}

fn terminated(container: &runtime::ContainerStatus) -> ContainerStateTerminated {
    ContainerStateTerminated {
        container_id: Some(container_id(container)),
        exit_code: container.exit_code.unwrap_or(LOST),
        signal: None,
        reason: Some(container.reason.clone()).filter(|reason| !reason.is_empty()),
        message: Some(container.message.clone()).filter(|message| !message.is_empty()),
        started_at: container.started_at.or(Some(container.created_at)).map(Time),
        finished_at: container.finished_at.map(Time),
    }
}

fn terminated_state(terminated: ContainerStateTerminated) -> ContainerState {
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

fn waiting(reason: &str, message: Option<&str>) -> ContainerState {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    ContainerState {
        waiting: Some(ContainerStateWaiting { reason: some(reason), message: message.and_then(some) }),
        ..ContainerState::default()
    }
}

/// A container that the runtime does not know: not yet made, or lost.
fn unseen(input: &Input<'_>, role: Role, container: &Container, previous: Option<&ContainerStatus>) -> ContainerStatus {
    let has_init =
        input.pod.spec.as_ref().is_some_and(|spec| spec.init_containers.as_ref().is_some_and(|list| !list.is_empty()));
    let reason = if has_init && role != Role::Ephemeral { "PodInitializing" } else { "ContainerCreating" };
    let mut status = ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        state: Some(waiting(reason, None)),
        last_state: Some(ContainerState::default()),
        ..ContainerStatus::default()
    };
    let Some(previous) = previous else { return status };
    let state = previous.state.as_ref();
    if state.is_some_and(|state| state.terminated.is_some()) {
        return previous.clone();
    }
    status.restart_count = previous.restart_count;
    status.last_state.clone_from(&previous.last_state);
    if state.is_some_and(|state| state.running.is_some()) {
        let lost = ContainerStateTerminated {
            reason: Some("ContainerStatusUnknown".to_owned()),
            message: Some(
                "The container could not be located when the pod was deleted.  The container used to be Running"
                    .to_owned(),
            ),
            exit_code: LOST,
            ..ContainerStateTerminated::default()
        };
        if input.terminal {
            status.state = Some(terminated_state(lost));
        } else {
            status.last_state = Some(terminated_state(lost));
            status.restart_count += 1;
        }
    }
    status
}

/// A container that should run and could not be started waits, and says why.
fn waiting_for_restart(
    input: &Input<'_>,
    role: Role,
    container: &Container,
    newest: Option<&runtime::ContainerStatus>,
    status: &mut ContainerStatus,
) {
    let Some(failure) = input.start_errors.get(&container.name) else { return };
    let done =
        newest.is_some_and(|newest| newest.state == runtime::ContainerState::Exited && newest.exit_code == Some(0));
    if (role == Role::Init && done)
        || input.terminal
        || !(role == Role::Sidecar || should_restart(container, input.pod, newest))
    {
        return;
    }
    if newest.is_some_and(|newest| newest.state == runtime::ContainerState::Running) {
        return;
    }
    if let Some(ContainerState { terminated: Some(terminated), .. }) = status.state.take() {
        status.last_state = Some(terminated_state(terminated));
    }
    status.state = Some(waiting(&failure.reason, Some(&failure.message)));
}

fn mark_started_and_ready(
    input: &Input<'_>,
    role: Role,
    container: &Container,
    newest: Option<&runtime::ContainerStatus>,
    status: &mut ContainerStatus,
) {
    let running = newest.filter(|newest| newest.state == runtime::ContainerState::Running);
    let verdict = |kind| running.and_then(|running| input.verdicts.get(&running.id, kind));
    let started = running.is_some()
        && (container.startup_probe.is_none()
            || role == Role::Init
            || verdict(ProbeKind::Startup) == Some(Verdict::Success));
    status.started = Some(started);
    status.ready = match role {
        Role::Init => {
            newest.is_some_and(|newest| newest.state == runtime::ContainerState::Exited && newest.exit_code == Some(0))
                || (newest.is_none() && was_ready(status))
        }
        Role::Ephemeral => false,
        Role::Sidecar | Role::App => {
            started && (container.readiness_probe.is_none() || verdict(ProbeKind::Readiness) == Some(Verdict::Success))
        }
    };
}

/// An init container that the runtime has forgotten keeps what was said of it.
fn was_ready(status: &ContainerStatus) -> bool {
    status
        .state
        .as_ref()
        .and_then(|state| state.terminated.as_ref())
        .is_some_and(|terminated| terminated.exit_code == 0)
}
