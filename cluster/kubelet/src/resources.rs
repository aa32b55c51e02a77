//! Requests and limits: quality of service, control-group values, what fits on the node.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, Pod, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use kpkg_runtime::Resources;

use crate::pods::observed::{app_containers, init_containers, is_sidecar};

/// A quantity as a whole number, rounded up; what cannot be read counts as nothing.
pub(crate) fn whole(quantity: &Quantity) -> i64 {
    quantity.0.parse::<kpkg_api::quantity::Quantity>().map_or(0, |quantity| quantity.value())
}

/// A quantity in thousandths, rounded up.
pub(crate) fn milli(quantity: &Quantity) -> i64 {
    quantity.0.parse::<kpkg_api::quantity::Quantity>().map_or(0, |quantity| quantity.milli_value())
}

/// Amounts of what nodes have and pods ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) cpu_milli: i64,
    pub(crate) memory: i64,
    pub(crate) ephemeral_storage: i64,
    pub(crate) pods: i64,
}

impl Amounts {
    fn of(list: Option<&BTreeMap<String, Quantity>>) -> Self {
        let get = |name: &str| list.and_then(|list| list.get(name));
        Self {
            cpu_milli: get("cpu").map_or(0, milli),
            memory: get("memory").map_or(0, whole),
            ephemeral_storage: get("ephemeral-storage").map_or(0, whole),
            pods: 0,
        }
    }

    fn zip(self, other: Self, with: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            cpu_milli: with(self.cpu_milli, other.cpu_milli),
            memory: with(self.memory, other.memory),
            ephemeral_storage: with(self.ephemeral_storage, other.ephemeral_storage),
            pods: with(self.pods, other.pods),
        }
    }

    /// The sum.
    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(other, i64::saturating_add)
    }
}

fn requests(container: &Container) -> Amounts {
    let resources = container.resources.as_ref();
    let mut list = resources.and_then(|resources| resources.limits.clone()).unwrap_or_default();
    list.extend(resources.and_then(|resources| resources.requests.clone()).unwrap_or_default());
    Amounts::of(Some(&list))
}

/// What a pod asks for: the sum of what runs at once, or what initialization needs if that is more.
pub(crate) fn pod_requests(pod: &Pod) -> Amounts {
    let mut sidecars = Amounts::default();
    let mut peak = Amounts::default();
    for container in init_containers(pod) {
        let own = requests(container);
        if is_sidecar(container) {
            sidecars = sidecars.plus(own);
            peak = peak.zip(sidecars, i64::max);
        } else {
            peak = peak.zip(sidecars.plus(own), i64::max);
        }
    }
    let apps = app_containers(pod).iter().fold(sidecars, |sum, container| sum.plus(requests(container)));
    let mut total = apps.zip(peak, i64::max);
    if let Some(spec) = &pod.spec {
        total = total.plus(Amounts::of(spec.overhead.as_ref()));
    }
    Amounts { pods: 1, ..total }
}

/// Why a pod does not fit: reason and message of its failure.
pub(crate) fn misfit(request: Amounts, used: Amounts, allocatable: Amounts) -> Option<(String, String)> {
    let rows = [
        ("pods", request.pods, used.pods, allocatable.pods),
        ("cpu", request.cpu_milli, used.cpu_milli, allocatable.cpu_milli),
        ("memory", request.memory, used.memory, allocatable.memory),
        ("ephemeral-storage", request.ephemeral_storage, used.ephemeral_storage, allocatable.ephemeral_storage),
    ];
    let (name, requested, used, capacity) = rows
        .into_iter()
        .find(|(_, requested, used, capacity)| *requested > 0 && used.saturating_add(*requested) > *capacity)?;
    let message = format!(
        "Pod was rejected: Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
    );
    Some((format!("OutOf{name}"), message))
}

/// Quality-of-service class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Qos {
    Guaranteed,
    Burstable,
    BestEffort,
}

