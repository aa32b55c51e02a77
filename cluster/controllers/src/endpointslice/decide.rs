//! What the slices of one service should be. Pure.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::{Endpoint, EndpointPort, EndpointSlice},
};
use kube::ResourceExt;

use super::{MANAGED_BY, MANAGED_BY_LABEL, SERVICE_LABEL, pack};
use crate::objects::{
    endpoint::{self, Family},
    pod,
};

const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// The content of a slice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    /// `addressType`.
    pub(super) family: &'static str,
    /// What the endpoints offer.
    pub(super) ports: Vec<EndpointPort>,
    /// The endpoints.
    pub(super) endpoints: Vec<Endpoint>,
    /// The slice's labels.
    pub(super) labels: BTreeMap<String, String>,
}

/// Writes, all independent of one another.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// New slices.
    pub(super) create: Vec<Content>,
    /// Slices with another content than now.
    pub(super) update: Vec<(Arc<EndpointSlice>, Content)>,
    /// Slices of no more use.
    pub(super) delete: Vec<Arc<EndpointSlice>>,
}

/// Decides. `zone` tells the zone of a node.
pub(super) fn decide(
    service: &Service,
    pods: &[Arc<Pod>],
    slices: &[Arc<EndpointSlice>],
    zone: impl Fn(&str) -> Option<String>,
) -> Plan {
    let labels = labels(service);
    let mut plan = Plan::default();
    let families = endpoint::families(service);
    for family in &families {
        let ours: Vec<_> = slices.iter().filter(|slice| slice.address_type == family.as_str()).cloned().collect();
        plan_family(service, pods, &ours, *family, &labels, &zone, &mut plan);
    }
    let foreign = |slice: &&Arc<EndpointSlice>| families.iter().all(|family| slice.address_type != family.as_str());
    plan.delete.extend(slices.iter().filter(foreign).cloned());
    plan
}

fn plan_family(
    service: &Service,
    pods: &[Arc<Pod>],
    slices: &[Arc<EndpointSlice>],
    family: Family,
    labels: &BTreeMap<String, String>,
    zone: &impl Fn(&str) -> Option<String>,
    plan: &mut Plan,
) {
    let mut groups = by_ports(service, pods, family, zone);
    if groups.is_empty() {
        // A slice without endpoints tells watchers that there are none, which no slice does not.
        groups.push((Vec::new(), Vec::new()));
    }
    let empty = groups.len() == 1 && groups[0].1.is_empty();
    let mut unused: Vec<_> = slices.to_vec();
    for (ports, endpoints) in groups {
        let (mine, rest): (Vec<_>, Vec<_>) =
            unused.into_iter().partition(|slice| slice.ports.as_deref().unwrap_or_default() == ports);
        unused = rest;
        let content =
            |endpoints| Content { family: family.as_str(), ports: ports.clone(), endpoints, labels: labels.clone() };
        let mut packed = pack::pack(endpoints, &mine);
        if empty {
            match packed.delete.pop() {
                Some(slice) if slice.endpoints.as_ref().is_none_or(Vec::is_empty) => packed.keep.push(slice),
                Some(slice) => packed.update.push((slice, Vec::new())),
                None => packed.create.push(Vec::new()),
            }
        }
        // Labels of the service are carried over even if no endpoint changed.
        let relabelled = packed.keep.into_iter().filter(|slice| slice.labels() != labels);
        let relabelled = relabelled.map(|slice| (slice.clone(), content(slice.endpoints.clone().unwrap_or_default())));
        plan.update.extend(relabelled);
        plan.update.extend(packed.update.into_iter().map(|(slice, endpoints)| (slice, content(endpoints))));
        plan.create.extend(packed.create.into_iter().map(content));
        plan.delete.extend(packed.delete);
    }
    plan.delete.extend(unused);
}

