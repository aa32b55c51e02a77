//! What is mounted in the container.

use std::path::Path;

use serde_json::{Value, json};

use super::Input;
use crate::container::{Mount, Propagation};

const DEVICES: &str = "/dev";

/// All mounts, those above before those below.
pub(super) fn build(input: &Input<'_>) -> Vec<Value> {
    let config = &input.container.config;
    let replaced = |destination: &str| config.mounts.iter().any(|mount| mount.container_path == Path::new(destination));
    let mut mounts: Vec<Value> = usual(input)
        .into_iter()
        .filter(|mount| mount["destination"].as_str().is_none_or(|place| place == DEVICES || !replaced(place)))
        .collect();
    // What goes to `/dev` is mounted by whoever executes the command.
    let mut own: Vec<&Mount> =
        config.mounts.iter().filter(|mount| mount.container_path != Path::new(DEVICES)).collect();
    own.sort_by_key(|mount| mount.container_path.components().count());
    mounts.extend(own.into_iter().map(bind));
    mounts
}

fn usual(input: &Input<'_>) -> Vec<Value> {
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", writable(input)]),
    ];
    let shm = if input.sandbox.config.host_ipc { Path::new("/dev/shm").to_owned() } else { input.dir.shm() };
    mounts.push(json!({
        "destination": "/dev/shm", "type": "bind", "source": shm,
        "options": ["rbind", "rw", "nosuid", "nodev", "noexec", "rprivate"],
    }));
    mounts.extend(control_groups(input));
    mounts
}

fn writable(input: &Input<'_>) -> &'static str {
    if input.privileged() { "rw" } else { "ro" }
}

/// The container sees its own control groups only, and cannot write them (CVE-2023-25809).
fn control_groups(input: &Input<'_>) -> Vec<Value> {
    const ROOT: &str = "/sys/fs/cgroup";
    if input.cgroups.is_v2() {
        return vec![mount(ROOT, "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", writable(input)])];
    }
    let mut mounts = vec![mount(ROOT, "tmpfs", "tmpfs", &["nosuid", "noexec", "nodev", "mode=755", "size=64k"])];
    for (name, group) in input.cgroups.views(&input.container.cgroup) {
        // Hierarchies in which libcontainer makes no group would show the machine's.
        if matches!(name.as_str(), "systemd" | "unified" | "misc" | "rdma") {
            continue;
        }
        mounts.push(json!({
            "destination": format!("{ROOT}/{name}"), "type": "bind", "source": group,
            "options": ["bind", "nosuid", "noexec", "nodev", "rprivate", writable(input)],
        }));
    }
    mounts
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    json!({"destination": destination, "type": kind, "source": source, "options": options})
}

fn bind(mount: &Mount) -> Value {
    let propagation = match mount.propagation {
        Propagation::Private => "rprivate",
        Propagation::HostToContainer => "rslave",
    };
    let mut options = vec!["rbind", propagation];
    // Read-only all the way down, not only at the top.
    options.push(if mount.readonly { "rro" } else { "rw" });
    json!({"destination": mount.container_path, "type": "bind", "source": mount.host_path, "options": options})
}
