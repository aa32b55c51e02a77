//! Attaching and detaching pods, what survives, and what is left.

use std::fs;
use std::io;
use std::net::IpAddr;

use kpkg_network::PodNetwork;

use crate::kit::peer::{Place, ask, ask_udp, at, serve, v4};
use crate::kit::{HOST, OUTSIDE, assert_same, block_on, machine, run, traces};

#[test]
fn pods_reach_each_other_the_host_and_the_world() {
    machine("pods::pods_reach_each_other_the_host_and_the_world", |machine| {
        let config = machine.config("a", 42);
        block_on(async {
            let network = PodNetwork::open(config.clone()).await.unwrap();
            assert_eq!(network.notices(), ["turned on IPv4 forwarding on up0"]);
            let a = network.attach("pod-a").await.unwrap();
            let b = network.attach("pod-b").await.unwrap();
            assert_eq!(a.ip.to_string(), "10.42.0.2");
            assert_eq!(b.ip.to_string(), "10.42.0.3");
            assert_eq!(network.list(), [a.clone(), b.clone()]);
            serve(&b, 8080, "b");
            serve(machine.outside(), 8080, "world");
            serve(Place::Host, 8080, "host");

            assert_eq!(ask(&a, v4(b.ip, 8080)).unwrap(), "b 10.42.0.2", "no translation inside");
            assert_eq!(ask_udp(&a, v4(b.ip, 8080)).unwrap(), "b 10.42.0.2");
            assert_eq!(ask(&b, v4(b.ip, 8080)).unwrap(), "b 10.42.0.3", "a pod and itself");
            assert_eq!(ask(Place::Host, v4(b.ip, 8080)).unwrap(), "b 10.42.0.1");
            assert_eq!(ask(&a, v4(HOST.into(), 8080)).unwrap(), "host 10.42.0.2");
            assert_eq!(ask(&a, v4(a.gateway, 8080)).unwrap(), "host 10.42.0.2");
            let outside = ask(&a, v4(OUTSIDE.into(), 8080)).unwrap();
            assert_eq!(outside, "world 192.0.2.1", "masqueraded");
            assert_eq!(ask_udp(&a, v4(OUTSIDE.into(), 8080)).unwrap(), "world 192.0.2.1");
            at(&a, || {
                assert!(run("ip -o link show eth0").contains("mtu 1400"));
                assert!(run("ip link show lo").contains("UP"));
                assert!(run("ip -o link show eth0").contains(&a.mac.to_string()));
            });
        });
    });
}

