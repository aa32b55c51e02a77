//! A pod's status, from what the runtime has and the probes say. Pure.

mod containers;

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::pods::decide::restart_policy;
use crate::pods::observed::{Observed, Role, all_containers, app_containers, init_containers, is_sidecar};
use crate::probe::Verdicts;
use crate::resources;

/// Why a container waits, by name: what the worker could not do, in the kubelet's words.
pub(crate) type Waiting = HashMap<String, Reason>;

/// A reason and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Reason {
    pub(crate) fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }
}

/// What the status is made from besides the pod.
pub(crate) struct View<'a> {
    pub(crate) observed: &'a Observed,
    pub(crate) verdicts: &'a dyn Verdicts,
    pub(crate) waiting: &'a Waiting,
    pub(crate) pod_ip: Option<IpAddr>,
    pub(crate) host_ip: IpAddr,
    /// Set when the pod as a whole has failed: refused by the node, or past its deadline.
    pub(crate) failed: Option<&'a Reason>,
    pub(crate) now: Timestamp,
}

/// The pod's status.
pub(crate) fn status(pod: &Pod, view: &View<'_>) -> PodStatus {
    let old = pod.status.clone().unwrap_or_default();
    let mut init = Vec::new();
    let mut app = Vec::new();
    let mut ephemeral = Vec::new();
    for (role, container) in all_containers(pod) {
        let old = containers::old(&old, role, &container.name);
        let made = containers::status(pod, role, &container, view, old);
        match role {
            Role::Init | Role::Sidecar => init.push(made),
            Role::App => app.push(made),
            Role::Ephemeral => ephemeral.push(made),
        }
    }
    let phase = match view.failed {
        Some(_) => "Failed",
        None => phase(pod, &init, &app, view),
    };
    let ended = matches!(phase, "Succeeded" | "Failed");
    let list = |statuses: Vec<ContainerStatus>| (!statuses.is_empty()).then_some(statuses);
    let conditions = conditions(pod, &old, phase, &init, &app, view);
    let ip = view.pod_ip.map(|it| it.to_string());
    PodStatus {
        phase: Some(phase.to_owned()),
        conditions: Some(conditions),
        container_statuses: list(app),
        init_container_statuses: list(init),
        ephemeral_container_statuses: list(ephemeral),
        host_ip: Some(view.host_ip.to_string()),
        host_ips: Some(vec![HostIP { ip: view.host_ip.to_string() }]),
        pod_ips: ip.clone().map(|ip| vec![PodIP { ip }]).or(old.pod_ips.clone().filter(|_| ended)),
        pod_ip: ip.or(old.pod_ip.clone().filter(|_| ended)),
        qos_class: Some(old.qos_class.clone().unwrap_or_else(|| resources::qos(pod).as_str().to_owned())),
        start_time: old.start_time.clone().or(Some(Time(view.now))),
        reason: view.failed.map(|it| it.reason.clone()),
        message: view.failed.map(|it| it.message.clone()),
        observed_generation: pod.metadata.generation,
        ..old
    }
}

