//! The name server, asked by real clients from pods and from the host.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::{OpCode, ResponseCode};
use hickory_proto::rr::RecordType::{A, AAAA, AXFR, PTR, SRV};
use hickory_proto::rr::{DNSClass, Name, RData, Record};
use kpkg_network::dns::Upstream;
use serde_json::{Value, json};

use crate::kit::cluster::{Cluster, until};
use crate::kit::dns::{SERVER, lookup, question, read, serve, tcp, udp, with_edns, words};
use crate::kit::peer::{Place, at};
use crate::kit::{OUTSIDE, block_on, machine, run};

fn nobody() -> Upstream {
    Upstream::Servers(Vec::new())
}

fn headless() -> Value {
    json!({"clusterIP": "None", "ports": [{"name": "sql", "port": 3306}]})
}

fn web() -> Value {
    json!({"clusterIP": "10.43.0.7", "ports": [{"name": "http", "port": 80, "targetPort": 8080}]})
}

#[test]
fn names_of_the_cluster() {
    machine("names::names_of_the_cluster", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            cluster.serve_names(nobody());
            let pod = cluster.network.attach("pod").await.unwrap();
            cluster.api.service("web", web(), &["10.42.0.2".to_owned()]);
            let members = ["10.42.0.3/db-0".to_owned(), "10.42.0.4/db-1".to_owned()];
            cluster.api.service("db", headless(), &members);
            let name = "web.default.svc.cluster.local.";
            until("the name is there", || (lookup(&pod, name, A) == "10.43.0.7").then_some(()));
            assert_eq!(lookup(Place::Host, name, A), "10.43.0.7");
            assert_eq!(lookup(&pod, "db.default.svc.cluster.local.", A), "10.42.0.3 10.42.0.4");
            assert_eq!(lookup(&pod, "db-1.db.default.svc.cluster.local.", A), "10.42.0.4");
            assert_eq!(lookup(&pod, "7.0.43.10.in-addr.arpa.", PTR), name);
            let sql = lookup(&pod, "_sql._tcp.db.default.svc.cluster.local.", SRV);
            assert!(sql.contains("3306 db-0.db.default.svc.cluster.local."), "{sql}");

            let answer = read(&tcp(&pod, &question(name, A, |_| {})).unwrap());
            assert_eq!(words(&answer), "10.43.0.7");
            assert!(answer.metadata.authoritative && answer.metadata.recursion_available);
            assert_eq!((answer.metadata.id, answer.answers[0].ttl), (4711, 5));
            assert!(answer.edns.is_none(), "nobody asked for it");
            let mixed = "wEb.Default.SVC.cluster.LOCAL.";
            let answer = read(&udp(&pod, &question(mixed, A, with_edns(4096))).unwrap());
            assert_eq!(answer.answers[0].name.to_ascii(), mixed, "as the client wrote it");
            assert_eq!(answer.edns.unwrap().max_payload(), 1232);

            for (name, kind, code) in [
                (name, AAAA, ResponseCode::NoError),
                ("none.default.svc.cluster.local.", A, ResponseCode::NXDomain),
                ("9.0.43.10.in-addr.arpa.", PTR, ResponseCode::NXDomain),
            ] {
                let answer = read(&udp(&pod, &question(name, kind, |_| {})).unwrap());
                assert_eq!(answer.metadata.response_code, code, "{name}");
                assert!(answer.answers.is_empty(), "{name}");
                let RData::SOA(soa) = &answer.authorities[0].data else { panic!("{name}: no SOA") };
                assert_eq!(soa.minimum, 5);
            }
            cluster.api.service("db", headless(), &members[1..]);
            let name = "db.default.svc.cluster.local.";
            until("it follows", || (lookup(&pod, name, A) == "10.42.0.4").then_some(()));
            cluster.api.remove("db");
            until("it is gone", || (lookup(&pod, name, A) == "NXDomain").then_some(()));
        });
    });
}

