//! Services: packets from everywhere find their endpoints, and only those.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use kpkg_network::PodNetwork;
use kpkg_network::ports::Transport;
use serde_json::{Value, json};

use crate::kit::cluster::{Cluster, endpoints, until};
use crate::kit::peer::{Place, ask, ask_udp, at, exchange, serve, v4};
use crate::kit::{HOST, OUTSIDE, assert_same, block_on, machine, run, traces};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 43, 0, 7);
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const LOOPBACK_6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

/// A node port service on TCP and UDP.
fn web() -> Value {
    json!({"type": "NodePort", "clusterIP": VIP.to_string(), "ports": [
        {"name": "tcp", "port": 80, "targetPort": 8080, "nodePort": 30080},
        {"name": "udp", "port": 80, "targetPort": 8080, "nodePort": 30080, "protocol": "UDP"}]})
}

fn vip(port: u16) -> SocketAddr {
    SocketAddr::from((VIP, port))
}

fn at_host(address: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::from((address, port))
}

/// At once: the host's own UDP packets are not even let out, which it is told as "not permitted".
fn assert_refused(what: &str, result: io::Result<String>) {
    let error = result.expect_err(what);
    let refused = [io::ErrorKind::ConnectionRefused, io::ErrorKind::PermissionDenied];
    assert!(refused.contains(&error.kind()), "{what}: {error}");
}

/// Runs `body` as the host is set up by itself, and as it is when some other program wants
/// bridged packets to pass the packet rules too.
fn with_and_without_bridge_filter(test: &str, body: fn(&crate::kit::Machine)) {
    machine(test, |machine| {
        for value in ["0", "1"] {
            run(&format!("echo {value} > /proc/sys/net/bridge/bridge-nf-call-iptables"));
            let before = traces();
            body(machine);
            assert_same(&before, &traces());
        }
    });
}

#[test]
fn everyone_reaches_a_service() {
    with_and_without_bridge_filter("services::everyone_reaches_a_service", |machine| {
        let config = machine.config("a", 42);
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let backing = cluster.pod("backing", 8080).await;
            let client = cluster.network.attach("client").await.unwrap();
            cluster.api.service("web", web(), &endpoints(&[&backing]));
            until("the service is there", || ask(Place::Host, vip(80)).ok());

            type Ask = fn(Place, SocketAddr) -> io::Result<String>;
            for (name, ask) in [("tcp", ask as Ask), ("udp", ask_udp as Ask)] {
                let check = |what: &str, from: Place, to: SocketAddr, want: &str| {
                    let got = ask(from, to).unwrap_or_else(|e| panic!("{name}, {what}: {e}"));
                    assert_eq!(got, format!("backing {want}"), "{name}, {what}");
                };
                let pod = Place::from(&client);
                let itself = Place::from(&backing);
                let outside = Place::from(machine.outside());
                check("pod to address", pod.clone(), vip(80), "10.42.0.3");
                check("pod to node port", pod.clone(), at_host(HOST, 30080), "10.42.0.3");
                let gateway = Ipv4Addr::new(10, 42, 0, 1);
                check("pod to the gateway's node port", pod, at_host(gateway, 30080), "10.42.0.3");
                check("pod to itself", itself.clone(), vip(80), "10.42.0.1");
                check("pod to its node port", itself, at_host(HOST, 30080), "10.42.0.1");
                check("host to address", Place::Host, vip(80), "10.42.0.1");
                check("host to its node port", Place::Host, at_host(HOST, 30080), "192.0.2.1");
                check("outside to node port", outside, at_host(HOST, 30080), "192.0.2.2");
                let loopback = "10.42.0.1";
                check("host to loopback", Place::Host, at_host(LOOPBACK, 30080), loopback);
                check("host to loopback 6", Place::Host, SocketAddr::new(LOOPBACK_6, 30080), loopback);
            }
            assert!(run("nft list ruleset").contains("map services"), "`nft` can print it");
            cluster.stop().await;
        });
        block_on(PodNetwork::teardown(&config)).unwrap();
    });
}

