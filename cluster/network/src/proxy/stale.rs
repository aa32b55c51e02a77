//! What the kernel remembers of endpoints that are gone.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use crate::conntrack::Connection;
use crate::nft::{Desired, Frontend, Protocol};

/// Addresses that tell our connections from others.
#[derive(Debug, Clone)]
pub(crate) struct Ours {
    pub(crate) pods: Ipv4Net,
    pub(crate) services: Ipv4Net,
    pub(crate) dns: Ipv4Addr,
    pub(crate) node_ports: RangeInclusive<u16>,
}

/// Whether a tracked UDP connection leads elsewhere than the services now say.
pub(crate) fn is_stale<S: Ord + Clone>(connection: &Connection, desired: &Desired<S>, ours: &Ours) -> bool {
    if connection.protocol != Protocol::Udp.number() {
        return false;
    }
    let (address, port) = (*connection.destination.ip(), connection.destination.port());
    if ours.services.contains(&address) {
        let frontend = Frontend { address, protocol: Protocol::Udp, port };
        return address != ours.dns && !serves(desired, frontend, connection);
    }
    let frontend = Frontend::node_port(Protocol::Udp, port);
    if desired.backend(frontend).is_none() {
        // A node port that is no more; what other programs translate is not ours to forget.
        return connection.destination_translated
            && ours.node_ports.contains(&port)
            && ours.pods.contains(connection.answers.ip());
    }
    if connection.destination_translated {
        return !serves(desired, frontend, connection);
    }
    // Sent to the port before it had endpoints. Not a pod's packet to the same port elsewhere.
    !connection.source_translated && connection.answers == connection.destination
}

fn serves<S: Ord + Clone>(desired: &Desired<S>, frontend: Frontend, c: &Connection) -> bool {
    desired.backend(frontend).is_some_and(|backend| backend.endpoints.contains(&c.answers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::{Backend, Claims};
    use std::sync::Arc;

    fn connection(to: &str, answers: &str, translated: (bool, bool)) -> Connection {
        let from = "10.42.0.9:40000".parse().unwrap();
        let (to, answers) = (to.parse().unwrap(), answers.parse().unwrap());
        Connection::sample(17, from, to, answers, translated)
    }

    #[test]
    fn table() {
        let ours = Ours {
            pods: "10.42.0.0/16".parse().unwrap(),
            services: "10.43.0.0/16".parse().unwrap(),
            dns: [10, 43, 0, 10].into(),
            node_ports: 30000..=32767,
        };
        let mut desired = Desired::new(ours.pods);
        let endpoints = vec!["10.42.0.2:53".parse().unwrap()];
        let backend = Arc::new(Backend { endpoints, sticky: None });
        let service = Frontend { address: [10, 43, 0, 7].into(), protocol: Protocol::Udp, port: 53 };
        desired.set(
            &"s",
            Claims::from([(service, Arc::clone(&backend)), (Frontend::node_port(Protocol::Udp, 30053), backend)]),
        );
        let (no, dnat, snat) = ((false, false), (false, true), (true, false));
        for (name, to, answers, translated, want) in [
            ("living endpoint", "10.43.0.7:53", "10.42.0.2:53", dnat, false),
            ("dead endpoint", "10.43.0.7:53", "10.42.0.3:53", dnat, true),
            ("from before the service", "10.43.0.7:53", "10.43.0.7:53", no, true),
            ("service that is gone", "10.43.0.8:53", "10.42.0.3:53", dnat, true),
            ("the name server", "10.43.0.10:53", "10.43.0.10:53", no, false),
            ("node port, living", "192.0.2.1:30053", "10.42.0.2:53", dnat, false),
            ("node port, dead", "192.0.2.1:30053", "10.42.0.3:53", dnat, true),
            ("node port, from before", "192.0.2.1:30053", "192.0.2.1:30053", no, true),
            ("node port that is gone", "192.0.2.1:30054", "10.42.0.2:53", dnat, true),
            ("somebody else's", "192.0.2.1:30054", "172.17.0.2:53", dnat, false),
            ("out to the same port", "198.51.100.1:30053", "198.51.100.1:30053", snat, false),
            ("out", "198.51.100.1:53", "198.51.100.1:53", snat, false),
        ] {
            let got = is_stale(&connection(to, answers, translated), &desired, &ours);
            assert_eq!(got, want, "{name}");
        }
    }
}
