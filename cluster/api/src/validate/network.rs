//! Endpoints and EndpointSlice.

use super::{
    FieldError,
    checks::{self, Errors},
    path::Path,
};
use crate::value::Read as _;
use serde_json::Value;
use std::net::IpAddr;

pub(super) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;

pub(super) fn endpoints(object: &Value, errors: &mut Errors) {
    let subsets = Path::root("subsets");
    for (at, subset) in object.items("subsets").iter().enumerate() {
        let path = subsets.index(at);
        if subset.items("addresses").is_empty() && subset.items("notReadyAddresses").is_empty() {
            errors.push(FieldError::required(path, "must specify `addresses` or `notReadyAddresses`"));
        }
        for list in ["addresses", "notReadyAddresses"] {
            for (at, address) in subset.items(list).iter().enumerate() {
                endpoint_address(address, &path.child(list).index(at), errors);
            }
        }
        let ports = subset.items("ports");
        for (at, port) in ports.iter().enumerate() {
            let list = path.child("ports");
            let path = list.index(at);
            match port.text("name") {
                "" if ports.len() > 1 => errors.push(FieldError::required(path.child("name"), "")),
                "" => {}
                name => checks::label(&path.child("name"), name, errors),
            }
            checks::port(&path.child("port"), port.int("port").unwrap_or_default(), errors);
            checks::one_of(&path.child("protocol"), port.text("protocol"), PROTOCOLS, errors);
        }
    }
}

fn endpoint_address(address: &Value, path: &Path<'_>, errors: &mut Errors) {
    let ip = address.text("ip");
    checks::ip(&path.child("ip"), ip, errors);
    if !address.text("hostname").is_empty() {
        checks::label(&path.child("hostname"), address.text("hostname"), errors);
    }
    if let Some(node) = address["nodeName"].as_str() {
        checks::subdomain(&path.child("nodeName"), node, errors);
    }
    reachable(&path.child("ip"), ip, errors);
}

/// An address that traffic may be sent to: not the host itself nor its link (CVE-2020-8555, CVE-2021-25737).
pub(super) fn reachable(path: &Path<'_>, ip: &str, errors: &mut Errors) {
    let Ok(address) = ip.parse::<IpAddr>() else { return };
    let mut forbid = |bad: bool, why: String| {
        if bad {
            errors.push(FieldError::invalid(path, ip, why));
        }
    };
    forbid(address.is_unspecified(), format!("may not be unspecified ({ip})"));
    forbid(address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned());
    let (link_local, link_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    forbid(link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned());
    forbid(link_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned());
}

pub(super) fn endpoint_slice(object: &Value, errors: &mut Errors) {
    let address_type = object.text("addressType");
    checks::one_of(&Path::root("addressType"), address_type, &["FQDN", "IPv4", "IPv6"], errors);
    let endpoints = object.items("endpoints");
    let list = Path::root("endpoints");
    if endpoints.len() > MAX_ENDPOINTS {
        errors.push(FieldError::too_many(list, endpoints.len(), MAX_ENDPOINTS));
    } else {
        for (at, endpoint) in endpoints.iter().enumerate() {
            self::endpoint(endpoint, address_type, &list.index(at), errors);
        }
    }
    slice_ports(object.items("ports"), &Path::root("ports"), errors);
}

fn endpoint(endpoint: &Value, address_type: &str, path: &Path<'_>, errors: &mut Errors) {
    let addresses = endpoint.items("addresses");
    let list = path.child("addresses");
    if addresses.is_empty() {
        errors.push(FieldError::required(list, "must contain at least 1 address"));
    } else if addresses.len() > MAX_ADDRESSES {
        errors.push(FieldError::too_many(list, addresses.len(), MAX_ADDRESSES));
    }
    for (at, address) in addresses.iter().filter_map(Value::as_str).enumerate() {
        let path = list.index(at);
        match (address_type, address.parse::<IpAddr>()) {
            ("IPv4", Ok(IpAddr::V4(_))) | ("IPv6", Ok(IpAddr::V6(_))) => reachable(&path, address, errors),
            ("IPv4", _) => errors.push(FieldError::invalid(path, address, "must be a valid IPv4 address")),
            ("IPv6", _) => errors.push(FieldError::invalid(path, address, "must be a valid IPv6 address")),
            _ => checks::subdomain(&path, address.trim_end_matches('.'), errors),
        }
    }
    if let Some(node) = endpoint["nodeName"].as_str() {
        checks::subdomain(&path.child("nodeName"), node, errors);
    }
    if let Some(hostname) = endpoint["hostname"].as_str() {
        checks::label(&path.child("hostname"), hostname, errors);
    }
}

fn slice_ports(ports: &[Value], path: &Path<'_>, errors: &mut Errors) {
    if ports.len() > MAX_PORTS {
        errors.push(FieldError::too_many(path, ports.len(), MAX_PORTS));
        return;
    }
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        let name = port.text("name");
        if !name.is_empty() {
            checks::label(&path.child("name"), name, errors);
        }
        if ports[..at].iter().any(|other| other.text("name") == name) {
            errors.push(FieldError::duplicate(path.child("name"), name));
        }
        if let Some(number) = port.int("port") {
            checks::port(&path.child("port"), number, errors);
        }
        checks::one_of(&path.child("protocol"), port.text("protocol"), PROTOCOLS, errors);
        if let Some(protocol) = port["appProtocol"].as_str() {
            checks::qualified(&path.child("appProtocol"), protocol, errors);
        }
    }
}

pub(super) fn endpoint_slice_update(old: &Value, new: &Value, errors: &mut Errors) {
    checks::immutable(&Path::root("addressType"), &old["addressType"], &new["addressType"], errors);
}
