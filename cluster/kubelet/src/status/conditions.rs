//! A pod's conditions.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod, PodCondition},
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::pods::observed::{app_containers, init_containers, is_sidecar};

/// Conditions that the kubelet owns; others are left as they are.
pub(super) const OWN: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Truth {
    holds: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Truth {
    fn yes() -> Self {
        Self { holds: true, reason: None, message: None }
    }

    fn no(reason: &'static str, message: Option<String>) -> Self {
        Self { holds: false, reason: Some(reason), message }
    }
}

/// All conditions: ours, in Kubernetes' order, then the others.
pub(super) fn conditions(
    pod: &Pod,
    phase: &str,
    init: &[ContainerStatus],
    apps: &[ContainerStatus],
    sandbox_ready: bool,
    now: Timestamp,
) -> Vec<PodCondition> {
    let old = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let initialized = initialized(pod, phase, init, apps);
    let containers_ready = containers_ready(pod, phase, init, apps);
    let ready = ready(pod, &containers_ready, old);
    let started = Truth { holds: sandbox_ready, reason: None, message: None };
    let ours = [started, initialized, ready, containers_ready, Truth::yes()];
    let mut out: Vec<PodCondition> =
        OWN.iter().zip(ours).map(|(name, truth)| condition(pod, name, truth, old, now)).collect();
    out.extend(old.iter().filter(|condition| !OWN.contains(&condition.type_.as_str())).cloned());
    out
}

fn condition(pod: &Pod, name: &str, truth: Truth, old: &[PodCondition], now: Timestamp) -> PodCondition {
    let status = if truth.holds { "True" } else { "False" };
    let before = old.iter().find(|condition| condition.type_ == name);
    let since = before.filter(|before| before.status == status).and_then(|before| before.last_transition_time.clone());
    PodCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        reason: truth.reason.map(str::to_owned),
        message: truth.message,
        last_transition_time: Some(since.unwrap_or(Time(now))),
        observed_generation: pod.metadata.generation,
        last_probe_time: None,
    }
}

fn listed(noun: &str, names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| format!("containers with {noun} status: [{}]", names.join(" ")))
}

fn joined(parts: [Option<String>; 2]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn containers_ready(pod: &Pod, phase: &str, init: &[ContainerStatus], apps: &[ContainerStatus]) -> Truth {
    let wanted =
        init_containers(pod).iter().filter(|container| is_sidecar(container)).map(|container| (container, init));
    let wanted = wanted.chain(app_containers(pod).iter().map(|container| (container, apps)));
    let (mut unknown, mut unready) = (vec![], vec![]);
    for (container, statuses) in wanted {
        match statuses.iter().find(|status| status.name == container.name) {
            None => unknown.push(container.name.as_str()),
            Some(status) if !status.ready => unready.push(container.name.as_str()),
            Some(_) => {}
        }
    }
    match phase {
        "Succeeded" if unknown.is_empty() => return Truth::no("PodCompleted", None),
        "Failed" if unknown.is_empty() => return Truth::no("PodFailed", None),
        _ => {}
    }
    match joined([listed("unknown", &unknown), listed("unready", &unready)]) {
        Some(message) => Truth::no("ContainersNotReady", Some(message)),
        None => Truth::yes(),
    }
}

fn ready(pod: &Pod, containers_ready: &Truth, old: &[PodCondition]) -> Truth {
    if !containers_ready.holds {
        return containers_ready.clone();
    }
    let gates = pod.spec.as_ref().and_then(|spec| spec.readiness_gates.as_deref()).unwrap_or_default();
    let problems: Vec<String> = gates
        .iter()
        .filter_map(|gate| {
            let name = &gate.condition_type;
            match old.iter().find(|condition| condition.type_ == *name) {
                None => Some(format!("corresponding condition of pod readiness gate {name:?} does not exist.")),
                Some(condition) if condition.status != "True" => {
                    Some(format!("the status of pod readiness gate {name:?} is not \"True\", but {}", condition.status))
                }
                Some(_) => None,
            }
        })
        .collect();
    if problems.is_empty() { Truth::yes() } else { Truth::no("ReadinessGatesNotReady", Some(problems.join(", "))) }
}

fn initialized(pod: &Pod, phase: &str, init: &[ContainerStatus], apps: &[ContainerStatus]) -> Truth {
    let (mut unknown, mut incomplete) = (vec![], vec![]);
    for container in init_containers(pod) {
        match init.iter().find(|status| status.name == container.name) {
            None => unknown.push(container.name.as_str()),
            Some(status) if is_sidecar(container) && status.started != Some(true) => {
                incomplete.push(container.name.as_str());
            }
            Some(status) if !is_sidecar(container) && !status.ready => incomplete.push(container.name.as_str()),
            Some(_) => {}
        }
    }
    if phase == "Succeeded" && unknown.is_empty() {
        return Truth { holds: true, reason: Some("PodCompleted"), message: None };
    }
    let ran = |status: &ContainerStatus| {
        status.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    };
    if apps.iter().any(ran) {
        return Truth::yes();
    }
    match joined([listed("unknown", &unknown), listed("incomplete", &incomplete)]) {
        Some(message) => Truth::no("ContainersNotInitialized", Some(message)),
        None => Truth::yes(),
    }
}
