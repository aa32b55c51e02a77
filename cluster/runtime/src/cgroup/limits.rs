//! Limits in the words of each version.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::resources::Resources;

const DEFAULT_PERIOD: u64 = 100_000;
const V2_CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];

fn write(directory: &Path, file: &str, value: impl ToString) -> io::Result<()> {
    fs::write(directory.join(file), value.to_string())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", directory.join(file).display())))
}

/// v2's weight (1 to 10000) for v1's shares (2 to 262144), so that the defaults 1024 and 100 meet in
/// the middle of both scales. Kubernetes' own formula.
pub(super) fn weight(shares: u64) -> u64 {
    if shares == 0 { 0 } else { 1 + ((shares.clamp(2, 262_144) - 2) * 9999) / 262_142 }
}

fn or_max(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

pub(super) fn apply_v2(directory: &Path, resources: &Resources) -> io::Result<()> {
    if let Some(shares) = resources.cpu_shares.filter(|shares| *shares > 0) {
        write(directory, "cpu.weight", weight(shares))?;
    }
    if resources.cpu_quota.is_some() || resources.cpu_period.is_some() {
        let quota = resources.cpu_quota.filter(|quota| *quota != 0).unwrap_or(-1);
        let period = resources.cpu_period.unwrap_or(DEFAULT_PERIOD);
        write(directory, "cpu.max", format!("{} {period}", or_max(quota)))?;
    }
    if let Some(cpus) = &resources.cpuset_cpus {
        write(directory, "cpuset.cpus", cpus)?;
    }
    if let Some(limit) = resources.memory_limit.filter(|limit| *limit != 0) {
        write(directory, "memory.max", or_max(limit))?;
    }
    if let Some(limit) = resources.pids_limit.filter(|limit| *limit != 0) {
        write(directory, "pids.max", or_max(limit))?;
    }
    Ok(())
}

pub(super) fn apply_v1(path: impl Fn(&str) -> Option<PathBuf>, resources: &Resources) -> io::Result<()> {
    if let Some(directory) = path("cpu") {
        if let Some(shares) = resources.cpu_shares.filter(|shares| *shares > 0) {
            write(&directory, "cpu.shares", shares)?;
        }
        if let Some(period) = resources.cpu_period.filter(|period| *period > 0) {
            write(&directory, "cpu.cfs_period_us", period)?;
        }
        if let Some(quota) = resources.cpu_quota.filter(|quota| *quota != 0) {
            write(&directory, "cpu.cfs_quota_us", quota)?;
        }
    }
    if let (Some(cpus), Some(directory)) = (&resources.cpuset_cpus, path("cpuset")) {
        write(&directory, "cpuset.cpus", cpus)?;
    }
    if let (Some(limit), Some(directory)) = (resources.memory_limit.filter(|limit| *limit != 0), path("memory")) {
        write(&directory, "memory.limit_in_bytes", limit)?;
    }
    if let (Some(limit), Some(directory)) = (resources.pids_limit.filter(|limit| *limit != 0), path("pids")) {
        write(&directory, "pids.max", or_max(limit))?;
    }
    Ok(())
}

/// Lets groups below `path` have limits: v2 wants each level to say so for the next.
pub(super) fn enable_controllers(mount: &Path, path: &Path) -> io::Result<()> {
    let Ok(relative) = path.strip_prefix(mount) else { return Ok(()) };
    let available = fs::read_to_string(mount.join("cgroup.controllers"))?;
    let wanted: String = V2_CONTROLLERS
        .iter()
        .filter(|controller| available.split_whitespace().any(|name| name == **controller))
        .map(|controller| format!("+{controller} "))
        .collect();
    let mut directory = mount.to_owned();
    for component in std::iter::once(None).chain(relative.components().map(Some)) {
        directory.extend(component);
        write(&directory, "cgroup.subtree_control", wanted.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_in_each_versions_words() {
        let dir = tempfile::tempdir().unwrap();
        let resources = Resources {
            cpu_quota: Some(50_000),
            cpu_shares: Some(1024),
            memory_limit: Some(-1),
            pids_limit: Some(10),
            ..Resources::default()
        };
        apply_v2(dir.path(), &resources).unwrap();
        let read = |file| fs::read_to_string(dir.path().join(file)).unwrap();
        assert_eq!((read("cpu.max"), read("cpu.weight")), ("50000 100000".to_owned(), "39".to_owned()));
        assert_eq!((read("memory.max"), read("pids.max")), ("max".to_owned(), "10".to_owned()));
        apply_v1(|_| Some(dir.path().to_owned()), &resources).unwrap();
        assert_eq!((read("cpu.cfs_quota_us"), read("memory.limit_in_bytes")), ("50000".to_owned(), "-1".to_owned()));
        assert_eq!((weight(2), weight(262_144), weight(1 << 40)), (1, 10_000, 10_000));
    }
}
