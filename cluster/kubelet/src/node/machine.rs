//! What the machine is and has.

use std::{fs, path::Path};

use crate::{
    KubeletConfig,
    resources::{Amounts, milli, whole},
};

/// Facts that do not change while the kubelet runs.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) capacity: Amounts,
    pub(crate) allocatable: Amounts,
    pub(super) machine_id: String,
    pub(super) system_uuid: String,
    pub(super) boot_id: String,
    pub(super) kernel: String,
    pub(super) os_image: String,
}

impl Machine {
    /// Looks.
    pub(crate) fn measure(config: &KubeletConfig) -> Self {
        let capacity = Amounts {
            cpu_milli: std::thread::available_parallelism()
                .map_or(1000, |cpus| i64::try_from(cpus.get()).unwrap_or(1) * 1000),
            memory: meminfo("MemTotal").unwrap_or(0),
            ephemeral_storage: disk(&config.root_dir).map_or(0, |disk| disk.total),
            pods: i64::from(config.max_pods),
        };
        let quantity = |name: &str| {
            config.reserved.get(name).map(|text| k8s_openapi::apimachinery::pkg::api::resource::Quantity(text.clone()))
        };
        let allocatable = Amounts {
            cpu_milli: capacity.cpu_milli - quantity("cpu").as_ref().map_or(0, milli),
            memory: capacity.memory - quantity("memory").as_ref().map_or(0, whole),
            ephemeral_storage: capacity.ephemeral_storage - quantity("ephemeral-storage").as_ref().map_or(0, whole),
            pods: capacity.pods,
        };
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let machine_id = read("/etc/machine-id");
        Self {
            capacity,
            allocatable,
            system_uuid: Some(read("/sys/class/dmi/id/product_uuid"))
                .filter(|uuid| !uuid.is_empty())
                .unwrap_or_else(|| machine_id.clone()),
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            kernel: read("/proc/sys/kernel/osrelease"),
            os_image: os_image(&read("/etc/os-release")),
            machine_id,
        }
    }
}

/// A row of `/proc/meminfo` in bytes.
pub(super) fn meminfo(row: &str) -> Option<i64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok().map(|kib| kib * 1024)
}

/// Bytes and inodes of the file system that a path is on.
pub(super) struct Disk {
    pub(super) total: i64,
    pub(super) available: i64,
}

/// The file system of a path, or of its nearest parent that exists.
pub(super) fn disk(path: &Path) -> Option<Disk> {
    let existing = path.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
    Some(Disk { total: bytes(stat.f_blocks), available: bytes(stat.f_bavail) })
}

/// Process ids in use and the most there can be.
pub(super) fn processes() -> Option<(i64, i64)> {
    let maximum = fs::read_to_string("/proc/sys/kernel/pid_max").ok()?.trim().parse().ok()?;
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    let used = load.split_whitespace().nth(3)?.split('/').nth(1)?.parse().ok()?;
    Some((used, maximum))
}

fn os_image(release: &str) -> String {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_measured() {
        let config = KubeletConfig::new("n", "/", "10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let machine = Machine::measure(&config);
        assert!(
            machine.capacity.cpu_milli >= 1000 && machine.capacity.memory > 0 && machine.capacity.ephemeral_storage > 0
        );
        assert_eq!(os_image("ID=debian\nPRETTY_NAME=\"Debian 12\"\n"), "Debian 12");
        assert!(processes().is_some());
    }
}