impl Qos {
    /// As `status.qosClass` has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// The class of a pod: guaranteed if every container's CPU and memory have a limit equal to the request.
pub(crate) fn qos(pod: &Pod) -> Qos {
    let mut any = false;
    let mut guaranteed = true;
    for container in app_containers(pod).iter().chain(init_containers(pod)) {
        let empty = ResourceRequirements::default();
        let resources = container.resources.as_ref().unwrap_or(&empty);
        for name in ["cpu", "memory"] {
            let positive = |list: &Option<BTreeMap<String, Quantity>>| {
                list.as_ref().and_then(|list| list.get(name)).map(milli).filter(|amount| *amount > 0)
            };
            let (limit, request) = (positive(&resources.limits), positive(&resources.requests));
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => Qos::BestEffort,
        (true, true) => Qos::Guaranteed,
        (true, false) => Qos::Burstable,
    }
}

/// The pod's control group below the runtime's root.
pub(crate) fn cgroup_parent(pod: &Pod) -> String {
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    match qos(pod) {
        Qos::Guaranteed => format!("pod{uid}"),
        Qos::Burstable => format!("burstable/pod{uid}"),
        Qos::BestEffort => format!("besteffort/pod{uid}"),
    }
}

const CPU_PERIOD: i64 = 100_000;
const MIN_QUOTA: i64 = 1000;
const MIN_SHARES: i64 = 2;
const MAX_SHARES: i64 = 262_144;

fn shares(cpu_milli: i64) -> u64 {
    u64::try_from((cpu_milli.saturating_mul(1024) / 1000).clamp(MIN_SHARES, MAX_SHARES)).expect("clamped to positive")
}

fn quota(cpu_milli: i64) -> Option<i64> {
    (cpu_milli > 0).then(|| (cpu_milli.saturating_mul(CPU_PERIOD) / 1000).max(MIN_QUOTA))
}

fn limits(container: &Container) -> Amounts {
    Amounts::of(container.resources.as_ref().and_then(|resources| resources.limits.as_ref()))
}

/// A container's control-group values.
pub(crate) fn container_resources(pod: &Pod, container: &Container, node_memory: i64) -> Resources {
    let (limits, requests) = (limits(container), requests(container));
    Resources {
        cpu_period: Some(CPU_PERIOD.unsigned_abs()),
        cpu_quota: quota(limits.cpu_milli),
        cpu_shares: Some(shares(requests.cpu_milli)),
        memory_limit: Some(limits.memory).filter(|bytes| *bytes > 0),
        oom_score_adj: Some(oom_score_adj(pod, container, node_memory)),
        ..Resources::default()
    }
}

/// The whole pod's control-group values: a limit only where every container has one.
pub(crate) fn pod_resources(pod: &Pod) -> Resources {
    let apps = app_containers(pod);
    let running = || apps.iter().chain(init_containers(pod).iter().filter(|container| is_sidecar(container)));
    let total = |pick: fn(Amounts) -> i64| {
        let sum: i64 = running().map(|container| pick(limits(container))).sum();
        let peak = init_containers(pod).iter().map(|container| pick(limits(container))).max().unwrap_or(0);
        let all_limited = running().chain(init_containers(pod)).all(|container| pick(limits(container)) > 0);
        all_limited.then_some(sum.max(peak)).filter(|amount| *amount > 0)
    };
    Resources {
        cpu_period: Some(CPU_PERIOD.unsigned_abs()),
        cpu_quota: total(|amounts| amounts.cpu_milli).and_then(quota),
        cpu_shares: Some(shares(if qos(pod) == Qos::BestEffort { 0 } else { pod_requests(pod).cpu_milli })),
        memory_limit: total(|amounts| amounts.memory),
        ..Resources::default()
    }
}

/// Who dies first when memory runs out: best effort, then burstable by how little of the node's memory it asked for.
fn oom_score_adj(pod: &Pod, container: &Container, node_memory: i64) -> i32 {
    let critical = pod.spec.as_ref().and_then(|spec| spec.priority).is_some_and(|priority| priority >= 2_000_000_000);
    match qos(pod) {
        _ if critical => -997,
        Qos::Guaranteed => -997,
        Qos::BestEffort => 1000,
        Qos::Burstable => {
            let share = requests(container).memory.saturating_mul(1000) / node_memory.max(1);
            i32::try_from((1000 - share).clamp(3, 999)).expect("clamped")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(containers: serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({"metadata": {"uid": "u"}, "spec": containers})).unwrap()
    }

    fn one(resources: serde_json::Value) -> Pod {
        pod(serde_json::json!({"containers": [{"name": "c", "resources": resources}]}))
    }

    #[test]
    fn classes() {
        let cases = [
            (one(serde_json::json!({})), Qos::BestEffort, 1000),
            (one(serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}})), Qos::Guaranteed, -997),
            (
                one(
                    serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "512Mi"}}),
                ),
                Qos::Burstable,
                875,
            ),
            (one(serde_json::json!({"requests": {"cpu": "1"}})), Qos::Burstable, 999),
        ];
        for (pod, want, oom) in cases {
            assert_eq!(qos(&pod), want);
            assert_eq!(oom_score_adj(&pod, &app_containers(&pod)[0], 4 << 30), oom, "{want:?}");
        }
    }

    #[test]
    fn initialization_may_need_more_than_running() {
        let pod = pod(serde_json::json!({
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"name": "i", "resources": {"requests": {"cpu": "2"}}},
            ],
            "containers": [{"name": "c", "resources": {"requests": {"cpu": "1", "memory": "1Mi"}}}],
        }));
        assert_eq!(pod_requests(&pod), Amounts { cpu_milli: 2100, memory: 1 << 20, ephemeral_storage: 0, pods: 1 });
    }

    #[test]
    fn misfits_are_named() {
        let node = Amounts { cpu_milli: 2000, memory: 100, ephemeral_storage: 0, pods: 2 };
        let ask = Amounts { cpu_milli: 1500, pods: 1, ..Amounts::default() };
        assert_eq!(misfit(ask, Amounts::default(), node), None);
        let (reason, message) = misfit(ask, Amounts { cpu_milli: 600, ..Amounts::default() }, node).unwrap();
        assert_eq!(reason, "OutOfcpu");
        assert_eq!(
            message,
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 1500, used: 600, capacity: 2000"
        );
        assert_eq!(misfit(ask, Amounts { pods: 2, ..Amounts::default() }, node).unwrap().0, "OutOfpods");
    }

    #[test]
    fn limits_become_control_group_values() {
        let pod = one(serde_json::json!({"limits": {"cpu": "250m", "memory": "64Mi"}}));
        let got = container_resources(&pod, &app_containers(&pod)[0], 4 << 30);
        assert_eq!((got.cpu_quota, got.cpu_shares, got.memory_limit), (Some(25_000), Some(256), Some(64 << 20)));
        let whole_pod = pod_resources(&pod);
        assert_eq!((whole_pod.cpu_quota, whole_pod.memory_limit), (Some(25_000), Some(64 << 20)));
        let open = one(serde_json::json!({}));
        assert_eq!(pod_resources(&open).memory_limit, None);
    }
}
