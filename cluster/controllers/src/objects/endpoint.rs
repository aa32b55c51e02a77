//! Pods as endpoints of services.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::{Container, ContainerPort, ObjectReference, Pod, Service, ServicePort},
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;

use super::{owner, pod};

/// The selector of a service whose endpoints are this controller's business.
pub(crate) fn selector(service: &Service) -> Option<&BTreeMap<String, String>> {
    let spec = service.spec.as_ref()?;
    let external = spec.type_.as_deref() == Some("ExternalName");
    spec.selector.as_ref().filter(|selector| !selector.is_empty() && !external)
}

/// Whether a selector selects a pod.
pub(crate) fn selects(selector: &BTreeMap<String, String>, pod: &Pod) -> bool {
    selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value))
}

/// The family of an endpoint's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// Four bytes.
    V4,
    /// Sixteen.
    V6,
}

impl Family {
    /// As a slice's `addressType`, which is as a service's `ipFamilies` too.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    fn has(self, address: &str) -> bool {
        address.contains(':') == (self == Self::V6)
    }
}

/// The families that a service is published in.
pub(crate) fn families(service: &Service) -> Vec<Family> {
    let named = service.spec.as_ref().and_then(|spec| spec.ip_families.as_ref());
    let known = |name: &String| [Family::V4, Family::V6].into_iter().find(|family| family.as_str() == name);
    let families: Vec<_> = named.into_iter().flatten().filter_map(known).collect();
    if families.is_empty() { vec![Family::V4] } else { families }
}

/// Whether a change of a pod is of no interest to any service.
pub(crate) fn same_to_services(old: &Pod, new: &Pod) -> bool {
    let facts = |subject: &Pod| {
        let status = subject.status.as_ref();
        (
            status.and_then(|status| status.pod_ips.clone()),
            status.and_then(|status| status.pod_ip.clone()),
            pod::is_ready(subject),
            pod::is_finished(subject),
            owner::is_deleting(&subject.metadata),
            pod::node(subject).map(str::to_owned),
        )
    };
    facts(old) == facts(new)
}

/// The endpoint that a pod is; `None` if it has no address of that family or is finished.
pub(crate) fn endpoint(service: &Service, subject: &Pod, family: Family, zone: Option<String>) -> Option<Endpoint> {
    let addresses = addresses(subject, family);
    if addresses.is_empty() || pod::is_finished(subject) {
        return None;
    }
    let spec = service.spec.as_ref();
    let publish_all = spec.and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
    let serving = pod::is_ready(subject);
    let terminating = owner::is_deleting(&subject.metadata);
    Some(Endpoint {
        addresses,
        conditions: Some(EndpointConditions {
            ready: Some(publish_all || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: hostname(service, subject),
        node_name: pod::node(subject).map(str::to_owned),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            namespace: subject.namespace(),
            name: Some(subject.name_any()),
            uid: subject.uid(),
            ..ObjectReference::default()
        }),
        zone,
        ..Endpoint::default()
    })
}

fn addresses(pod: &Pod, family: Family) -> Vec<String> {
    let Some(status) = &pod.status else { return Vec::new() };
    let mut listed: Vec<String> = status.pod_ips.iter().flatten().map(|address| address.ip.clone()).collect();
    if listed.is_empty() {
        listed.extend(status.pod_ip.clone());
    }
    listed.retain(|address| !address.is_empty() && family.has(address));
    listed
}

/// The name that DNS gives the pod under the service.
fn hostname(service: &Service, pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let hostname = spec.hostname.clone().filter(|name| !name.is_empty())?;
    let same = spec.subdomain.as_deref() == service.metadata.name.as_deref();
    same.then_some(hostname)
}

/// The service's ports as this pod offers them. Named target ports can differ from pod to pod; one
/// that the pod does not have is left out.
pub(crate) fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    ports.into_iter().flatten().filter_map(|port| endpoint_port(port, pod)).collect()
}

fn endpoint_port(port: &ServicePort, pod: &Pod) -> Option<EndpointPort> {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let number = match &port.target_port {
        None => port.port,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => named_port(pod, name, protocol)?,
    };
    Some(EndpointPort {
        // An unnamed port has an empty name, not none: clients compare.
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(number),
        protocol: Some(protocol.to_owned()),
        app_protocol: port.app_protocol.clone(),
    })
}

fn named_port(pod: &Pod, name: &str, protocol: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    let fits = |port: &&ContainerPort| {
        port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol
    };
    ports.into_iter().find(fits).map(|port| port.container_port)
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}