/// Endpoints grouped by the ports that they offer.
fn by_ports(
    service: &Service,
    pods: &[Arc<Pod>],
    family: Family,
    zone: &impl Fn(&str) -> Option<String>,
) -> Vec<(Vec<EndpointPort>, Vec<Endpoint>)> {
    let mut groups: Vec<(Vec<EndpointPort>, Vec<Endpoint>)> = Vec::new();
    for subject in pods {
        let zone = pod::node(subject).and_then(zone);
        let Some(endpoint) = endpoint::endpoint(service, subject, family, zone) else { continue };
        let ports = endpoint::ports(service, subject);
        match groups.iter_mut().find(|(known, _)| *known == ports) {
            Some((_, group)) => group.push(endpoint),
            None => groups.push((ports, vec![endpoint])),
        }
    }
    groups
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.labels().clone();
    labels.remove(HEADLESS_LABEL);
    let headless = service.spec.as_ref().is_some_and(|spec| spec.cluster_ip.as_deref() == Some("None"));
    if headless {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels.insert(SERVICE_LABEL.to_owned(), service.name_any());
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned());
    labels
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(spec: Value) -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "ns", "labels": {"team": "a"}}, "spec": spec}))
        .unwrap()
    }

    fn pod(name: &str, ready: bool, extra: Value) -> Arc<Pod> {
        let mut value = json!({
            "metadata": {"name": name, "namespace": "ns", "uid": name, "labels": {"app": "web"}},
            "spec": {"nodeName": "n1", "containers": [
                {"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
            "status": {"phase": "Running", "podIPs": [{"ip": format!("10.0.0.{}", name.len())}],
                "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
        });
        for (pointer, field) in extra.as_object().unwrap() {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            value.pointer_mut(parent).unwrap()[key] = field.clone();
        }
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn plan(service: &Service, pods: &[Arc<Pod>], slices: &[Arc<EndpointSlice>]) -> Plan {
        decide(service, pods, slices, |node| Some(format!("zone-of-{node}")))
    }

    fn made(content: &Content) -> Arc<EndpointSlice> {
        let mut slice = EndpointSlice {
            address_type: content.family.to_owned(),
            endpoints: Some(content.endpoints.clone()),
            ports: Some(content.ports.clone()),
            ..EndpointSlice::default()
        };
        slice.metadata.labels = Some(content.labels.clone());
        Arc::new(slice)
    }

    fn conditions(endpoint: &Endpoint) -> (bool, bool, bool) {
        let conditions = endpoint.conditions.clone().unwrap();
        (conditions.ready.unwrap(), conditions.serving.unwrap(), conditions.terminating.unwrap())
    }

    #[test]
    fn pods_become_endpoints_with_their_conditions() {
        let service = service(json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}));
        let leaving = json!({"/metadata/deletionTimestamp": "2026-01-01T00:00:00Z"});
        let pods = [
            pod("a", true, json!({})),
            pod("bb", false, json!({})),
            pod("ccc", true, leaving),
            pod("dddd", true, json!({"/status/phase": "Failed"})),
            pod("eeeee", true, json!({"/status/podIPs": []})),
        ];
        let plan = plan(&service, &pods, &[]);
        assert_eq!(plan.create.len(), 1);
        let content = &plan.create[0];
        let got: Vec<_> = content.endpoints.iter().map(conditions).collect();
        assert_eq!(got, [(true, true, false), (false, false, false), (false, true, true)]);
        assert_eq!(content.ports[0].port, Some(8080));
        assert_eq!(content.ports[0].name.as_deref(), Some(""));
        assert_eq!(content.endpoints[0].zone.as_deref(), Some("zone-of-n1"));
        assert_eq!(content.labels[SERVICE_LABEL], "web");
        assert_eq!(content.labels["team"], "a");
        let again = super::decide(&service, &pods, &[made(content)], |node| Some(format!("zone-of-{node}")));
        assert_eq!(again, Plan::default(), "nothing to write");
    }

    #[test]
    fn not_ready_addresses_are_published_on_request() {
        let service = service(json!({"selector": {"app": "web"}, "publishNotReadyAddresses": true}));
        let plan = plan(&service, &[pod("a", false, json!({}))], &[]);
        assert_eq!(conditions(&plan.create[0].endpoints[0]), (true, false, false));
    }

    #[test]
    fn named_ports_may_differ_from_pod_to_pod() {
        let service = service(json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}));
        let other = json!({"/spec/containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 9090}]}]});
        let plan = plan(&service, &[pod("a", true, json!({})), pod("bb", true, other)], &[]);
        let ports: Vec<_> = plan.create.iter().map(|content| content.ports[0].port.unwrap()).collect();
        assert_eq!(ports, [8080, 9090]);
    }

    #[test]
    fn a_headless_service_names_its_pods() {
        let service = service(json!({"selector": {"app": "web"}, "clusterIP": "None"}));
        let named = json!({"/spec/hostname": "web-0", "/spec/subdomain": "web"});
        let plan = plan(&service, &[pod("a", true, named)], &[]);
        let content = &plan.create[0];
        assert_eq!(content.endpoints[0].hostname.as_deref(), Some("web-0"));
        assert_eq!(content.labels[HEADLESS_LABEL], "");
        assert!(content.ports.is_empty());
    }

    #[test]
    fn without_endpoints_one_empty_slice_remains() {
        let service = service(json!({"selector": {"app": "web"}, "ports": [{"port": 80}]}));
        let first = plan(&service, &[], &[]);
        assert_eq!((first.create.len(), first.create[0].endpoints.len()), (1, 0));
        let placeholder = made(&first.create[0]);
        assert_eq!(plan(&service, &[], std::slice::from_ref(&placeholder)), Plan::default());
        let full = plan(&service, &[pod("a", true, json!({}))], std::slice::from_ref(&placeholder));
        assert_eq!((full.create.len(), full.delete.len()), (1, 1), "the placeholder has no ports");
    }

    #[test]
    fn labels_of_the_service_are_carried_over() {
        let mut service = service(json!({"selector": {"app": "web"}, "ports": [{"port": 80}]}));
        let pods = [pod("a", true, json!({}))];
        let slice = made(&plan(&service, &pods, &[]).create[0]);
        service.metadata.labels = Some([("team".to_owned(), "b".to_owned())].into());
        let changed = plan(&service, &pods, &[slice]);
        assert_eq!(changed.update[0].1.labels["team"], "b");
    }

    #[test]
    fn both_families_have_slices_of_their_own() {
        let service = service(json!({"selector": {"app": "web"}, "ipFamilies": ["IPv4", "IPv6"]}));
        let both = json!({"/status/podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]});
        let plan = plan(&service, &[pod("a", true, both)], &[]);
        let got: Vec<_> =
            plan.create.iter().map(|content| (content.family, content.endpoints[0].addresses[0].as_str())).collect();
        assert_eq!(got, [("IPv4", "10.0.0.1"), ("IPv6", "fd00::1")]);
    }
}
