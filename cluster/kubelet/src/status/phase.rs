//! A pod's phase from its containers' statuses.

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};

use crate::pods::{
    decide::restart_policy,
    observed::{app_containers, init_containers, is_sidecar},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Never ran.
    Waiting,
    Running {
        started: bool,
    },
    /// Ended, or waits to be restarted after an end.
    Stopped {
        succeeded: bool,
    },
}

fn stage(container: &Container, statuses: &[ContainerStatus]) -> Option<Stage> {
    let status = statuses.iter().find(|status| status.name == container.name)?;
    let state = status.state.as_ref()?;
    let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    Some(match (&state.running, &state.terminated, last) {
        (Some(_), _, _) => Stage::Running { started: status.started == Some(true) },
        (None, Some(terminated), _) => Stage::Stopped { succeeded: terminated.exit_code == 0 },
        (None, None, Some(_)) => Stage::Stopped { succeeded: false },
        (None, None, None) => Stage::Waiting,
    })
}

/// The phase; `terminal` when nothing of the pod will be started again, `initialized` when app containers ran before.
pub(super) fn phase(
    pod: &Pod,
    init: &[ContainerStatus],
    apps: &[ContainerStatus],
    terminal: bool,
    initialized: bool,
) -> &'static str {
    let mut pending_init = false;
    let mut running = 0;
    let mut waiting = 0;
    let mut unknown = 0;
    for container in init_containers(pod) {
        let stage = stage(container, init);
        if is_sidecar(container) {
            match stage {
                None => unknown += 1,
                Some(Stage::Running { started }) => {
                    pending_init |= !started && !initialized;
                    running += 1;
                }
                Some(Stage::Waiting) => {
                    pending_init |= !initialized;
                    waiting += 1;
                }
                Some(Stage::Stopped { .. }) => {}
            }
        } else {
            match stage {
                Some(Stage::Stopped { succeeded: true }) => {}
                Some(Stage::Stopped { succeeded: false }) if restart_policy(pod) == "Never" => return "Failed",
                Some(Stage::Stopped { succeeded: false }) => pending_init |= !initialized,
                None | Some(Stage::Waiting | Stage::Running { .. }) => pending_init = true,
            }
        }
    }
    let (mut stopped, mut succeeded) = (0, 0);
    for container in app_containers(pod) {
        match stage(container, apps) {
            None => unknown += 1,
            Some(Stage::Waiting) => waiting += 1,
            Some(Stage::Running { .. }) => running += 1,
            Some(Stage::Stopped { succeeded: good }) => {
                stopped += 1;
                succeeded += usize::from(good);
            }
        }
    }
    match () {
        () if terminal && stopped > 0 && unknown == 0 && waiting == 0 => {
            if stopped == succeeded {
                "Succeeded"
            } else {
                "Failed"
            }
        }
        () if pending_init || waiting > 0 => "Pending",
        () if running > 0 && unknown == 0 => "Running",
        () if stopped > 0 && unknown == 0 => match restart_policy(pod) {
            "Always" => "Running",
            _ if stopped == succeeded => "Succeeded",
            "Never" => "Failed",
            _ => "Running",
        },
        () => "Pending",
    }
}
