//! Addresses and node ports of Services.
//!
//! What is in use is what the stored Services say: there is no second record that could differ after a crash. One
//! allocation runs at a time, from looking up what is in use until the Service is written.

use crate::{ApiServer, config::Cidr, failure::Result, registry::well_known};
use kpkg_api::{meta, schema::Kind, status::Status, validate::FieldError};
use serde_json::{Value, json};
use std::{collections::HashMap, net::Ipv4Addr, ops::RangeInclusive, sync::Arc};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Where a Service is: namespace and name.
type Owner = (String, String);

/// Gives out addresses and ports, one Service at a time.
#[derive(Debug)]
pub(crate) struct Allocator {
    addresses: Cidr,
    ports: RangeInclusive<u16>,
    turn: Arc<Mutex<()>>,
}

/// The right to allocate; nothing for kinds that need none.
pub(crate) struct Lease(Option<Used>);

/// What is in use, and by whom.
struct Used {
    range: Cidr,
    port_range: RangeInclusive<u16>,
    addresses: HashMap<Ipv4Addr, Owner>,
    ports: HashMap<(u16, String), Owner>,
    _turn: OwnedMutexGuard<()>,
}

impl Allocator {
    pub(crate) fn new(addresses: Cidr, ports: RangeInclusive<u16>) -> Self {
        Self { addresses, ports, turn: Arc::default() }
    }

    /// Waits for the turn of a write of that kind.
    pub(crate) async fn lease(&self, server: &ApiServer, kind: &Kind) -> Result<Lease> {
        if !kind.is("", "Service") {
            return Ok(Lease(None));
        }
        let turn = self.turn.clone().lock_owned().await;
        let mut used = Used {
            range: self.addresses,
            port_range: self.ports.clone(),
            addresses: HashMap::new(),
            ports: HashMap::new(),
            _turn: turn,
        };
        for service in server.shelf(well_known("", "Service")).all(None).await? {
            used.add(&service.value);
        }
        Ok(Lease(Some(used)))
    }
}

impl Lease {
    /// Gives a new or changed Service what it lacks.
    pub(crate) fn assign(&self, kind: &Kind, old: Option<&Value>, new: &mut Value) -> Result<()> {
        let Some(used) = &self.0 else { return Ok(()) };
        if let Some(old) = old {
            keep(old, new);
            drop_type_fields(old, new);
        }
        used.address(kind, new)?;
        used.node_ports(kind, new)
    }
}

fn type_of(service: &Value) -> &str {
    service["spec"]["type"].as_str().unwrap_or("ClusterIP")
}

