//! What a cluster could leave on the host: things that namespaces do not take with them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The cgroups that carry a cluster's name.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    cgroups: BTreeSet<PathBuf>,
}

impl Traces {
    /// The traces of `cluster` at this moment.
    pub fn of(cluster: &str) -> Self {
        let mut cgroups = BTreeSet::new();
        collect(Path::new("/sys/fs/cgroup"), cluster, 3, &mut cgroups);
        Self { cgroups }
    }

    /// Compares with the traces of another moment.
    ///
    /// # Panics
    ///
    /// If they differ.
    #[track_caller]
    pub fn assert_same(&self, before: &Self) {
        let left: Vec<_> = self.cgroups.difference(&before.cgroups).collect();
        assert!(left.is_empty(), "cgroups are left: {left:?}");
    }

    /// Removes the cgroups of `cluster`, children first; for tests that failed half-way.
    pub fn remove_cgroups(cluster: &str) {
        for top in Self::of(cluster).cgroups {
            remove(&top);
        }
    }
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(of) else {
        return Vec::new();
    };
    entries.flatten().filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path()).collect()
}

fn collect(folder: &Path, cluster: &str, depth: u32, found: &mut BTreeSet<PathBuf>) {
    for path in folders(folder) {
        if path.file_name().is_some_and(|name| name.to_string_lossy().contains(cluster)) {
            found.insert(path);
        } else if depth > 0 {
            collect(&path, cluster, depth - 1, found);
        }
    }
}

fn remove(cgroup: &Path) {
    for child in folders(cgroup) {
        remove(&child);
    }
    let _ = std::fs::remove_dir(cgroup);
}
