//! The rights and what the kernel must offer.

use std::{fs, path::Path, process::Command};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::Problem;

/// Control-group controllers that pods need.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Whether we are root.
pub(super) fn root() -> Option<Problem> {
    (!rustix::process::geteuid().is_root())
        .then(|| Problem::new("containers and their network need root", "run this as root, for example with sudo"))
}

/// What the kernel lacks.
pub(super) fn check() -> Vec<Problem> {
    [version(), cgroups(), overlay(), nftables(), namespaces(), clock()].into_iter().flatten().collect()
}

fn version() -> Option<Problem> {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let found = (parts.next()?, parts.next()?);
    (found < (5, 4)).then(|| Problem::new(format!("Linux {release} is too old"), "boot Linux 5.4 or newer"))
}

fn cgroups() -> Option<Problem> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let unified = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    missing_controllers(&mounts, &unified).map(|missing| {
        let what = format!("the control-group controllers {} are not available", missing.join(", "));
        Problem::new(
            what,
            "mount the cgroup file systems, or boot with `systemd.unified_cgroup_hierarchy=1 cgroup_enable=memory`",
        )
    })
}

/// Version 2 lists its controllers; version 1 mounts each under its name.
fn missing_controllers(mounts: &str, unified: &str) -> Option<Vec<&'static str>> {
    let v1 = mounts.lines().filter_map(|line| line.split_once(" - cgroup ")?.1.split(' ').nth(1));
    let found: Vec<&str> = v1.flat_map(|options| options.split(',')).chain(unified.split_whitespace()).collect();
    let missing: Vec<_> = CONTROLLERS.into_iter().filter(|name| !found.contains(name)).collect();
    (!missing.is_empty()).then_some(missing)
}

fn overlay() -> Option<Problem> {
    let known = || {
        let list = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        list.lines().any(|line| line.split_whitespace().last() == Some("overlay"))
    };
    let present = known() || (load("overlay") && known());
    (!present).then(|| Problem::new("the overlay file system is not available", "run `modprobe overlay`"))
}

fn nftables() -> Option<Problem> {
    let problem = || Problem::new("nftables is not available in the kernel", "run `modprobe nf_tables`");
    answers_nftables().ok().as_ref().is_none_or(|&answers| !answers).then(problem)
}

/// Asks nftables for its generation number, which every version of it answers; asking makes the
/// kernel load the module.
fn answers_nftables() -> std::io::Result<bool> {
    const TABLES: u16 = 10 << 8;
    const GET_GENERATION: u16 = TABLES | 16;
    const NEW_GENERATION: u16 = TABLES | 15;
    const REQUEST: u16 = 1;
    let mut message = Vec::with_capacity(20);
    message.extend_from_slice(&20_u32.to_ne_bytes());
    message.extend_from_slice(&GET_GENERATION.to_ne_bytes());
    message.extend_from_slice(&REQUEST.to_ne_bytes());
    // Sequence and port, then family, version and resource of the netfilter header.
    message.extend_from_slice(&[0; 12]);
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&message, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    Ok(answer.get(4..6) == Some(NEW_GENERATION.to_ne_bytes().as_slice()))
}

fn namespaces() -> Option<Problem> {
    let missing: Vec<_> = ["net", "mnt", "pid", "ipc", "uts"]
        .into_iter()
        .filter(|name| !Path::new("/proc/self/ns").join(name).exists())
        .collect();
    (!missing.is_empty()).then(|| {
        let what = format!("the kernel has no {} namespaces", missing.join(", "));
        Problem::new(what, "boot a kernel with namespaces, such as any distribution's")
    })
}

fn clock() -> Option<Problem> {
    // Certificates are dated; a clock at its epoch would make them useless later.
    let now = jiff::Zoned::now();
    (now.year() < 2024).then(|| {
        let what = format!("the clock is wrong: it says {}", now.date());
        Problem::new(what, "set the clock, for example with `timedatectl set-ntp true`")
    })
}

fn load(module: &str) -> bool {
    Command::new("modprobe").arg("--quiet").arg(module).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_found_in_both_versions() {
        let v1 = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                  31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        assert_eq!(missing_controllers(v1, ""), Some(vec!["pids"]));
        assert_eq!(missing_controllers("", "cpuset cpu io memory pids"), None);
        assert_eq!(missing_controllers(v1, "pids"), None);
    }
}
