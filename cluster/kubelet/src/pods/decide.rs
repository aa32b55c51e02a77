//! What to do next for a pod: a pure function of its spec, the runtime's view and the probes' verdicts.

use k8s_openapi::api::core::v1::{Container, Pod};
use kpkg_runtime::{ContainerId, ContainerState, ContainerStatus};

use super::observed::{
    Observed, annotation, app_containers, ephemeral_containers, init_containers, is_sidecar, spec_hash,
};
use crate::probe::{ProbeKind, Verdict, Verdicts};

/// Steps towards the pod that the spec asks for, in the order in which they are taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Actions {
    /// Stop all containers and the sandbox.
    pub(crate) kill_pod: bool,
    /// Create a sandbox with this attempt number.
    pub(crate) create_sandbox: Option<u32>,
    /// Containers to stop.
    pub(crate) kill: Vec<Kill>,
    /// Indexes of ephemeral containers to start.
    pub(crate) start_ephemeral: Vec<usize>,
    /// Indexes of init containers to start, in order.
    pub(crate) start_init: Vec<usize>,
    /// Indexes of app containers to start, in order.
    pub(crate) start: Vec<usize>,
}

/// One container to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) id: ContainerId,
    pub(crate) name: String,
    /// For the event.
    pub(crate) message: String,
    /// The probe that failed, whose grace period then counts.
    pub(crate) probe: Option<ProbeKind>,
}

/// Decides.
pub(crate) fn decide(pod: &Pod, observed: &Observed, verdicts: &dyn Verdicts) -> Actions {
    let mut actions = Actions::default();
    if observed.ready_sandbox().is_none() {
        actions.kill_pod = true;
        return new_sandbox(pod, observed, actions);
    }
    for (index, container) in ephemeral_containers(pod).iter().enumerate() {
        if observed.latest(&container.name).is_none() {
            actions.start_ephemeral.push(index);
        }
    }
    if !decide_init(pod, observed, verdicts, &mut actions) {
        return actions;
    }
    let mut kept = 0;
    for (index, container) in app_containers(pod).iter().enumerate() {
        kept += usize::from(decide_app(pod, index, container, observed, verdicts, &mut actions));
    }
    if kept == 0 && actions.start.is_empty() {
        actions.kill_pod = true;
        // Sidecars must not keep a finished pod alive.
        actions.start_init.clear();
    }
    actions
}

fn new_sandbox(pod: &Pod, observed: &Observed, mut actions: Actions) -> Actions {
    let attempt = observed.sandboxes.first().map_or(0, |sandbox| sandbox.config.attempt + 1);
    if restart_policy(pod) == "Never" && attempt != 0 && !observed.containers.is_empty() {
        return actions;
    }
    let start: Vec<usize> = app_containers(pod)
        .iter()
        .enumerate()
        .filter(|(_, container)| !(restart_policy(pod) == "OnFailure" && succeeded(container, observed)))
        .map(|(index, _)| index)
        .collect();
    let ran_before = app_containers(pod).iter().any(|container| observed.latest(&container.name).is_some());
    if start.is_empty() && ran_before {
        return actions;
    }
    actions.create_sandbox = Some(attempt);
    if init_containers(pod).is_empty() {
        actions.start = start;
    } else {
        actions.start_init = vec![0];
    }
    actions
}

fn succeeded(container: &Container, observed: &Observed) -> bool {
    observed
        .latest(&container.name)
        .is_some_and(|status| status.state == ContainerState::Exited && status.exit_code == Some(0))
}

/// Decides for init containers; true when app containers may run.
fn decide_init(pod: &Pod, observed: &Observed, verdicts: &dyn Verdicts, actions: &mut Actions) -> bool {
    let init = init_containers(pod);
    if init.is_empty() {
        return true;
    }
    let ran_before = has_initialized(pod, observed);
    // The last one that was ever started tells how far we are; earlier ones may have been cleaned away.
    let current = (0..init.len()).rev().find(|index| observed.latest_active(&init[*index].name).is_some());
    let Some(current) = current else {
        if !ran_before {
            actions.start_init.push(0);
            return false;
        }
        actions.start_init.extend((0..init.len()).filter(|index| is_sidecar(&init[*index])));
        return true;
    };
    let keep_running = if ran_before { init.len() } else { current };
    for (index, container) in init.iter().enumerate().take(keep_running) {
        if is_sidecar(container) {
            keep_sidecar(index, container, observed, verdicts, actions);
        }
    }
    if ran_before {
        return true;
    }
    let status = observed.latest_active(&init[current].name).expect("found just above");
    match after(pod, &init[current], current, status, verdicts, actions) {
        Progress::Next if current + 1 < init.len() => {
            actions.start_init.push(current + 1);
            false
        }
        Progress::Next => true,
        Progress::Wait => false,
    }
}

enum Progress {
    Wait,
    Next,
}