#[test]
fn connections_are_spread_and_follow_the_endpoints() {
    machine("services::connections_are_spread_and_follow_the_endpoints", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let a = cluster.pod("a", 8080).await;
            let b = cluster.pod("b", 8080).await;
            let c = cluster.pod("c", 8080).await;
            let client = cluster.network.attach("client").await.unwrap();
            let count = |address: SocketAddr| {
                let mut counts = BTreeMap::new();
                for _ in 0..90 {
                    let answer = ask(&client, address).unwrap();
                    let name = answer.split(' ').next().unwrap().to_owned();
                    *counts.entry(name).or_insert(0) += 1;
                }
                counts
            };
            cluster.api.service("web", web(), &endpoints(&[&a, &b, &c]));
            until("the service is there", || ask(&client, vip(80)).ok());
            for address in [vip(80), at_host(HOST, 30080)] {
                let counts = count(address);
                assert_eq!(counts.len(), 3, "{counts:?}");
                assert!(counts.values().all(|&n| n > 10), "{counts:?}");
            }
            // One less, then another one, then all on another port.
            cluster.api.service("web", web(), &endpoints(&[&a, &b]));
            until("c gets nothing", || (!count(vip(80)).contains_key("c")).then_some(()));
            cluster.api.service("web", web(), &endpoints(&[&c]));
            until("all goes to c", || (count(vip(80)).keys().eq(["c"])).then_some(()));
            let mut moved = web();
            moved["ports"][0]["port"] = json!(81);
            moved["ports"][0]["nodePort"] = json!(30081);
            cluster.api.service("web", moved, &endpoints(&[&c]));
            until("it moved", || ask(&client, vip(81)).ok());
            assert_refused("old port", ask(&client, vip(80)));
            assert_refused("old node port", ask(&client, at_host(HOST, 30080)));
            assert!(ask(&client, at_host(HOST, 30081)).is_ok());
        });
    });
}

#[test]
fn without_endpoints_clients_are_refused_at_once() {
    with_and_without_bridge_filter("services::without_endpoints_clients_are_refused_at_once", |machine| {
        let config = machine.config("a", 42);
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let pod = cluster.pod("pod", 8080).await;
            // Something of the host's own listens where the node port will be.
            if kpkg_network::ports::is_free(Transport::Tcp, HOST.into(), 30081).unwrap() {
                serve(Place::Host, 30081, "host");
            }
            let mut spec = web();
            spec["ports"][0]["nodePort"] = json!(30081);
            cluster.api.service("web", spec.clone(), &endpoints(&[&pod]));
            until("it is served", || {
                let answer = ask(machine.outside(), at_host(HOST, 30081)).ok();
                answer.filter(|text| text.starts_with("pod")).and(ask(&pod, vip(80)).ok())
            });
            for step in ["no endpoints", "no service"] {
                if step == "no endpoints" {
                    cluster.api.service("web", spec.clone(), &[]);
                } else {
                    cluster.api.remove("web");
                }
                until(step, || ask(&pod, vip(80)).err());
                for from in [Place::from(&pod), Place::Host] {
                    assert_refused(step, ask(from.clone(), vip(80)));
                    assert_refused(step, ask_udp(from.clone(), vip(80)));
                    assert_refused(step, ask(from, vip(9999)));
                }
                assert_refused(step, ask_udp(machine.outside(), at_host(HOST, 30080)));
                let by_port = || ask(machine.outside(), at_host(HOST, 30081));
                if step == "no endpoints" {
                    assert_refused("not the host's own", by_port());
                    assert_refused(step, ask(Place::Host, at_host(LOOPBACK, 30081)));
                } else {
                    let answer = until("the port is the host's again", || by_port().ok());
                    assert_eq!(answer, "host 192.0.2.2");
                }
            }
            cluster.stop().await;
        });
        block_on(PodNetwork::teardown(&config)).unwrap();
    });
}

