//! The downward API: what a pod may be told about itself.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use kpkg_api::quantity::Quantity;
use kube::ResourceExt;

/// What of the pod is not in its object yet, or not in it at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) pod_ip: Option<IpAddr>,
    pub(crate) host_ip: Option<IpAddr>,
    /// The node's allocatable CPU in thousandths and memory in bytes: limits where none are set.
    pub(crate) node_cpu_milli: i64,
    pub(crate) node_memory: i64,
}

/// The value of a `fieldPath`; `None` if there is no such field.
pub(crate) fn field(pod: &Pod, path: &str, facts: &Facts) -> Option<String> {
    let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let spec = pod.spec.as_ref();
    Some(match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "metadata.labels" => lines(pod.labels()),
        "metadata.annotations" => lines(pod.annotations()),
        "spec.nodeName" => spec.and_then(|it| it.node_name.clone()).unwrap_or_default(),
        "spec.serviceAccountName" => spec.and_then(|it| it.service_account_name.clone()).unwrap_or_default(),
        "status.podIP" | "status.podIPs" => text(facts.pod_ip),
        "status.hostIP" | "status.hostIPs" => text(facts.host_ip),
        _ => {
            let (map, key) = path.strip_suffix("']")?.split_once("['")?;
            let map = match map {
                "metadata.labels" => pod.labels(),
                "metadata.annotations" => pod.annotations(),
                _ => return None,
            };
            map.get(key).cloned().unwrap_or_default()
        }
    })
}

/// Maps as files show them: `key="value"` a line, sorted.
fn lines(map: &std::collections::BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}={}", kpkg_api::text::quote(value))).collect::<Vec<_>>().join("\n")
}

/// The value of a `resourceFieldRef`, of the container that it names or else of `container`.
pub(crate) fn resource(pod: &Pod, container: Option<&Container>, selector: &ResourceFieldSelector, facts: &Facts) -> Option<String> {
    let named = selector.container_name.as_deref().filter(|name| !name.is_empty());
    let spec = pod.spec.as_ref()?;
    let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let container = match named {
        Some(name) => all.into_iter().find(|it| it.name == name)?,
        None => container?,
    };
    let (list, name) = selector.resource.split_once('.')?;
    let resources = container.resources.as_ref();
    let amounts = match list {
        "limits" => resources.and_then(|it| it.limits.as_ref()),
        "requests" => resources.and_then(|it| it.requests.as_ref()),
        _ => return None,
    };
    let set: Option<Quantity> = amounts.and_then(|it| it.get(name)).and_then(|it| it.0.parse().ok());
    let divisor: Option<Quantity> = selector.divisor.as_ref().and_then(|it| it.0.parse().ok());
    let divisor = divisor.filter(|it| !it.is_zero());
    // Rounded up, as the kubelet does.
    let divide = |value: i64, by: i64| if by <= 0 { value } else { value.div_euclid(by) + i64::from(value.rem_euclid(by) > 0) };
    let value = if name == "cpu" {
        let milli = set.map(|it| it.milli_value()).or((list == "limits").then_some(facts.node_cpu_milli)).unwrap_or(0);
        divide(milli, divisor.map_or(1000, |it| it.milli_value()))
    } else {
        let bytes = set.map(|it| it.value()).or((list == "limits" && name == "memory").then_some(facts.node_memory)).unwrap_or(0);
        divide(bytes, divisor.map_or(1, |it| it.value()))
    };
    Some(value.to_string())
}
