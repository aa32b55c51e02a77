//! Paths of the kernel's that containers do not see or cannot write.

use crate::cgroup::Cgroups;
use crate::container::Security;

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap", // GHSA-7ww5-4wqc-m92c
    "/sys/firmware",
];

const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

fn list(security: &Security, own: Option<&Vec<String>>, usual: &[&str]) -> Vec<String> {
    match own {
        _ if security.privileged => Vec::new(),
        Some(paths) => paths.clone(),
        None => usual.iter().map(|path| (*path).to_owned()).collect(),
    }
}

/// Paths hidden in the container.
pub(super) fn masked(security: &Security) -> Vec<String> {
    list(security, security.masked_paths.as_ref(), &MASKED)
}

/// Paths that cannot be written in the container.
pub(super) fn readonly(security: &Security, cgroups: &Cgroups) -> Vec<String> {
    let mut paths = list(security, security.readonly_paths.as_ref(), &READONLY);
    if !security.privileged && !cgroups.is_v2() {
        // The directory of the hierarchies is ours, and is filled before it can be closed.
        paths.push("/sys/fs/cgroup".to_owned());
    }
    paths
}