#[test]
fn clients_stay_with_their_endpoint() {
    machine("services::clients_stay_with_their_endpoint", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let a = cluster.pod("a", 8080).await;
            let b = cluster.pod("b", 8080).await;
            let c = cluster.pod("c", 8080).await;
            let client = cluster.network.attach("client").await.unwrap();
            let mut spec = web();
            spec["sessionAffinity"] = json!("ClientIP");
            let all = [&a, &b, &c];
            cluster.api.service("web", spec.clone(), &endpoints(&all));
            let ask = |address| ask(&client, address).unwrap();
            until("the service is there", || crate::kit::peer::ask(&client, vip(80)).ok());
            for address in [vip(80), at_host(HOST, 30080)] {
                let first = ask(address);
                for _ in 0..20 {
                    assert_eq!(ask(address), first);
                }
            }
            assert!(run("nft list ruleset").contains("update @affinity"), "`nft` can print it");
            // Its endpoint goes; the client finds another and stays there.
            let first = ask(vip(80));
            let left: Vec<_> = all.into_iter().filter(|pod| !first.starts_with(pod.pod_uid.as_str())).collect();
            cluster.api.service("web", spec.clone(), &endpoints(&left));
            let second = until("another endpoint", || Some(ask(vip(80))).filter(|s| *s != first));
            for _ in 0..20 {
                assert_eq!(ask(vip(80)), second);
            }
            // The first comes back; the client stays. Its host gets an endpoint of its own.
            cluster.api.service("web", spec.clone(), &endpoints(&all));
            std::thread::sleep(std::time::Duration::from_millis(300));
            for _ in 0..20 {
                assert_eq!(ask(vip(80)), second);
            }
            // After its time the client is forgotten.
            spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 1}});
            cluster.api.service("web", spec, &endpoints(&all));
            until("it moved on", || {
                std::thread::sleep(std::time::Duration::from_millis(1300));
                (ask(vip(80)) != second).then_some(())
            });
        });
    });
}

#[test]
fn udp_clients_leave_dead_endpoints() {
    machine("services::udp_clients_leave_dead_endpoints", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let a = cluster.pod("a", 8080).await;
            let b = cluster.pod("b", 8080).await;
            let client = cluster.network.attach("client").await.unwrap();
            cluster.api.service("web", web(), &endpoints(&[&a]));
            until("the service is there", || ask_udp(&client, vip(80)).ok());
            // One socket, as a resolver or a game client keeps it.
            let socket = |to: SocketAddr| {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
                socket.connect(to).unwrap();
                socket
            };
            let inside = at(&client, || socket(vip(80)));
            let outside = at(machine.outside(), || socket(at_host(HOST, 30080)));
            let early = at(machine.outside(), || socket(at_host(HOST, 30081)));
            for socket in [&inside, &outside] {
                assert!(exchange(socket).unwrap().starts_with('a'));
            }
            assert_refused("too early", exchange(&early));
            cluster.api.service("web", web(), &endpoints(&[&b]));
            for socket in [&inside, &outside] {
                until("b answers", || exchange(socket).ok().filter(|text| text.starts_with('b')));
            }
            let mut moved = web();
            moved["ports"][1]["nodePort"] = json!(30081);
            cluster.api.service("web", moved, &endpoints(&[&b]));
            until("the early one too", || exchange(&early).ok());
        });
    });
}