/// Kubernetes' rule for the phase (`pkg/kubelet/kubelet_pods.go`, getPhase).
fn phase(pod: &Pod, init: &[ContainerStatus], app: &[ContainerStatus], view: &View<'_>) -> &'static str {
    let specs = init_containers(pod);
    let mut pending_init = 0;
    let mut failed_init = 0;
    for (spec, status) in specs.iter().zip(init) {
        let state = status.state.as_ref();
        let terminated = state.and_then(|it| it.terminated.as_ref());
        let last = status.last_state.as_ref().and_then(|it| it.terminated.as_ref());
        if is_sidecar(spec) {
            let started = status.started == Some(true);
            let running = state.is_some_and(|it| it.running.is_some());
            pending_init += usize::from(!(running && started) && terminated.is_none() && !has_started(app));
            continue;
        }
        match (terminated, last) {
            (Some(ended), _) => failed_init += usize::from(ended.exit_code != 0),
            (None, Some(ended)) if ended.exit_code != 0 => failed_init += usize::from(state.is_none_or(|it| it.running.is_none())),
            _ => pending_init += 1,
        }
    }
    let (mut running, mut stopped, mut succeeded, mut waiting, mut unknown) = (0, 0, 0, 0, 0);
    for status in app {
        let state = status.state.clone().unwrap_or_default();
        if state.running.is_some() {
            running += 1;
        } else if let Some(ended) = state.terminated {
            stopped += 1;
            succeeded += usize::from(ended.exit_code == 0);
        } else if state.waiting.is_some() {
            if status.last_state.as_ref().is_some_and(|it| it.terminated.is_some()) { stopped += 1 } else { waiting += 1 }
        } else {
            unknown += 1;
        }
    }
    let policy = restart_policy(pod);
    if failed_init > 0 && policy == "Never" {
        return "Failed";
    }
    let before_start = !has_started(app) && view.observed.containers.iter().all(|it| !app_containers(pod).iter().any(|c| c.name == it.name));
    if (pending_init > 0 || failed_init > 0) && before_start {
        return "Pending";
    }
    match () {
        () if waiting > 0 => "Pending",
        () if running > 0 && unknown == 0 => "Running",
        () if running == 0 && stopped > 0 && unknown == 0 => match policy {
            "Always" => "Running",
            _ if stopped == succeeded => "Succeeded",
            "Never" => "Failed",
            _ => "Running",
        },
        () => "Pending",
    }
}

fn has_started(app: &[ContainerStatus]) -> bool {
    let moved = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
    app.iter().any(|it| it.state.as_ref().is_some_and(moved) || it.last_state.as_ref().is_some_and(moved))
}

/// A condition's truth, with a reason where there is one to tell.
type Truth = (bool, Option<Reason>);

fn conditions(pod: &Pod, old: &PodStatus, phase: &str, init: &[ContainerStatus], app: &[ContainerStatus], view: &View<'_>) -> Vec<PodCondition> {
    let sandbox = view.observed.ready_sandbox().is_some() && view.pod_ip.is_some();
    let initialized = initialized(pod, phase, init, app);
    let containers = containers_ready(pod, phase, init, app);
    let ready = ready(pod, &containers);
    let mut conditions: Vec<PodCondition> = old.conditions.clone().unwrap_or_default();
    for (kind, (truth, reason)) in [
        ("PodReadyToStartContainers", (sandbox, None)),
        ("Initialized", initialized),
        ("Ready", ready),
        ("ContainersReady", containers),
    ] {
        set(&mut conditions, pod, kind, truth, reason, view.now);
    }
    // A pod that runs here was scheduled, whoever wrote so.
    if !conditions.iter().any(|it| it.type_ == "PodScheduled") {
        set(&mut conditions, pod, "PodScheduled", true, None, view.now);
    }
    conditions
}

fn set(conditions: &mut Vec<PodCondition>, pod: &Pod, kind: &str, truth: bool, reason: Option<Reason>, now: Timestamp) {
    let status = if truth { "True" } else { "False" };
    let made = PodCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        last_transition_time: Some(Time(now)),
        reason: reason.as_ref().map(|it| it.reason.clone()),
        message: reason.map(|it| it.message),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    };
    match conditions.iter_mut().find(|it| it.type_ == kind) {
        Some(old) if old.status == status => {
            let since = old.last_transition_time.take();
            *old = PodCondition { last_transition_time: since, ..made };
        }
        Some(old) => *old = made,
        None => conditions.push(made),
    }
}

fn initialized(pod: &Pod, phase: &str, init: &[ContainerStatus], app: &[ContainerStatus]) -> Truth {
    let incomplete: Vec<&str> = init_containers(pod)
        .iter()
        .zip(init)
        .filter(|(spec, status)| {
            if is_sidecar(spec) {
                return status.started != Some(true) && !has_started(app);
            }
            let ended = status.state.as_ref().and_then(|it| it.terminated.as_ref());
            !ended.is_some_and(|it| it.exit_code == 0) && !has_started(app)
        })
        .map(|(spec, _)| spec.name.as_str())
        .collect();
    if phase == "Succeeded" {
        return (true, Some(Reason::new("PodCompleted", "")).filter(|_| !init.is_empty()));
    }
    if incomplete.is_empty() {
        return (true, None);
    }
    let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
    (false, Some(Reason::new("ContainersNotInitialized", message)))
}

fn containers_ready(pod: &Pod, phase: &str, init: &[ContainerStatus], app: &[ContainerStatus]) -> Truth {
    match phase {
        "Succeeded" => return (false, Some(Reason::new("PodCompleted", ""))),
        "Failed" => return (false, Some(Reason::new("PodFailed", ""))),
        _ => {}
    }
    let sidecars = init_containers(pod).iter().zip(init).filter(|(spec, _)| is_sidecar(spec)).map(|(_, status)| status);
    let unready: Vec<&str> = sidecars.chain(app).filter(|it| !it.ready).map(|it| it.name.as_str()).collect();
    if unready.is_empty() {
        return (true, None);
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    (false, Some(Reason::new("ContainersNotReady", message)))
}

fn ready(pod: &Pod, containers: &Truth) -> Truth {
    if !containers.0 {
        return containers.clone();
    }
    let gates = pod.spec.as_ref().and_then(|it| it.readiness_gates.as_deref()).unwrap_or_default();
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_deref()).unwrap_or_default();
    let unmet = |kind: &str| !conditions.iter().any(|it| it.type_ == kind && it.status == "True");
    let missing: Vec<String> = gates
        .iter()
        .filter(|gate| unmet(&gate.condition_type))
        .map(|gate| format!("corresponding condition of pod readiness gate {:?} does not exist.", gate.condition_type))
        .collect();
    if missing.is_empty() { (true, None) } else { (false, Some(Reason::new("ReadinessGatesNotReady", missing.join(", ")))) }
}
