//! The kernel's switches under /proc/sys/net, and what of them was changed on the host.
//!
//! Forwarding has to be on for the interfaces that packets of pods pass. What a cluster turned
//! on is recorded under /run, which is emptied by the same reboot that resets the switches, and
//! shared by all clusters, because the last one to leave turns the switch off again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::Error;

const ROOT: &str = "/proc/sys/net";
const RECORD: &str = "forwarding.json";

/// Reads a switch such as `ipv4/conf/eth0/forwarding` in the calling thread's namespace.
pub(crate) fn get(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(ROOT).join(name)).ok().map(|text| text.trim().to_owned())
}

/// Sets a switch. One that the kernel does not have (IPv6 may be missing) is passed over.
pub(crate) fn set(name: &str, value: &str) -> Result<(), Error> {
    let path = Path::new(ROOT).join(name);
    match fs::write(&path, value) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("write", path, error)),
        _ => Ok(()),
    }
}

/// One switch that was off before the first cluster came.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Held {
    clusters: BTreeSet<String>,
}

/// The record shared by all clusters of this machine, locked while open.
struct Record {
    path: PathBuf,
    file: File,
    held: BTreeMap<String, Held>,
}

impl Record {
    fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        let path = folder.join(RECORD);
        loop {
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)
                .map_err(|e| Error::file("open", &path, e))?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|e| Error::file("lock", &path, e))?;
            // The last holder removes the file; then the lock was taken on a ghost.
            if !path.exists() {
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(|e| Error::file("read", &path, e))?;
            let held = serde_json::from_str(&text).unwrap_or_default();
            return Ok(Self { path, file, held });
        }
    }

    fn save(mut self) -> Result<(), Error> {
        if self.held.is_empty() {
            fs::remove_file(&self.path).map_err(|e| Error::file("remove", &self.path, e))?;
            // Only goes when nothing else is inside.
            let _ = self.path.parent().map(fs::remove_dir);
            return Ok(());
        }
        let text = serde_json::to_vec(&self.held).expect("a map of strings is JSON");
        self.file
            .rewind()
            .and_then(|()| self.file.set_len(0))
            .and_then(|()| self.file.write_all(&text))
            .map_err(|e| Error::file("write", &self.path, e))
    }
}

/// Turns forwarding on for these interfaces, in `cluster`'s name. Says which were off.
pub(crate) fn hold_forwarding(folder: &Path, cluster: &str, interfaces: &[String]) -> Result<Vec<String>, Error> {
    let mut record = Record::open(folder)?;
    let mut turned_on = Vec::new();
    for interface in interfaces {
        let name = forwarding(interface);
        let off = get(&name).as_deref() == Some("0");
        if off {
            set(&name, "1")?;
            turned_on.push(interface.clone());
        }
        // On before any of us came: not ours to turn off later.
        if off || record.held.contains_key(interface) {
            record.held.entry(interface.clone()).or_default().clusters.insert(cluster.to_owned());
        }
    }
    record.save()?;
    Ok(turned_on)
}

/// Ends `cluster`'s hold; what nobody holds any more is turned off again.
pub(crate) fn release_forwarding(folder: &Path, cluster: &str) -> Result<(), Error> {
    if !folder.join(RECORD).exists() {
        return Ok(());
    }
    let mut record = Record::open(folder)?;
    let mut free = Vec::new();
    for (interface, held) in &mut record.held {
        held.clusters.remove(cluster);
        if held.clusters.is_empty() {
            free.push(interface.clone());
        }
    }
    for interface in free {
        record.held.remove(&interface);
        set(&forwarding(&interface), "0")?;
    }
    record.save()
}

fn forwarding(interface: &str) -> String {
    format!("ipv4/conf/{interface}/forwarding")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_without_interface_is_passed_over_and_leaves_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("run");
        let none = hold_forwarding(&folder, "a", &["no-such-link".to_owned()]).unwrap();
        assert!(none.is_empty());
        assert!(!folder.exists());
        release_forwarding(&folder, "a").unwrap();
    }
}