#[test]
fn somebody_elses_flush_is_mended() {
    machine("services::somebody_elses_flush_is_mended", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let pod = cluster.pod("pod", 8080).await;
            cluster.api.service("web", web(), &endpoints(&[&pod]));
            until("the service is there", || ask(Place::Host, vip(80)).ok());
            let good = run("nft list ruleset");
            run("nft add table ip other");
            for damage in [
                "nft flush ruleset",
                "nft flush chain ip kpkg-a prerouting",
                "nft flush map ip kpkg-a services",
                "nft flush map ip kpkg-a endpoints; nft flush set ip kpkg-a hairpin",
                "nft insert rule ip kpkg-a output drop",
                "nft add element ip kpkg-a rejected '{ tcp . 30080 }'",
            ] {
                run(damage);
                run("nft add table ip other");
                until(damage, || {
                    let now = run("nft list ruleset").replace("table ip other {\n}\n", "");
                    (now.len() == good.len()).then_some(())
                });
                assert!(ask(Place::Host, vip(80)).is_ok(), "{damage}");
            }
            // A change on top of somebody's change must not wait for the next look.
            run("nft flush ruleset");
            cluster.api.service(
                "more",
                json!({"clusterIP": "10.43.0.8", "ports": [{"port": 80,
                "targetPort": 8080}]}),
                &endpoints(&[&pod]),
            );
            until("both are there", || ask(Place::Host, at_host([10, 43, 0, 8].into(), 80)).ok());
            assert!(ask(Place::Host, vip(80)).is_ok());
        });
    });
}

#[test]
fn a_restart_is_not_felt() {
    machine("services::a_restart_is_not_felt", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let a = cluster.pod("a", 8080).await;
            let b = cluster.pod("b", 8080).await;
            let mut spec = web();
            spec["sessionAffinity"] = json!("ClientIP");
            cluster.api.service("web", spec.clone(), &endpoints(&[&a]));
            cluster.api.service(
                "gone",
                json!({"clusterIP": "10.43.0.8", "ports": [{"port": 80,
                "targetPort": 8080}]}),
                &endpoints(&[&a]),
            );
            until("gone is there", || ask(Place::Host, at_host([10, 43, 0, 8].into(), 80)).ok());
            assert!(ask(Place::Host, vip(80)).is_ok());
            let client = cluster.network.attach("client").await.unwrap();
            let socket = at(&client, || {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
                socket.connect(vip(80)).unwrap();
                socket
            });
            assert!(exchange(&socket).unwrap().starts_with('a'));
            let handle = || run("nft -a list table ip kpkg-a").lines().next().unwrap().to_owned();
            let before = handle();

            let (config, api) = cluster.stop().await;
            assert!(ask(&client, vip(80)).is_ok(), "services go on without kpkg");
            api.remove("gone");
            api.service("web", spec.clone(), &endpoints(&[&b]));
            let cluster = Cluster::with_api(config, api).await;
            until("b answers", || ask(&client, vip(80)).ok().filter(|t| t.starts_with('b')));
            until("b answers UDP", || exchange(&socket).ok().filter(|t| t.starts_with('b')));
            assert_refused("gone", ask(&client, at_host([10, 43, 0, 8].into(), 80)));
            assert_eq!(handle(), before, "the table was kept, not made anew");
            drop(cluster);
        });
    });
}

#[test]
fn only_packets_to_this_machine_are_caught() {
    machine("services::only_packets_to_this_machine_are_caught", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let pod = cluster.pod("pod", 8080).await;
            let client = cluster.network.attach("client").await.unwrap();
            cluster.api.service("web", web(), &endpoints(&[&pod]));
            until("the service is there", || ask(&client, vip(80)).ok());
            serve(machine.outside(), 30080, "world");
            // CVE-2025-67499: the node port of somebody else's address.
            assert_eq!(ask(&client, at_host(OUTSIDE, 30080)).unwrap(), "world 192.0.2.1");
            // Service addresses are not for the outside, even if it has a route here.
            at(machine.outside(), || {
                run("ip route add 10.43.0.0/16 via 192.0.2.1");
                run("ip route add 127.0.0.0/8 via 192.0.2.1 table 7 && ip rule add pref 0 table 7");
            });
            assert_refused("from outside", ask(machine.outside(), vip(80)));
            let dns = at_host([10, 43, 0, 10].into(), 53);
            assert_eq!(ask_udp(machine.outside(), dns).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            // What has no rule stays on the machine, whatever happens to the rules.
            run("nft delete table ip kpkg-a");
            at(machine.outside(), || {
                run(
                    "nft -f - <<E\ntable ip t { chain c { type filter hook input priority 0; ip daddr 10.43.0.0/16 counter; ip daddr 10.42.0.0/16 counter; }; }\nE",
                )
            });
            assert!(ask(&client, at_host([10, 43, 0, 99].into(), 80)).is_err());
            run("ip link set kpkg-a down");
            for address in [[10, 43, 0, 99], [10, 42, 0, 99]] {
                assert!(ask(Place::Host, at_host(address.into(), 80)).is_err());
            }
            let seen = at(machine.outside(), || run("nft list table ip t"));
            assert_eq!(seen.matches("packets 0 bytes 0").count(), 2, "{seen}");
        });
    });
}