#[test]
fn loopback_of_the_host_stays_its_own() {
    machine("pods::loopback_of_the_host_stays_its_own", |machine| {
        let config = machine.config("a", 42);
        block_on(async {
            let network = PodNetwork::open(config.clone()).await.unwrap();
            let a = network.attach("pod-a").await.unwrap();
            serve(Place::Host, 8080, "host");
            // CVE-2020-8558: a pod sends to 127.0.0.1 by way of its gateway, and even a host on
            // which somebody has turned `route_localnet` on does not take it.
            run("echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");
            at(&a, || {
                run("echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");
                run("ip route del local 127.0.0.0/8 table local");
                run("ip route del local 127.0.0.1 table local");
                run("ip route add 127.0.0.1 via 10.42.0.1 dev eth0 src 10.42.0.2");
            });
            let error = ask(&a, v4(IpAddr::from([127, 0, 0, 1]), 8080)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
            assert!(ask(Place::Host, v4(IpAddr::from([127, 0, 0, 1]), 8080)).is_ok());
            // CVE-2020-10749: no router advertisement changes host or pod.
            let bridge = "/proc/sys/net/ipv6/conf/kpkg-a";
            assert_eq!(run(&format!("cat {bridge}/accept_ra {bridge}/disable_ipv6")), "0\n1\n");
            at(&a, || {
                let eth0 = "/proc/sys/net/ipv6/conf/eth0";
                assert_eq!(run(&format!("cat {eth0}/accept_ra {eth0}/disable_ipv6")), "0\n1\n");
                assert!(run("ip -6 addr show lo").contains("::1"));
            });
        });
    });
}

#[test]
fn a_firewall_in_the_way_is_named() {
    machine("pods::a_firewall_in_the_way_is_named", |machine| {
        run("nft add table ip filter");
        run("nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'");
        run("nft 'add chain ip filter INPUT { type filter hook input priority 0; policy accept; }'");
        run("nft add table inet wall");
        run("nft 'add chain inet wall in { type filter hook input priority 0; policy drop; }'");
        let network = block_on(PodNetwork::open(machine.config("a", 42))).unwrap();
        assert_eq!(
            network.notices(),
            [
                "turned on IPv4 forwarding on up0",
                "packet table filter, chain FORWARD drops forwarded packets by default; \
                 pods may not reach anything",
                "packet table wall, chain in drops packets to this machine by default; \
                 pods may not reach DNS",
            ]
        );
    });
}

#[test]
fn attaching_again_mends_whatever_a_crash_left() {
    machine("pods::attaching_again_mends_whatever_a_crash_left", |machine| {
        let config = machine.config("a", 42);
        block_on(async {
            let network = PodNetwork::open(config.clone()).await.unwrap();
            let b = network.attach("pod-b").await.unwrap();
            serve(&b, 8080, "b");
            let a = network.attach("pod-a").await.unwrap();
            let outer = outer_of(&a.pod_uid);
            let inode = fs::metadata(&a.netns).unwrap();
            let breaks: &[(&str, &dyn Fn())] = &[
                ("nothing", &|| ()),
                ("the link is gone", &|| drop(run(&format!("ip link del {outer}")))),
                ("off the bridge", &|| drop(run(&format!("ip link set {outer} nomaster")))),
                ("down", &|| drop(run(&format!("ip link set {outer} down")))),
                ("no address", &|| at(&a, || drop(run("ip addr flush dev eth0")))),
                ("no route", &|| at(&a, || drop(run("ip route flush table main")))),
                ("loopback down", &|| at(&a, || drop(run("ip link set lo down")))),
                ("renamed inside", &|| {
                    at(&a, || drop(run("ip link set eth0 down; ip link set eth0 name eth7")));
                }),
            ];
            for (name, breakage) in breaks {
                breakage();
                let again = network.attach("pod-a").await.unwrap();
                assert_eq!(again, a, "{name}");
                assert_eq!(ask(&a, v4(b.ip, 8080)).unwrap(), "b 10.42.0.3", "{name}");
                let now = fs::metadata(&a.netns).unwrap();
                use std::os::unix::fs::MetadataExt;
                assert_eq!(now.ino(), inode.ino(), "{name}: a running pod keeps its namespace");
            }
            // A crash before the namespace was mounted leaves a plain file.
            run(&format!("umount {}", a.netns.display()));
            network.attach("pod-a").await.unwrap();
            assert_eq!(ask(&a, v4(b.ip, 8080)).unwrap(), "b 10.42.0.3");
        });
    });
}

/// The host end of a pod, found by its alias.
fn outer_of(pod: &str) -> String {
    let links = run("ip -o link");
    let line = links.lines().find(|line| line.contains(&format!("pod {pod}"))).unwrap();
    line.split(&[' ', '@', ':'][..]).find(|word| word.starts_with("kpv")).unwrap().to_owned()
}

#[test]
fn restarts_keep_pods_and_sweep_leaks() {
    machine("pods::restarts_keep_pods_and_sweep_leaks", |machine| {
        let config = machine.config("a", 42);
        block_on(async {
            let network = PodNetwork::open(config.clone()).await.unwrap();
            let a = network.attach("pod-a").await.unwrap();
            serve(&a, 8080, "a");
            network.attach("lost-lease").await.unwrap();
            network.attach("lost-link").await.unwrap();
            let lost = outer_of("lost-lease");
            fs::remove_file(config.state_dir.join("leases/lost-lease")).unwrap();
            run(&format!("ip link del {}", outer_of("lost-link")));
            drop(network);

            let network = PodNetwork::open(config.clone()).await.unwrap();
            let pods: Vec<_> = network.list().into_iter().map(|pod| pod.pod_uid).collect();
            assert_eq!(pods, ["lost-link", "pod-a"]);
            assert!(!run("ip -o link").contains(&lost));
            assert!(!config.state_dir.join("netns/lost-lease").exists());
            assert_eq!(ask(Place::Host, v4(a.ip, 8080)).unwrap(), "a 10.42.0.1");
            let next = network.attach("pod-b").await.unwrap();
            assert_eq!(next.ip.to_string(), "10.42.0.5", "released addresses rest");
            network.attach("lost-link").await.unwrap();
            assert_eq!(ask(&next, v4(a.ip, 8080)).unwrap(), "a 10.42.0.5");
        });
    });
}

#[test]
fn nothing_is_left() {
    machine("pods::nothing_is_left", |machine| {
        let before = traces();
        let config = machine.config("a", 42);
        block_on(async {
            // Orderly.
            let network = PodNetwork::open(config.clone()).await.unwrap();
            let a = network.attach("pod-a").await.unwrap();
            assert!(ask(&a, v4(OUTSIDE.into(), 1)).is_err());
            network.detach("pod-a").await.unwrap();
            network.detach("pod-a").await.unwrap();
            network.detach("never-there").await.unwrap();
            assert!(network.list().is_empty());
            assert!(network.attach("../escape").await.is_err());
            drop(network);
            PodNetwork::teardown(&config).await.unwrap();
            assert_same(&before, &traces());
            // After a crash, with pods, twice.
            let network = PodNetwork::open(config.clone()).await.unwrap();
            for index in 0..5 {
                network.attach(&format!("pod-{index}")).await.unwrap();
            }
            drop(network);
            PodNetwork::teardown(&config).await.unwrap();
            PodNetwork::teardown(&config).await.unwrap();
            assert_same(&before, &traces());
            // When the state folder was deleted by hand.
            let network = PodNetwork::open(config.clone()).await.unwrap();
            network.attach("pod-a").await.unwrap();
            run(&format!("umount {0}/netns/*; rm -r {0}", config.state_dir.display()));
            PodNetwork::teardown(&config).await.unwrap();
            assert_same(&before, &traces());
        });
    });
}

#[test]
fn two_clusters_do_not_meet() {
    machine("pods::two_clusters_do_not_meet", |machine| {
        let before = traces();
        let (one, two) = (machine.config("one", 42), machine.config("two", 52));
        block_on(async {
            let first = PodNetwork::open(one.clone()).await.unwrap();
            let a = first.attach("same-uid").await.unwrap();
            let with_first = traces();
            let second = PodNetwork::open(two.clone()).await.unwrap();
            let b = second.attach("same-uid").await.unwrap();
            serve(&a, 8080, "a");
            serve(&b, 8080, "b");
            serve(machine.outside(), 8080, "world");
            for pod in [&a, &b] {
                assert!(ask(pod, v4(OUTSIDE.into(), 8080)).is_ok());
            }
            let error = ask(&b, v4(a.ip, 8080)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert!(ask(&a, v4(b.ip, 8080)).is_err());
            let ranges = kpkg_network::ranges::host_ranges(Some(one.clone())).await.unwrap();
            assert!(ranges.contains(&two.pod_cidr) && ranges.contains(&two.service_cidr));
            assert!(!ranges.contains(&one.pod_cidr) && !ranges.contains(&one.service_cidr));

            drop(second);
            PodNetwork::teardown(&two).await.unwrap();
            let strip = |text: String| text.replace("two", "");
            assert_same(&strip(with_first), &strip(traces()));
            assert!(ask(&a, v4(OUTSIDE.into(), 8080)).is_ok());
            drop(first);
            PodNetwork::teardown(&one).await.unwrap();
            assert_same(&before, &traces());
        });
    });
}

#[test]
fn many_at_once() {
    machine("pods::many_at_once", |machine| {
        let before = traces();
        let config = machine.config("a", 42);
        block_on(async {
            let network = PodNetwork::open(config.clone()).await.unwrap();
            let names: Vec<_> = (0..60).map(|index| format!("pod-{index}")).collect();
            let all = futures::future::join_all(names.iter().map(|name| network.attach(name)));
            let pods: Vec<_> = all.await.into_iter().map(Result::unwrap).collect();
            let addresses: std::collections::BTreeSet<_> = pods.iter().map(|pod| pod.ip).collect();
            assert_eq!(addresses.len(), pods.len());
            serve(&pods[0], 8080, "first");
            for pod in &pods[1..] {
                assert_eq!(ask(pod, v4(pods[0].ip, 8080)).unwrap(), format!("first {}", pod.ip));
            }
            let all = futures::future::join_all(names.iter().map(|name| network.detach(name)));
            assert!(all.await.into_iter().all(|result| result.is_ok()));
            assert!(network.list().is_empty());
        });
        block_on(PodNetwork::teardown(&config)).unwrap();
        assert_same(&before, &traces());
    });
}

const LOOP: &str = "KPKG_NETWORK_TEST_ATTACH_LOOP";

#[test]
fn killed_at_any_moment_nothing_is_lost_or_left() {
    machine("pods::killed_at_any_moment_nothing_is_lost_or_left", |machine| {
        let config = machine.config("a", 42);
        if std::env::var_os(LOOP).is_some() {
            return attach_until_killed(&config);
        }
        let before = traces();
        for round in 0..25 {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "pods::killed_at_any_moment_nothing_is_lost_or_left"])
                .env(LOOP, "1")
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            // Somewhere within opening, attaching, or detaching.
            std::thread::sleep(std::time::Duration::from_micros(20_000 + round * 3_777));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        block_on(async {
            let network = PodNetwork::open(config.clone()).await.unwrap();
            assert!(!network.list().is_empty(), "the loop came to attach");
            for pod in network.list() {
                assert_eq!(network.attach(&pod.pod_uid).await.unwrap(), pod);
                serve(&pod, 8080, &pod.pod_uid);
                let answer = ask(Place::Host, v4(pod.ip, 8080)).unwrap();
                assert_eq!(answer, format!("{} 10.42.0.1", pod.pod_uid));
            }
        });
        block_on(PodNetwork::teardown(&config)).unwrap();
        assert_same(&before, &traces());
    });
}

fn attach_until_killed(config: &kpkg_network::NetworkConfig) {
    block_on(async {
        loop {
            let network = PodNetwork::open(config.clone()).await.unwrap();
            for index in 0..4 {
                network.attach(&format!("pod-{index}")).await.unwrap();
            }
            for index in 0..3 {
                network.detach(&format!("pod-{index}")).await.unwrap();
            }
        }
    });
}
