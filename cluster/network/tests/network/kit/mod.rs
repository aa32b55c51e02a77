//! Namespaces, peers and commands for the tests.

pub(crate) mod api;
pub(crate) mod cluster;
pub(crate) mod dns;
pub(crate) mod peer;

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kpkg_network::NetworkConfig;

const INSIDE: &str = "KPKG_NETWORK_TEST_INSIDE";

/// The machine's own address in the tests, and that of the host beyond its only link.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// A machine with one uplink, and the world beyond it, made of namespaces.
pub(crate) struct Machine {
    pub(crate) dir: PathBuf,
    outside: PathBuf,
}

/// Runs `body` in a network and mount namespace of its own. The test binary starts itself again
/// for that: the namespaces belong to a process, and end with it whatever happens.
pub(crate) fn machine(test: &str, body: impl FnOnce(&Machine)) {
    if std::env::var_os(INSIDE).is_some() {
        let dir = PathBuf::from("/tmp/kpkg");
        let outside = dir.join("outside");
        // Already there for a child that the test itself starts.
        let machine = if outside.exists() { Machine { dir, outside } } else { Machine::build() };
        return body(&machine);
    }
    assert!(rustix::process::geteuid().is_root(), "these tests make namespaces: run them as root");
    let output = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("`unshare` is installed");
    let text = [output.stdout, output.stderr].concat();
    let ran = String::from_utf8_lossy(&text).contains("1 passed");
    if !output.status.success() || !ran {
        std::io::stderr().write_all(&text).unwrap();
        panic!("{test} failed inside its namespaces");
    }
}

impl Machine {
    fn build() -> Self {
        let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter("debug,hyper=info").try_init();
        run("mount -t tmpfs none /run");
        run("mount -t tmpfs none /tmp");
        let dir = PathBuf::from("/tmp/kpkg");
        fs::create_dir_all(&dir).unwrap();
        let outside = dir.join("outside");
        run("ip link set lo up");
        // Refusals are counted here; in the world, one a second and client is enough.
        run("echo 0 > /proc/sys/net/ipv4/icmp_ratelimit");
        run("mkdir -p /run/netns");
        run("ip netns add outside");
        run("ip link add up0 mtu 1400 type veth peer name eth0 mtu 1400 netns outside");
        run(&format!("ip addr add {HOST}/24 dev up0"));
        run("ip link set up0 up");
        run("ip -n outside link set lo up");
        run(&format!("ip -n outside addr add {OUTSIDE}/24 dev eth0"));
        run("ip -n outside link set eth0 up");
        run(&format!("ip route add default via {OUTSIDE}"));
        wait_for_carrier();
        std::os::unix::fs::symlink("/run/netns/outside", &outside).unwrap();
        Self { dir, outside }
    }

    /// The namespace beyond the uplink.
    pub(crate) fn outside(&self) -> &Path {
        &self.outside
    }

    pub(crate) fn config(&self, name: &str, second: u8) -> NetworkConfig {
        let range = |second| format!("10.{second}.0.0/16").parse().unwrap();
        let dir = self.dir.join(name);
        NetworkConfig::new(name, range(second), range(second + 1), &dir, IpAddr::V4(HOST)).unwrap()
    }
}

/// Waits until the kernel has noticed that both ends of the uplink are up: what is compared later shows it.
fn wait_for_carrier() {
    let begun = Instant::now();
    while !run("ip -o link show up0").contains("state UP") || run("ip -4 route show table all").contains("linkdown") {
        assert!(begun.elapsed() < Duration::from_secs(20), "the uplink does not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What may be left behind: links, addresses, routes, rules, mounts, switches, files.
pub(crate) fn traces() -> String {
    let mut all = String::new();
    for command in [
        "ip -o link",
        "ip -4 -o addr",
        "ip -4 route show table all",
        "nft list ruleset",
        "cat /proc/self/mounts",
        "find /run /tmp",
        "grep . /proc/sys/net/ipv4/conf/up0/forwarding /proc/sys/net/ipv4/ip_forward",
    ] {
        all.push_str(&format!("== {command}\n{}\n", run(command)));
    }
    all
}

/// Fails with the lines that differ.
pub(crate) fn assert_same(before: &str, after: &str) {
    let only = |a: &str, b: &str, sign: &str| -> String {
        let b: Vec<_> = b.lines().collect();
        a.lines().filter(|line| !b.contains(line)).map(|line| format!("{sign} {line}\n")).collect()
    };
    assert!(before == after, "{}{}", only(before, after, "-"), only(after, before, "+"));
}

/// Runs a command, fails the test if it fails, gives its output.
pub(crate) fn run(command: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(command).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "`{command}` failed: {text}");
    text
}

/// A runtime for the async parts.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}