/// What the newest init container means for the one after it.
fn after(
    pod: &Pod,
    container: &Container,
    index: usize,
    status: &ContainerStatus,
    verdicts: &dyn Verdicts,
    actions: &mut Actions,
) -> Progress {
    match status.state {
        ContainerState::Running if is_sidecar(container) => {
            if let Some(kill) = failed_probe("Init container", container, status, verdicts) {
                actions.kill.push(kill);
                actions.start_init.push(index);
                return Progress::Wait;
            }
            let started = container.startup_probe.is_none()
                || verdicts.get(&status.id, ProbeKind::Startup) == Some(Verdict::Success);
            if started { Progress::Next } else { Progress::Wait }
        }
        ContainerState::Running => Progress::Wait,
        ContainerState::Exited if is_sidecar(container) => {
            actions.start_init.push(index);
            Progress::Wait
        }
        ContainerState::Exited if status.exit_code == Some(0) => Progress::Next,
        ContainerState::Exited if restart_policy(pod) == "Never" => {
            actions.kill_pod = true;
            actions.start_init.clear();
            Progress::Wait
        }
        ContainerState::Exited | ContainerState::Created => {
            actions.start_init.push(index);
            Progress::Wait
        }
        ContainerState::Unknown => {
            actions.kill.push(unknown("Init container", container, status));
            actions.start_init.push(index);
            Progress::Wait
        }
    }
}

fn keep_sidecar(
    index: usize,
    container: &Container,
    observed: &Observed,
    verdicts: &dyn Verdicts,
    actions: &mut Actions,
) {
    match observed.latest_active(&container.name) {
        None => actions.start_init.push(index),
        Some(status) => match status.state {
            ContainerState::Running => {
                if let Some(kill) = failed_probe("Init container", container, status, verdicts) {
                    actions.kill.push(kill);
                    actions.start_init.push(index);
                }
            }
            ContainerState::Exited | ContainerState::Created => actions.start_init.push(index),
            ContainerState::Unknown => {
                actions.kill.push(unknown("Init container", container, status));
                actions.start_init.push(index);
            }
        },
    }
}

/// Decides for one app container; true when it stays as it is.
fn decide_app(
    pod: &Pod,
    index: usize,
    container: &Container,
    observed: &Observed,
    verdicts: &dyn Verdicts,
    actions: &mut Actions,
) -> bool {
    let status = match observed.latest(&container.name) {
        Some(status) if status.state == ContainerState::Running => status,
        other => {
            if should_restart(container, pod, other) {
                actions.start.push(index);
                if let Some(status) = other.filter(|status| status.state == ContainerState::Unknown) {
                    actions.kill.push(unknown("Container", container, status));
                }
            }
            return false;
        }
    };
    let mut restart = restart_policy_of(container, pod) != "Never";
    let kill = if definition_changed(container, status) {
        // Whatever the policy says: somebody asked for another image.
        restart = true;
        let message = format!("Container {} definition changed", container.name);
        Some(Kill { id: status.id.clone(), name: container.name.clone(), message, probe: None })
    } else {
        failed_probe("Container", container, status, verdicts)
    };
    let Some(mut kill) = kill else { return true };
    if restart {
        kill.message.push_str(", will be restarted");
        actions.start.push(index);
    }
    actions.kill.push(kill);
    false
}

fn definition_changed(container: &Container, status: &ContainerStatus) -> bool {
    status.annotations.get(annotation::HASH).is_some_and(|hash| *hash != spec_hash(container))
}

fn failed_probe(noun: &str, container: &Container, status: &ContainerStatus, verdicts: &dyn Verdicts) -> Option<Kill> {
    let kind = [ProbeKind::Liveness, ProbeKind::Startup]
        .into_iter()
        .find(|kind| verdicts.get(&status.id, *kind) == Some(Verdict::Failure))?;
    let message = format!("{noun} {} failed {} probe", container.name, kind.word());
    Some(Kill { id: status.id.clone(), name: container.name.clone(), message, probe: Some(kind) })
}

fn unknown(noun: &str, container: &Container, status: &ContainerStatus) -> Kill {
    let message = format!("{noun} is in \"unknown\" state, try killing it before restart");
    Kill { id: status.id.clone(), name: container.name.clone(), message, probe: None }
}

/// Whether any app container was started in the present sandbox, so that initialization is over.
pub(crate) fn has_initialized(pod: &Pod, observed: &Observed) -> bool {
    app_containers(pod)
        .iter()
        .filter_map(|container| observed.latest_active(&container.name))
        .any(|status| status.state != ContainerState::Created)
}

/// The pod's restart policy.
pub(crate) fn restart_policy(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
}

fn restart_policy_of<'a>(container: &'a Container, pod: &'a Pod) -> &'a str {
    container.restart_policy.as_deref().unwrap_or_else(|| restart_policy(pod))
}

/// Whether a container that does not run is to be started (again).
pub(crate) fn should_restart(container: &Container, pod: &Pod, status: Option<&ContainerStatus>) -> bool {
    if pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let Some(status) = status else { return true };
    match status.state {
        ContainerState::Running => false,
        ContainerState::Unknown | ContainerState::Created => true,
        ContainerState::Exited => {
            let code = status.exit_code.unwrap_or(-1);
            rules_say(container, code).unwrap_or_else(|| match restart_policy_of(container, pod) {
                "Never" => false,
                "OnFailure" => code != 0,
                _ => true,
            })
        }
    }
}

/// The verdict of a container's own restart rules, if one matches.
fn rules_say(container: &Container, code: i32) -> Option<bool> {
    container.restart_policy_rules.as_deref().unwrap_or_default().iter().find_map(|rule| {
        let codes = rule.exit_codes.as_ref()?;
        let listed = codes.values.as_deref().unwrap_or_default().contains(&code);
        let matches = match codes.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        };
        (matches && rule.action == "Restart").then_some(true)
    })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
