//! Ports that pods take on their nodes.

use k8s_openapi::api::core::v1::PodSpec;

/// One port on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The node's address; `None` for all of them.
    pub address: Option<Box<str>>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Box<str>,
    /// The number.
    pub port: i32,
}

impl HostPort {
    fn collides(&self, other: &Self) -> bool {
        let same_address = self.address.is_none() || other.address.is_none() || self.address == other.address;
        self.port == other.port && self.protocol == other.protocol && same_address
    }

    /// The ports that a pod takes.
    pub fn of(spec: &PodSpec) -> Vec<Self> {
        let sidecars =
            spec.init_containers.iter().flatten().filter(|it| it.restart_policy.as_deref() == Some("Always"));
        let containers = spec.containers.iter().chain(sidecars);
        let ports = containers.flat_map(|container| container.ports.iter().flatten());
        ports
            .filter_map(|port| {
                let address = port.host_ip.as_deref().filter(|ip| !matches!(*ip, "" | "0.0.0.0" | "::"));
                Some(Self {
                    address: address.map(Into::into),
                    protocol: port.protocol.as_deref().unwrap_or("TCP").into(),
                    port: port.host_port.filter(|port| *port > 0)?,
                })
            })
            .collect()
    }
}

/// The ports taken on one node, each as often as it is taken.
#[derive(Clone, Debug, Default)]
pub struct Ports(Vec<HostPort>);

impl Ports {
    /// Takes ports.
    pub fn add(&mut self, ports: &[HostPort]) {
        self.0.extend_from_slice(ports);
    }

    /// Gives ports back.
    pub fn remove(&mut self, ports: &[HostPort]) {
        for port in ports {
            if let Some(index) = self.0.iter().position(|taken| taken == port) {
                self.0.swap_remove(index);
            }
        }
    }

    /// Whether any of these is taken.
    pub fn collide(&self, ports: &[HostPort]) -> bool {
        ports.iter().any(|port| self.0.iter().any(|taken| taken.collides(port)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ports(address: &str, protocol: &str, port: i32) -> Vec<HostPort> {
        let port = json!({"containerPort": 80, "hostPort": port, "hostIP": address, "protocol": protocol});
        let spec = json!({"containers": [{"name": "c", "ports": [port, {"containerPort": 81}]}]});
        HostPort::of(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn ports_collide_by_address_and_protocol() {
        let mut taken = Ports::default();
        taken.add(&ports("10.0.0.1", "TCP", 80));
        taken.add(&ports("", "TCP", 90));
        let cases = [
            (ports("10.0.0.1", "TCP", 80), true),
            (ports("10.0.0.2", "TCP", 80), false),
            (ports("0.0.0.0", "TCP", 80), true),
            (ports("10.0.0.1", "UDP", 80), false),
            (ports("10.0.0.9", "TCP", 90), true),
        ];
        for (wanted, want) in cases {
            assert_eq!(taken.collide(&wanted), want, "{wanted:?}");
        }
        taken.remove(&ports("", "TCP", 90));
        assert!(!taken.collide(&ports("10.0.0.9", "TCP", 90)));
    }
}
