//! The downward API: what a pod may know of itself.

use std::{collections::BTreeMap, net::IpAddr};

use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};

use crate::resources::{Amounts, milli, whole};

/// Facts about a pod that are not in its spec.
#[derive(Debug, Clone)]
pub(crate) struct PodFacts {
    /// The node's address.
    pub(crate) host_ip: IpAddr,
    /// The pod's address, the node's if it uses the host's network; `None` before the sandbox is there.
    pub(crate) pod_ip: Option<IpAddr>,
    /// What counts where a container has no limit.
    pub(crate) allocatable: Amounts,
}

/// The value of a `fieldRef`.
pub(crate) fn field(pod: &Pod, facts: &PodFacts, path: &str) -> Result<String, String> {
    let meta = &pod.metadata;
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let map = match map {
            "metadata.labels" => meta.labels.as_ref(),
            "metadata.annotations" => meta.annotations.as_ref(),
            _ => return Err(format!("fieldPath {path:?} does not support subscript")),
        };
        return Ok(map.and_then(|map| map.get(key)).cloned().unwrap_or_default());
    }
    let spec = pod.spec.as_ref();
    let pod_ip = || facts.pod_ip.map(|ip| ip.to_string()).unwrap_or_default();
    Ok(match path {
        "metadata.name" => meta.name.clone().unwrap_or_default(),
        "metadata.namespace" => meta.namespace.clone().unwrap_or_default(),
        "metadata.uid" => meta.uid.clone().unwrap_or_default(),
        "metadata.labels" => format_map(meta.labels.as_ref()),
        "metadata.annotations" => format_map(meta.annotations.as_ref()),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => facts.host_ip.to_string(),
        "status.podIP" | "status.podIPs" => pod_ip(),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// `key="value"` lines, sorted.
fn format_map(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> = map.into_iter().flatten().map(|(key, value)| format!("{key}={value:?}")).collect();
    lines.join("\n")
}

/// The value of a `resourceFieldRef`; `own` is the container that asks.
pub(crate) fn resource(
    pod: &Pod,
    facts: &PodFacts,
    selector: &ResourceFieldSelector,
    own: Option<&Container>,
) -> Result<String, String> {
    let named = selector.container_name.as_deref().filter(|name| !name.is_empty());
    let container = match named {
        None => own,
        Some(name) => crate::pods::observed::app_containers(pod)
            .iter()
            .chain(crate::pods::observed::init_containers(pod))
            .find(|container| container.name == name),
    };
    let container = container.ok_or_else(|| format!("container {} not found", named.unwrap_or_default()))?;
    let (list, name) = selector
        .resource
        .split_once('.')
        .ok_or_else(|| format!("unsupported container resource : {}", selector.resource))?;
    let resources = container.resources.as_ref();
    let limit = resources.and_then(|resources| resources.limits.as_ref()?.get(name));
    let request = resources.and_then(|resources| resources.requests.as_ref()?.get(name));
    let divisor = selector.divisor.as_ref();
    let is_cpu = name == "cpu";
    let read = |quantity| if is_cpu { milli(quantity) } else { whole(quantity) };
    let node = if is_cpu {
        facts.allocatable.cpu_milli
    } else if name == "memory" {
        facts.allocatable.memory
    } else {
        facts.allocatable.ephemeral_storage
    };
    let amount = match list {
        "limits" => limit.map_or(node, read),
        "requests" => request.or(limit).map_or(0, read),
        _ => return Err(format!("unsupported container resource : {}", selector.resource)),
    };
    let unit = divisor.map(read).filter(|unit| *unit > 0).unwrap_or(if is_cpu { 1000 } else { 1 });
    Ok((amount.saturating_add(unit - 1) / unit).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_resources() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"b": "2", "a": "1"}, "annotations": {"x/y": "z"}},
            "spec": {"nodeName": "node", "serviceAccountName": "sa", "containers": [{"name": "c", "resources": {"limits": {"memory": "64Mi", "cpu": "1500m"}, "requests": {"cpu": "250m"}}}]},
        }))
        .unwrap();
        let facts = PodFacts {
            host_ip: "10.0.0.1".parse().unwrap(),
            pod_ip: "10.1.0.2".parse().ok(),
            allocatable: Amounts { cpu_milli: 4000, memory: 8 << 30, ephemeral_storage: 1, ..Amounts::default() },
        };
        let cases = [
            ("metadata.name", "p"),
            ("metadata.labels", "a=\"1\"\nb=\"2\""),
            ("metadata.labels['b']", "2"),
            ("metadata.annotations['x/y']", "z"),
            ("spec.nodeName", "node"),
            ("status.podIP", "10.1.0.2"),
            ("status.hostIP", "10.0.0.1"),
        ];
        for (path, want) in cases {
            assert_eq!(field(&pod, &facts, path).unwrap(), want, "{path}");
        }
        assert!(field(&pod, &facts, "spec.volumes").is_err());
        let cases = [
            ("limits.cpu", None, "2"),
            ("limits.cpu", Some("1m"), "1500"),
            ("requests.cpu", Some("1m"), "250"),
            ("limits.memory", Some("1Mi"), "64"),
            ("limits.memory", None, "67108864"),
            ("limits.ephemeral-storage", None, "1"),
        ];
        for (name, divisor, want) in cases {
            let selector: ResourceFieldSelector =
                serde_json::from_value(serde_json::json!({"resource": name, "divisor": divisor})).unwrap();
            let own = &pod.spec.as_ref().unwrap().containers[0];
            assert_eq!(resource(&pod, &facts, &selector, Some(own)).unwrap(), want, "{name}");
        }
    }
}
