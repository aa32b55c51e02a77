//! Where the hierarchies are mounted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// The machine's hierarchies.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups {
    pub(super) hierarchies: Hierarchies,
}

#[derive(Debug, Clone)]
pub(super) enum Hierarchies {
    /// One hierarchy for all controllers.
    V2(PathBuf),
    /// Mounts by controller; named ones (`systemd`) and an empty v2 (`unified`) by their directory.
    V1(BTreeMap<String, PathBuf>),
}

impl Cgroups {
    /// Looks which version this machine uses.
    pub(crate) fn detect() -> io::Result<Self> {
        let hierarchies = parse(&fs::read_to_string("/proc/self/mountinfo")?);
        let hierarchies = hierarchies.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no control groups are mounted at {ROOT}"))
        })?;
        Ok(Self { hierarchies })
    }

    /// Whether the one hierarchy of version 2 has all controllers.
    pub(crate) fn is_v2(&self) -> bool {
        matches!(self.hierarchies, Hierarchies::V2(_))
    }
}

fn parse(mountinfo: &str) -> Option<Hierarchies> {
    let mut v1 = BTreeMap::new();
    for line in mountinfo.lines() {
        let (left, right) = line.split_once(" - ")?;
        let mount = Path::new(left.split(' ').nth(4)?);
        if !mount.starts_with(ROOT) {
            continue;
        }
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1).unwrap_or_default());
        match kind {
            "cgroup2" if mount == Path::new(ROOT) => return Some(Hierarchies::V2(mount.to_owned())),
            "cgroup2" => {
                v1.insert("unified".to_owned(), mount.to_owned());
            }
            "cgroup" => {
                for controller in controllers(options) {
                    v1.insert(controller.to_owned(), mount.to_owned());
                }
            }
            _ => {}
        }
    }
    v1.contains_key("memory").then_some(Hierarchies::V1(v1))
}

/// The controllers among a v1 mount's options.
fn controllers(options: &str) -> impl Iterator<Item = &str> {
    options.split(',').filter_map(|option| match option {
        "rw" | "ro" | "xattr" | "clone_children" | "noprefix" | "none" => None,
        other if other.starts_with("release_agent=") => None,
        other => Some(other.strip_prefix("name=").unwrap_or(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_recognised() {
        let v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        assert!(matches!(parse(v2), Some(Hierarchies::V2(mount)) if mount == Path::new(ROOT)));
        let v1 = "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            32 30 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
            33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
            34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let Some(Hierarchies::V1(mounts)) = parse(v1) else { panic!("not v1") };
        let names: Vec<_> = mounts.keys().map(String::as_str).collect();
        assert_eq!(names, ["cpu", "cpuacct", "memory", "systemd", "unified"]);
        assert_eq!(mounts["cpu"], mounts["cpuacct"]);
        assert!(parse("1 0 8:1 / / rw - ext4 /dev/sda rw").is_none());
    }
}
