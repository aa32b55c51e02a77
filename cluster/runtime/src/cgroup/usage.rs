//! What a group has used, and whether the kernel had to kill in it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::Cgroups;
use crate::resources::Usage;

impl Cgroups {
    /// The counters of a group; what it does not have counts zero.
    pub(crate) fn usage(&self, group: &str) -> Usage {
        let at = |controller: &str| self.path(controller, group).unwrap_or_default();
        if self.is_v2() { usage_v2(&at("")) } else { usage_v1(&at("cpuacct"), &at("memory"), &at("pids")) }
    }

    /// How many processes in the group the kernel killed for want of memory.
    pub(crate) fn oom_kills(&self, group: &str) -> u64 {
        let Some(directory) = self.path("memory", group) else { return 0 };
        let file = if self.is_v2() { "memory.events" } else { "memory.oom_control" };
        table(&directory, file).get("oom_kill").copied().unwrap_or(0)
    }
}

fn usage_v2(group: &Path) -> Usage {
    let memory = table(group, "memory.stat");
    let current = number(group, "memory.current");
    Usage {
        cpu_nanos: table(group, "cpu.stat").get("usage_usec").copied().unwrap_or(0).saturating_mul(1000),
        memory_bytes: current,
        memory_working_set_bytes: current.saturating_sub(memory.get("inactive_file").copied().unwrap_or(0)),
        memory_rss_bytes: memory.get("anon").copied().unwrap_or(0),
        pids: number(group, "pids.current"),
    }
}

fn usage_v1(cpuacct: &Path, memory: &Path, pids: &Path) -> Usage {
    let table = table(memory, "memory.stat");
    let current = number(memory, "memory.usage_in_bytes");
    Usage {
        cpu_nanos: number(cpuacct, "cpuacct.usage"),
        memory_bytes: current,
        memory_working_set_bytes: current.saturating_sub(table.get("total_inactive_file").copied().unwrap_or(0)),
        memory_rss_bytes: table.get("total_rss").copied().unwrap_or(0),
        pids: number(pids, "pids.current"),
    }
}

fn number(directory: &Path, file: &str) -> u64 {
    fs::read_to_string(directory.join(file)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn table(directory: &Path, file: &str) -> HashMap<String, u64> {
    let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
    let row = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_version_2_are_read() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("cpu.stat", "usage_usec 12\nuser_usec 1\n"),
            ("memory.current", "4096\n"),
            ("memory.stat", "anon 1000\ninactive_file 96\n"),
            ("pids.current", "3\n"),
        ] {
            fs::write(dir.path().join(file), text).unwrap();
        }
        let want = Usage {
            cpu_nanos: 12_000,
            memory_bytes: 4096,
            memory_working_set_bytes: 4000,
            memory_rss_bytes: 1000,
            pids: 3,
        };
        assert_eq!(usage_v2(dir.path()), want);
    }
}
