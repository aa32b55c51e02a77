//! Services and EndpointSlices, read once into the form everything here works with.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::ServiceKey;
use crate::nft::Protocol;

/// The label that says whose endpoints a slice holds.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// Kubernetes' default for `sessionAffinityConfig.clientIP.timeoutSeconds`.
const STICKY_DEFAULT: u32 = 10_800;

/// What kind of address a service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceType {
    /// Addresses of its own.
    Address(Vec<IpAddr>),
    /// None: names lead to the endpoints themselves.
    Headless,
    /// Another name for something outside.
    External(String),
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceFacts {
    pub(crate) address: ServiceType,
    pub(crate) ports: Vec<PortFacts>,
    /// Seconds for which a client stays with its endpoint.
    pub(crate) sticky: Option<u32>,
    pub(crate) publish_not_ready: bool,
}

/// One port of a service or of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortFacts {
    /// Empty where the API has none.
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) node_port: Option<u16>,
}

/// A slice of a service's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SliceFacts {
    pub(crate) service: ServiceKey,
    pub(crate) ports: Vec<PortFacts>,
    pub(crate) endpoints: Vec<EndpointFacts>,
}

/// One endpoint: a pod, or something else with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointFacts {
    pub(crate) address: IpAddr,
    pub(crate) hostname: Option<String>,
    pub(crate) ready: bool,
    pub(crate) serving: bool,
    pub(crate) terminating: bool,
}

impl ServiceFacts {
    pub(crate) fn read(service: &Service) -> Self {
        let spec = service.spec.clone().unwrap_or_default();
        let node_ports = matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer"));
        let ports = spec.ports.iter().flatten().filter_map(|port| {
            let node_port = port.node_port.filter(|_| node_ports);
            Some(PortFacts {
                name: port.name.clone().unwrap_or_default(),
                protocol: Protocol::parse(port.protocol.as_deref())?,
                port: u16::try_from(port.port).ok()?,
                node_port: node_port.and_then(|n| u16::try_from(n).ok()).filter(|&n| n > 0),
            })
        });
        Self {
            ports: ports.collect(),
            sticky: read_sticky(&spec),
            publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
            address: read_address(spec),
        }
    }
}

fn read_sticky(spec: &ServiceSpec) -> Option<u32> {
    if spec.session_affinity.as_deref() != Some("ClientIP") {
        return None;
    }
    let config = spec.session_affinity_config.as_ref();
    let seconds = config.and_then(|c| c.client_ip.as_ref()).and_then(|c| c.timeout_seconds);
    Some(seconds.and_then(|s| u32::try_from(s).ok()).filter(|&s| s > 0).unwrap_or(STICKY_DEFAULT))
}

fn read_address(spec: ServiceSpec) -> ServiceType {
    if spec.type_.as_deref() == Some("ExternalName") {
        return ServiceType::External(spec.external_name.unwrap_or_default());
    }
    let all = spec.cluster_ips.filter(|all| !all.is_empty());
    let all = all.unwrap_or_else(|| spec.cluster_ip.into_iter().collect());
    if all.iter().any(|address| address == "None") {
        return ServiceType::Headless;
    }
    ServiceType::Address(all.iter().filter_map(|address| address.parse().ok()).collect())
}

impl SliceFacts {
    /// `None` for slices of no service, and for those of names instead of addresses.
    pub(crate) fn read(slice: &EndpointSlice) -> Option<Self> {
        if !matches!(slice.address_type.as_str(), "IPv4" | "IPv6") {
            return None;
        }
        let name = slice.metadata.labels.as_ref()?.get(SERVICE_LABEL)?.clone();
        let namespace = slice.metadata.namespace.clone()?;
        let ports = slice.ports.iter().flatten().filter_map(|port| {
            Some(PortFacts {
                name: port.name.clone().unwrap_or_default(),
                protocol: Protocol::parse(port.protocol.as_deref())?,
                port: u16::try_from(port.port?).ok()?,
                node_port: None,
            })
        });
        Some(Self {
            service: ServiceKey { namespace, name },
            ports: ports.collect(),
            endpoints: slice.endpoints.iter().flatten().filter_map(EndpointFacts::read).collect(),
        })
    }
}

impl EndpointFacts {
    fn read(endpoint: &Endpoint) -> Option<Self> {
        let conditions = endpoint.conditions.as_ref();
        let ready = conditions.and_then(|c| c.ready).unwrap_or(true);
        Some(Self {
            // All addresses of an endpoint are the same place; only the first is used.
            address: endpoint.addresses.first()?.parse().ok()?,
            hostname: endpoint.hostname.clone().filter(|name| !name.is_empty()),
            ready,
            serving: conditions.and_then(|c| c.serving).unwrap_or(ready),
            terminating: conditions.and_then(|c| c.terminating).unwrap_or(false),
        })
    }
}