#[test]
fn endpoints_outside_the_cluster_work() {
    machine("services::endpoints_outside_the_cluster_work", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            serve(machine.outside(), 8080, "world");
            serve(Place::Host, 8080, "host");
            let client = cluster.network.attach("client").await.unwrap();
            cluster.api.service("world", web(), &[OUTSIDE.to_string()]);
            // As the API server itself and pods in the host's network are reached.
            cluster.api.service(
                "host",
                json!({"clusterIP": "10.43.0.1", "ports": [{"port": 443,
                "targetPort": 8080}]}),
                &[HOST.to_string()],
            );
            until("the services are there", || ask(&client, vip(80)).ok());
            assert_eq!(ask(&client, vip(80)).unwrap(), "world 192.0.2.1");
            assert_eq!(ask(Place::Host, vip(80)).unwrap(), "world 192.0.2.1");
            assert_eq!(ask(Place::Host, at_host(HOST, 30080)).unwrap(), "world 192.0.2.1");
            assert_eq!(ask(Place::Host, at_host(LOOPBACK, 30080)).unwrap(), "world 192.0.2.1");
            let api = at_host([10, 43, 0, 1].into(), 443);
            assert_eq!(ask(&client, api).unwrap(), "host 10.42.0.2");
            assert_eq!(ask(Place::Host, api).unwrap(), "host 10.42.0.1");
        });
    });
}

#[test]
fn clusters_side_by_side() {
    machine("services::clusters_side_by_side", |machine| {
        block_on(async {
            let one = Cluster::start(machine, "one", 42).await;
            let two = Cluster::start(machine, "two", 52).await;
            let a = one.pod("a", 8080).await;
            let b = two.pod("b", 8080).await;
            one.api.service("web", web(), &endpoints(&[&a]));
            let mut other = web();
            other["clusterIP"] = json!("10.53.0.7");
            other["ports"][0]["nodePort"] = json!(30081);
            other["ports"][1]["nodePort"] = json!(30081);
            two.api.service("web", other, &endpoints(&[&b]));
            let other_vip = at_host([10, 53, 0, 7].into(), 80);
            until("one is there", || ask(&a, vip(80)).ok());
            until("two is there", || ask(&b, other_vip).ok());
            assert_refused("another cluster's service", ask(&a, other_vip));
            assert_refused("another cluster's service", ask(&b, vip(80)));
            assert!(ask(Place::Host, vip(80)).unwrap().starts_with('a'));
            assert!(ask(Place::Host, other_vip).unwrap().starts_with('b'));
            assert!(ask(&b, at_host(HOST, 30080)).unwrap().starts_with('a'), "by node port");
            let config = two.config.clone();
            two.stop().await;
            PodNetwork::teardown(&config).await.unwrap();
            one.api.service(
                "more",
                json!({"clusterIP": "10.43.0.8", "ports": [{"port": 80,
                "targetPort": 8080}]}),
                &endpoints(&[&a]),
            );
            until("one goes on", || ask(&a, at_host([10, 43, 0, 8].into(), 80)).ok());
            let _ = v4(a.ip, 0);
        });
    });
}