#[test]
fn answers_that_do_not_fit_are_cut_and_asked_again_over_tcp() {
    machine("names::answers_that_do_not_fit_are_cut_and_asked_again_over_tcp", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            cluster.serve_names(nobody());
            let pod = cluster.network.attach("pod").await.unwrap();
            let all: Vec<String> = (1..=200).map(|n| format!("10.42.1.{n}")).collect();
            cluster.api.service("db", headless(), &all);
            let name = "db.default.svc.cluster.local.";
            let whole = until("all are there", || {
                let bytes = tcp(&pod, &question(name, A, |_| {})).ok()?;
                Some(read(&bytes)).filter(|message| message.answers.len() == 200)
            });
            let ask = || read(&tcp(&pod, &question(name, A, |_| {})).unwrap());
            assert!(!whole.metadata.truncation);
            for (payload, limit) in [(None, 512), (Some(600), 600), (Some(4096), 1232)] {
                let question = match payload {
                    None => question(name, A, |_| {}),
                    Some(payload) => question(name, A, with_edns(payload)),
                };
                let bytes = udp(&pod, &question).unwrap();
                assert!(bytes.len() <= limit && bytes.len() > limit / 2, "{}", bytes.len());
                assert!(read(&bytes).metadata.truncation, "{payload:?}");
            }
            // Not always the same one first.
            let first: std::collections::BTreeSet<_> = (0..20).map(|_| ask().answers[0].data.to_string()).collect();
            assert!(first.len() > 5, "{first:?}");
        });
    });
}

#[test]
fn libc_finds_names_through_its_search_list() {
    machine("names::libc_finds_names_through_its_search_list", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let world = SocketAddr::from((OUTSIDE, 53));
            cluster.serve_names(Upstream::Servers(vec![world]));
            serve(machine.outside(), world, example_org);
            let pod = cluster.network.attach("pod").await.unwrap();
            cluster.api.service("web", web(), &["10.42.0.2".to_owned()]);
            let outside = json!({"type": "ExternalName", "externalName": "www.example.org"});
            cluster.api.service("world", outside, &[]);
            let conf = machine.dir.join("resolv.conf");
            let search = "default.svc.cluster.local svc.cluster.local cluster.local";
            let text = format!("search {search}\nnameserver {SERVER}\noptions ndots:5\n");
            fs::write(&conf, text).unwrap();
            let getent = |name: &str| {
                at(&pod, || {
                    let mount = format!("mount --bind {} /etc/resolv.conf", conf.display());
                    let ask = format!("getent ahostsv4 {name} || true");
                    let found = run(&format!("unshare -m sh -c '{mount}; {ask}'"));
                    found.split(' ').next().unwrap_or_default().trim().to_owned()
                })
            };
            until("web is found", || (getent("web") == "10.43.0.7").then_some(()));
            assert_eq!(getent("web.default"), "10.43.0.7");
            assert_eq!(getent("web.default.svc.cluster.local"), "10.43.0.7");
            assert_eq!(getent("www.example.org"), "198.51.100.7", "five dots less, yet found");
            assert_eq!(getent("world"), "198.51.100.7", "the alias is followed");
            assert_eq!(getent("nothing"), "");
            assert_eq!(getent("10-42-0-2.default.pod.cluster.local"), "10.42.0.2");
        });
    });
}

/// The world knows one name.
fn example_org(query: &hickory_proto::op::Query) -> Result<Vec<Record>, ResponseCode> {
    let name = query.name().clone();
    match (name.to_lowercase().to_ascii().as_str(), query.query_type()) {
        ("www.example.org.", A) => {
            let address = RData::from(Ipv4Addr::new(198, 51, 100, 7));
            Ok(vec![Record::from_rdata(name, 60, address)])
        }
        ("www.example.org.", _) => Ok(Vec::new()),
        _ => Err(ResponseCode::NXDomain),
    }
}

