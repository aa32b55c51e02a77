//! Control groups of pods and shims, in both versions of the kernel's interface.
//!
//! libcontainer makes the containers' own groups; this makes the pods' above them, moves shims,
//! changes limits later, and reads and kills what is inside.

mod devices;
mod limits;
mod mounts;
mod usage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::resources::Resources;

pub(crate) use devices::{DeviceKind, DeviceRule};
pub(crate) use mounts::Cgroups;
use mounts::Hierarchies;

/// Controllers that limit a pod as a whole.
const POD_CONTROLLERS: [&str; 4] = ["cpu", "cpuacct", "memory", "pids"];
const KILL_ROUNDS: u32 = 50;
const KILL_PAUSE: Duration = Duration::from_millis(2);

impl Cgroups {
    /// Makes a group in all hierarchies that pods need; no error if it is there.
    pub(crate) fn create(&self, group: &str) -> io::Result<()> {
        match &self.hierarchies {
            Hierarchies::V2(mount) => {
                let path = below(mount, group);
                fs::create_dir_all(&path)?;
                limits::enable_controllers(mount, &path)
            }
            Hierarchies::V1(_) => POD_CONTROLLERS
                .iter()
                .filter_map(|controller| self.path(controller, group))
                .try_for_each(fs::create_dir_all),
        }
    }

    /// Changes the limits of a group.
    pub(crate) fn apply(&self, group: &str, resources: &Resources) -> io::Result<()> {
        match &self.hierarchies {
            Hierarchies::V2(mount) => limits::apply_v2(&below(mount, group), resources),
            Hierarchies::V1(_) => limits::apply_v1(|controller| self.path(controller, group), resources),
        }
    }

    /// Moves this process into a group of every hierarchy, so that it does not end with the service
    /// that started it.
    pub(crate) fn join_everywhere(&self, group: &str) -> io::Result<()> {
        // A new group of cpuset takes no process before it has CPUs; nothing is limited by staying out.
        for mount in self.all_mounts().into_iter().filter(|mount| Some(*mount) != self.mount_of("cpuset")) {
            let path = below(mount, group);
            fs::create_dir_all(&path)?;
            fs::write(path.join("cgroup.procs"), "0")?;
        }
        Ok(())
    }

    /// Moves this process into a container's group.
    pub(crate) fn join(&self, group: &str) -> io::Result<()> {
        for mount in self.all_mounts() {
            let path = below(mount, group).join("cgroup.procs");
            match fs::write(&path, "0") {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // libcontainer does not use this one
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// The processes in a group and all groups below it.
    pub(crate) fn processes(&self, group: &str) -> Vec<Pid> {
        let mut pids = Vec::new();
        for directory in self.directories(group) {
            collect_processes(&directory, &mut pids);
        }
        pids.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
        pids.dedup();
        pids
    }

    /// Kills everything in a group and below it, however fast it forks. Returns when nothing is left,
    /// or with an error when something cannot die.
    pub(crate) fn kill(&self, group: &str) -> io::Result<()> {
        for round in 0..KILL_ROUNDS {
            self.kill_once(group);
            if self.processes(group).is_empty() {
                return Ok(());
            }
            if round > 0 {
                std::thread::sleep(KILL_PAUSE * round); // there is no event for an empty v1 group
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("processes in {group} do not die")))
    }

    /// Sends one round of kills without waiting for the end.
    pub(crate) fn kill_once(&self, group: &str) {
        if let Hierarchies::V2(mount) = &self.hierarchies
            && fs::write(below(mount, group).join("cgroup.kill"), "1").is_ok()
        {
            return;
        }
        // Frozen processes cannot fork away while the list is read.
        let freezer = self.path("freezer", group).map(|path| path.join("freezer.state"));
        if let Some(freezer) = &freezer {
            let _ = fs::write(freezer, "FROZEN"); // without a freezer the rounds do it
        }
        for pid in self.processes(group) {
            let _ = kill_process(pid, Signal::KILL); // it may have ended meanwhile
        }
        if let Some(freezer) = &freezer {
            let _ = fs::write(freezer, "THAWED");
        }
    }

    /// Removes an empty group and all groups below it; no error if there is none.
    pub(crate) fn remove(&self, group: &str) -> io::Result<()> {
        for directory in self.directories(group).collect::<Vec<_>>() {
            remove_groups(&directory)?;
        }
        Ok(())
    }

    /// Where a group lies in a v1 hierarchy.
    fn path(&self, controller: &str, group: &str) -> Option<PathBuf> {
        match &self.hierarchies {
            Hierarchies::V2(mount) => Some(below(mount, group)),
            Hierarchies::V1(mounts) => mounts.get(controller).map(|mount| below(mount, group)),
        }
    }

    /// Where a v1 controller is mounted.
    fn mount_of(&self, controller: &str) -> Option<&PathBuf> {
        match &self.hierarchies {
            Hierarchies::V2(_) => None,
            Hierarchies::V1(mounts) => mounts.get(controller),
        }
    }

    /// The group's directories that exist.
    fn directories(&self, group: &str) -> impl Iterator<Item = PathBuf> {
        self.all_mounts().into_iter().map(move |mount| below(mount, group)).filter(|path| path.is_dir())
    }

    fn all_mounts(&self) -> Vec<&PathBuf> {
        let mut mounts: Vec<&PathBuf> = match &self.hierarchies {
            Hierarchies::V2(mount) => vec![mount],
            Hierarchies::V1(mounts) => mounts.values().collect(),
        };
        mounts.sort();
        mounts.dedup();
        mounts
    }

    /// The hierarchies as `(name, directory of the group)`, for the view inside a container.
    pub(crate) fn views(&self, group: &str) -> Vec<(String, PathBuf)> {
        match &self.hierarchies {
            Hierarchies::V2(_) => Vec::new(),
            Hierarchies::V1(mounts) => mounts.iter().map(|(name, mount)| (name.clone(), below(mount, group))).collect(),
        }
    }
}

fn below(mount: &Path, group: &str) -> PathBuf {
    mount.join(group.trim_start_matches('/'))
}

fn collect_processes(directory: &Path, pids: &mut Vec<Pid>) {
    if let Ok(text) = fs::read_to_string(directory.join("cgroup.procs")) {
        pids.extend(text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)));
    }
    for child in children(directory) {
        collect_processes(&child, pids);
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn remove_groups(directory: &Path) -> io::Result<()> {
    for child in children(directory) {
        remove_groups(&child)?;
    }
    for attempt in 0..KILL_ROUNDS {
        match fs::remove_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // The last process has ended, but the kernel is still taking it out.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && attempt + 1 < KILL_ROUNDS => {
                std::thread::sleep(KILL_PAUSE);
            }
            outcome => return outcome,
        }
    }
    Ok(())
}