fn has_node_ports(service: &Value) -> bool {
    match type_of(service) {
        "NodePort" => true,
        "LoadBalancer" => service["spec"]["allocateLoadBalancerNodePorts"] != false,
        _ => false,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn owner(service: &Value) -> Owner {
    (meta::namespace(service).to_owned(), meta::name(service).to_owned())
}

fn protocol(port: &Value) -> String {
    port["protocol"].as_str().unwrap_or("TCP").to_owned()
}

fn ports_mut(service: &mut Value) -> impl Iterator<Item = &mut Value> {
    service.pointer_mut("/spec/ports").and_then(Value::as_array_mut).into_iter().flatten()
}

/// Whether a type of Service has a field.
type HasField = fn(&str) -> bool;

/// Fields that only some types have, and which.
const TYPE_FIELDS: [(&str, HasField); 4] = [
    ("externalTrafficPolicy", |sort| matches!(sort, "NodePort" | "LoadBalancer")),
    ("allocateLoadBalancerNodePorts", |sort| sort == "LoadBalancer"),
    ("loadBalancerClass", |sort| sort == "LoadBalancer"),
    ("healthCheckNodePort", |sort| sort == "LoadBalancer"),
];

/// What the type no longer has goes, unless the client has just set it.
fn drop_type_fields(old: &Value, new: &mut Value) {
    let sort = type_of(new).to_owned();
    let external = new["spec"]["externalIPs"].as_array().is_some_and(|addresses| !addresses.is_empty());
    for (key, has) in TYPE_FIELDS {
        let kept = has(&sort) || (external && key == "externalTrafficPolicy");
        if !kept
            && old["spec"][key] == new["spec"][key]
            && let Some(spec) = new["spec"].as_object_mut()
        {
            spec.remove(key);
        }
    }
}

/// What was given stays given, if the client does not say otherwise and the type still has it.
fn keep(old: &Value, new: &mut Value) {
    if type_of(old) != "ExternalName" && type_of(new) != "ExternalName" {
        for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            let absent = new["spec"].get(key).is_none_or(|value| value.is_null() || value == "");
            if absent && let Some(value) = old["spec"].get(key) {
                new["spec"][key] = value.clone();
            }
        }
    }
    let old_ports: &[Value] = old["spec"]["ports"].as_array().map_or(&[], Vec::as_slice);
    let wanted = has_node_ports(new);
    for port in ports_mut(new) {
        let Some(before) =
            old_ports.iter().find(|before| before["port"] == port["port"] && protocol(before) == protocol(port))
        else {
            continue;
        };
        let given = port["nodePort"].as_i64().unwrap_or_default();
        if wanted && given == 0 && has_node_ports(old) {
            port["nodePort"] = before["nodePort"].clone();
        } else if !wanted
            && before["nodePort"] == port["nodePort"]
            && let Some(port) = port.as_object_mut()
        {
            port.remove("nodePort");
        }
    }
}

impl Used {
    fn add(&mut self, service: &Value) {
        let owner = owner(service);
        if let Ok(address) = text(&service["spec"], "clusterIP").parse() {
            self.addresses.insert(address, owner.clone());
        }
        for port in service["spec"]["ports"].as_array().into_iter().flatten() {
            if let Some(number) = port["nodePort"].as_u64().and_then(|number| u16::try_from(number).ok()) {
                self.ports.insert((number, protocol(port)), owner.clone());
            }
        }
    }

    fn address(&self, kind: &Kind, service: &mut Value) -> Result<()> {
        let own = owner(service);
        let external = type_of(service) == "ExternalName";
        let spec = &mut service["spec"];
        if external {
            for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if let Some(spec) = spec.as_object_mut() {
                    spec.remove(key);
                }
            }
            return Ok(());
        }
        let first = spec["clusterIPs"][0].as_str().unwrap_or_default();
        let wanted = match text(spec, "clusterIP") {
            "" => first,
            wanted => wanted,
        };
        let address = match wanted {
            "None" => "None".to_owned(),
            "" => self.free_address()?.to_string(),
            wanted => {
                self.check_address(wanted, &own).map_err(|why| {
                    let value = json!([wanted]);
                    let why = format!("failed to allocate IP {wanted}: {why}");
                    Status::invalid(kind, &own.1, &[FieldError::invalid("spec.clusterIPs", value, why)])
                })?;
                wanted.to_owned()
            }
        };
        if first.is_empty() || text(spec, "clusterIP").is_empty() {
            spec["clusterIPs"] = json!([address]);
        }
        spec["clusterIP"] = address.into();
        for (key, value) in [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", json!("SingleStack"))] {
            if spec[key].is_null() {
                spec[key] = value;
            }
        }
        Ok(())
    }

    fn check_address(&self, wanted: &str, own: &Owner) -> std::result::Result<(), String> {
        let address = wanted.parse().ok().filter(|address| self.range.assignable(*address));
        let address = address.ok_or_else(|| {
            format!("the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {}", self.range)
        })?;
        match self.addresses.get(&address) {
            Some(other) if other != own => Err("provided IP is already allocated".to_owned()),
            _ => Ok(()),
        }
    }

    /// A random free address, from the upper part of the range while there is one; the lower is left to those who choose.
    fn free_address(&self) -> Result<Ipv4Addr> {
        let size = self.range.size();
        let reserved = (size / 16).clamp(16, 256).min(size / 2);
        let first = rand::random_range(reserved..size);
        (first..size)
            .chain(reserved..first)
            .chain(1..reserved)
            .map(|offset| self.range.at(offset))
            .find(|address| self.range.assignable(*address) && !self.addresses.contains_key(address))
            .ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))
    }

    fn node_ports(&self, kind: &Kind, service: &mut Value) -> Result<()> {
        let own = owner(service);
        if !has_node_ports(service) {
            return Ok(());
        }
        let mut given: Vec<(u16, String)> = Vec::new();
        for (at, port) in ports_mut(service).enumerate() {
            let protocol = protocol(port);
            let number = match port["nodePort"].as_i64().unwrap_or_default() {
                0 => self.free_port(&protocol, &given)?,
                wanted => self.check_port(wanted, &protocol, &own).map_err(|why| {
                    let field = format!("spec.ports[{at}].nodePort");
                    Status::invalid(kind, &own.1, &[FieldError::invalid(field, wanted, why)])
                })?,
            };
            port["nodePort"] = number.into();
            given.push((number, protocol));
        }
        Ok(())
    }

    fn check_port(&self, wanted: i64, protocol: &str, own: &Owner) -> std::result::Result<u16, String> {
        let number = u16::try_from(wanted).ok().filter(|number| self.port_range.contains(number));
        let (first, last) = (self.port_range.start(), self.port_range.end());
        let number = number.ok_or_else(|| {
            format!("provided port is not in the valid range. The range of valid ports is {first}-{last}")
        })?;
        match self.ports.get(&(number, protocol.to_owned())) {
            Some(other) if other != own => Err("provided port is already allocated".to_owned()),
            _ => Ok(number),
        }
    }

    fn free_port(&self, protocol: &str, given: &[(u16, String)]) -> Result<u16> {
        let (start, end) = (*self.port_range.start(), *self.port_range.end());
        let first = rand::random_range(start..=end);
        (first..=end)
            .chain(start..first)
            .map(|number| (number, protocol.to_owned()))
            .find(|port| !self.ports.contains_key(port) && !given.contains(port))
            .map(|(number, _)| number)
            .ok_or_else(|| Status::internal("failed to allocate a nodePort: range is full"))
    }
}
