//! From requests and limits to control groups (Kubernetes' `pkg/kubelet/cm` and `qos`).

use k8s_openapi::api::core::v1::{Container, Pod};
use kpkg_api::quantity::Quantity;
use kpkg_api::resources::{QosClass, qos_class};
use kpkg_runtime::Resources;

/// The length of a CPU period, in microseconds.
const PERIOD: i64 = 100_000;
/// The least quota that the kernel takes, in microseconds.
const MIN_QUOTA: i64 = 1000;

/// The pod's class of service.
pub(crate) fn qos(pod: &Pod) -> QosClass {
    pod.spec.as_ref().map_or(QosClass::BestEffort, |spec| qos_class(&serde_json::to_value(spec).unwrap_or_default()))
}

/// The pod's control group below the runtime's root.
pub(crate) fn cgroup_parent(pod: &Pod, uid: &str) -> String {
    match qos(pod) {
        QosClass::Guaranteed => format!("pod{uid}"),
        QosClass::Burstable => format!("burstable/pod{uid}"),
        QosClass::BestEffort => format!("besteffort/pod{uid}"),
    }
}

fn amount(container: &Container, limits: bool, name: &str) -> Option<Quantity> {
    let resources = container.resources.as_ref()?;
    let list = if limits { resources.limits.as_ref() } else { resources.requests.as_ref() };
    list?.get(name)?.0.parse().ok()
}

/// A container's limits; `node_memory` is the machine's, in bytes.
pub(crate) fn of_container(pod: &Pod, container: &Container, node_memory: i64) -> Resources {
    let request = amount(container, false, "cpu").or_else(|| amount(container, true, "cpu"));
    let milli = request.map_or(0, |it| it.milli_value());
    let limit = amount(container, true, "cpu").map(|it| it.milli_value()).filter(|it| *it > 0);
    let memory = amount(container, true, "memory").map(|it| it.value()).filter(|it| *it > 0);
    Resources {
        cpu_period: limit.map(|_| PERIOD.unsigned_abs()),
        cpu_quota: limit.map(|milli| (milli * PERIOD / 1000).max(MIN_QUOTA)),
        cpu_shares: Some(u64::try_from((milli * 1024 / 1000).clamp(2, 262_144)).unwrap_or(2)),
        memory_limit: memory,
        oom_score_adj: Some(oom_score(pod, container, node_memory)),
        ..Resources::default()
    }
}

/// How ready the kernel is to kill the container: the less it asked for, the more.
fn oom_score(pod: &Pod, container: &Container, node_memory: i64) -> i32 {
    match qos(pod) {
        QosClass::Guaranteed => -997,
        QosClass::BestEffort => 1000,
        QosClass::Burstable => {
            let request = amount(container, false, "memory").map_or(0, |it| it.value());
            let score = 1000 - 1000 * request / node_memory.max(1);
            i32::try_from(score.clamp(3, 999)).unwrap_or(999)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_quota_and_requests_weight() {
        let pod: Pod = serde_json::from_value(serde_json::json!({"spec": {"containers": [{"name": "a", "resources":
            {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "500m", "memory": "2Gi"}}}]}})).unwrap();
        let found = of_container(&pod, &pod.spec.as_ref().unwrap().containers[0], 4 << 30);
        assert_eq!((found.cpu_quota, found.cpu_shares, found.memory_limit), (Some(50_000), Some(256), Some(2 << 30)));
        assert_eq!(found.oom_score_adj, Some(750));
        assert_eq!(cgroup_parent(&pod, "x"), "burstable/podx");
    }
}
