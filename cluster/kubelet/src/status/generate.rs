//! A pod's status from what is observed: a pure function.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::{conditions, container, phase};
use crate::{
    pods::{
        decide::has_initialized,
        observed::{Observed, Role, all_containers},
    },
    probe::Verdicts,
    resources::qos,
};

/// Why a container could not be started the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartFailure {
    /// `ErrImagePull`, `CrashLoopBackOff`, ...
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Failures by container.
pub(crate) type StartErrors = BTreeMap<String, StartFailure>;

/// A pod that failed as a whole: rejected, evicted, too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// What a status is made from.
pub(crate) struct Input<'a> {
    /// The pod with the status written last.
    pub(crate) pod: &'a Pod,
    pub(crate) observed: &'a Observed,
    pub(crate) verdicts: &'a dyn Verdicts,
    pub(crate) start_errors: &'a StartErrors,
    pub(crate) host_ip: IpAddr,
    pub(crate) pod_ip: Option<IpAddr>,
    /// Nothing of the pod will be started again.
    pub(crate) terminal: bool,
    pub(crate) failed: Option<&'a Failed>,
    pub(crate) now: Timestamp,
}

/// The status.
pub(crate) fn generate(input: &Input<'_>) -> PodStatus {
    let empty = PodStatus::default();
    let old = input.pod.status.as_ref().unwrap_or(&empty);
    let rejected = input.failed.is_some() && input.observed.containers.is_empty() && old.container_statuses.is_none();
    let mut lists: [Vec<ContainerStatus>; 3] = Default::default();
    if !rejected {
        for (role, container) in all_containers(input.pod) {
            let (index, before) = match role {
                Role::Init | Role::Sidecar => (0, &old.init_container_statuses),
                Role::App => (1, &old.container_statuses),
                Role::Ephemeral => (2, &old.ephemeral_container_statuses),
            };
            let before = before.iter().flatten().find(|status| status.name == container.name);
            lists[index].push(container::status(input, role, &container, before));
        }
    }
    let [init, apps, ephemeral] = lists;
    let initialized = has_initialized(input.pod, input.observed);
    let phase = match (old.phase.as_deref(), input.failed) {
        // The end of a pod is never taken back.
        (Some("Succeeded"), None) => "Succeeded",
        (Some("Failed"), None) | (_, Some(_)) => "Failed",
        _ => phase::phase(input.pod, &init, &apps, input.terminal, initialized),
    };
    let conditions =
        conditions::conditions(input.pod, phase, &init, &apps, input.observed.ready_sandbox().is_some(), input.now);
    let ip = input.pod_ip.map(|ip| ip.to_string());
    let some = |list: Vec<ContainerStatus>| (!list.is_empty()).then_some(list);
    PodStatus {
        phase: Some(phase.to_owned()),
        conditions: Some(conditions),
        reason: input.failed.map(|failed| failed.reason.clone()).or_else(|| old.reason.clone()),
        message: input.failed.map(|failed| failed.message.clone()).or_else(|| old.message.clone()),
        host_ip: Some(input.host_ip.to_string()),
        host_ips: Some(vec![HostIP { ip: input.host_ip.to_string() }]),
        pod_ip: ip.clone().or_else(|| old.pod_ip.clone()),
        pod_ips: ip.map(|ip| vec![PodIP { ip }]).or_else(|| old.pod_ips.clone()),
        start_time: old.start_time.clone().or(Some(Time(input.now))),
        init_container_statuses: some(init),
        container_statuses: some(apps),
        ephemeral_container_statuses: some(ephemeral),
        qos_class: old.qos_class.clone().or_else(|| Some(qos(input.pod).as_str().to_owned())),
        observed_generation: input.pod.metadata.generation,
        ..old.clone()
    }
}

/// Conditions that others keep: readiness gates and the like.
pub(crate) fn of_others(pod: &Pod) -> Vec<PodCondition> {
    let all = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    all.filter(|condition| !conditions::OWN.contains(&condition.type_.as_str())).cloned().collect()
}

/// Our own last status with what others have said of the pod since.
pub(crate) fn with_others(mut own: PodStatus, api: Option<&PodStatus>) -> PodStatus {
    let Some(api) = api else { return own };
    let ours = |condition: &&PodCondition| conditions::OWN.contains(&condition.type_.as_str());
    let mut merged: Vec<PodCondition> = own.conditions.iter().flatten().filter(ours).cloned().collect();
    merged.extend(api.conditions.iter().flatten().filter(|condition| !ours(condition)).cloned());
    own.conditions = Some(merged);
    own.nominated_node_name.clone_from(&api.nominated_node_name);
    own
}

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