#[test]
fn the_rest_is_asked_elsewhere() {
    machine("names::the_rest_is_asked_elsewhere", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            let conf = machine.dir.join("host-resolv.conf");
            cluster.serve_names(Upstream::File(conf.clone()));
            let pod = cluster.network.attach("pod").await.unwrap();
            let name = "www.example.org.";
            let quickly = |want: &str| {
                let start = Instant::now();
                assert_eq!(lookup(&pod, name, A), want);
                assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
            };
            // No file, then one that names only this server itself.
            until("it listens", || (lookup(&pod, name, A) == "ServFail").then_some(()));
            quickly("ServFail");
            fs::write(&conf, format!("nameserver {SERVER}\n")).unwrap();
            std::thread::sleep(Duration::from_secs(6));
            quickly("ServFail");
            // One that answers.
            let world = SocketAddr::from((OUTSIDE, 53));
            serve(machine.outside(), world, example_org);
            fs::write(&conf, format!("nameserver {OUTSIDE}\n")).unwrap();
            until("the file is read", || (lookup(&pod, name, A) == "198.51.100.7").then_some(()));
            assert_eq!(lookup(&pod, "other.example.org.", A), "NXDomain");
            assert_eq!(lookup(&pod, name, AAAA), "NoError");
            let answer = read(&udp(&pod, &question(name, A, |_| {})).unwrap());
            assert!(!answer.metadata.authoritative && answer.metadata.recursion_available);
            assert!(answer.answers[0].ttl <= 30);
            // What is the cluster's is never asked elsewhere.
            assert_eq!(lookup(&pod, "none.default.svc.cluster.local.", A), "NXDomain");
        });
    });
}

#[test]
fn a_loop_is_found_and_cut() {
    machine("names::a_loop_is_found_and_cut", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            // A name server of the host's that asks the cluster's, as dnsmasq is set up at times.
            let middle = SocketAddr::from(([127, 0, 0, 1], 5300));
            serve(Place::Host, middle, |query| {
                let name = query.name().to_ascii();
                let answer = udp(Place::Host, &question(&name, query.query_type(), |_| {}));
                match answer.map(|bytes| read(&bytes)) {
                    Ok(message) => Err(message.metadata.response_code),
                    Err(_) => Err(ResponseCode::ServFail),
                }
            });
            cluster.serve_names(Upstream::Servers(vec![middle]));
            let pod = cluster.network.attach("pod").await.unwrap();
            until("it is seen", || {
                let start = Instant::now();
                let answer = lookup(&pod, "www.example.org.", A);
                (answer == "ServFail" && start.elapsed() < Duration::from_secs(1)).then_some(())
            });
        });
    });
}

#[test]
fn odd_questions_get_short_answers() {
    machine("names::odd_questions_get_short_answers", |machine| {
        block_on(async {
            let cluster = Cluster::start(machine, "a", 42).await;
            cluster.serve_names(nobody());
            let pod = cluster.network.attach("pod").await.unwrap();
            let name = "web.default.svc.cluster.local.";
            cluster.api.service("web", web(), &[]);
            until("the name is there", || (lookup(&pod, name, A) == "10.43.0.7").then_some(()));
            let code = |bytes: &[u8]| words(&read(&udp(&pod, bytes).unwrap()));
            assert_eq!(code(&question("cluster.local.", AXFR, |_| {})), "Refused");
            let chaos = question("version.bind.", A, |m| {
                m.queries[0].query_class = DNSClass::CH;
            });
            assert_eq!(code(&chaos), "Refused");
            let update = question(name, A, |m| m.metadata.op_code = OpCode::Status);
            assert_eq!(code(&update), "NotImp");
            let version = question(name, A, |m| {
                with_edns(1232)(m);
                m.edns.as_mut().unwrap().set_version(1);
            });
            assert!(!code(&version).contains("10.43"), "a version that does not exist");
            assert_eq!(code(&question(name, A, |m| m.queries.clear())), "FormErr");
            let two = question(name, A, |m| m.queries.push(m.queries[0].clone()));
            assert_eq!(code(&two), "FormErr");
            // Garbage, answers, cut-off questions: whatever comes back, it goes on.
            let good = question(name, A, |_| {});
            for length in 0..good.len() {
                at(&pod, || {
                    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
                    socket.send_to(&good[..length], (SERVER, 53)).unwrap();
                    socket.send_to(&vec![0xff; length], (SERVER, 53)).unwrap();
                });
            }
            let _ = tcp(&pod, &[0xff; 40]);
            assert_eq!(lookup(&pod, name, A), "10.43.0.7");
            let long = Name::from_ascii(format!("{}.default.svc.cluster.local.", "x".repeat(63)));
            assert_eq!(lookup(&pod, &long.unwrap().to_ascii(), A), "NXDomain");
        });
    });
}
