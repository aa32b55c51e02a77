//! Device nodes in the container and who may open which.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};
use serde_json::{Value, json};

use super::invalid;
use crate::cgroup::{DeviceKind, DeviceRule};
use crate::container::ContainerConfig;

/// The machine's nodes that even a privileged container gets its own of.
const NEVER_COPIED: [&str; 7] = ["pts", "shm", "fd", "mqueue", "console", "ptmx", ".lxc"];
/// Devices that every container may use; libcontainer makes their nodes.
const USUAL: [(u32, u32); 6] = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0)];
/// `/dev/console` and `/dev/ptmx` in the container, and its terminals.
const TERMINALS: [(u32, Option<u32>); 3] = [(5, Some(1)), (5, Some(2)), (136, None)];

/// A node to make.
struct Node {
    path: PathBuf,
    kind: DeviceKind,
    major: u32,
    minor: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    access: String,
}

/// The nodes beside the usual ones.
pub(super) fn nodes(config: &ContainerConfig) -> io::Result<Vec<Value>> {
    let describe = |node: &Node| {
        json!({
            "path": node.path, "type": letter(node.kind), "major": node.major, "minor": node.minor,
            "fileMode": node.mode, "uid": node.uid, "gid": node.gid,
        })
    };
    Ok(wanted(config)?.iter().map(describe).collect())
}

/// Which devices may be used: those listed and no others. `None` is all, for a privileged container.
pub(crate) fn allowed(config: &ContainerConfig) -> io::Result<Option<Vec<DeviceRule>>> {
    if config.security.privileged {
        return Ok(None);
    }
    let rule =
        |kind, major, minor, access: &str| DeviceRule { kind: Some(kind), major, minor, access: access.to_owned() };
    // Nodes may be made, as `tar` does; that does not open them.
    let mut rules = vec![rule(DeviceKind::Character, None, None, "m"), rule(DeviceKind::Block, None, None, "m")];
    let usual = USUAL.iter().map(|(major, minor)| (*major, Some(*minor)));
    rules.extend(usual.chain(TERMINALS).map(|(major, minor)| rule(DeviceKind::Character, Some(major), minor, "rwm")));
    rules.extend(wanted(config)?.iter().map(|node| rule(node.kind, Some(node.major), Some(node.minor), &node.access)));
    Ok(Some(rules))
}

/// The same in the specification's words: nothing, then what is allowed.
pub(super) fn rules(config: &ContainerConfig) -> io::Result<Vec<Value>> {
    let Some(allowed) = allowed(config)? else { return Ok(vec![json!({"allow": true, "access": "rwm"})]) };
    let mut rules = vec![json!({"allow": false, "access": "rwm"})];
    rules.extend(allowed.iter().map(|rule| {
        let mut value = json!({"allow": true, "access": rule.access});
        if let Some(kind) = rule.kind {
            value["type"] = json!(letter(kind));
        }
        if let Some(major) = rule.major {
            value["major"] = json!(major);
        }
        if let Some(minor) = rule.minor {
            value["minor"] = json!(minor);
        }
        value
    }));
    Ok(rules)
}

fn letter(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Block => "b",
        DeviceKind::Character => "c",
    }
}

fn wanted(config: &ContainerConfig) -> io::Result<Vec<Node>> {
    let mut nodes = Vec::new();
    if config.security.privileged {
        collect(Path::new("/dev"), &mut nodes)?;
    }
    for device in &config.devices {
        if device.permissions.is_empty() || !device.permissions.bytes().all(|byte| b"rwm".contains(&byte)) {
            return Err(invalid(format!("device permissions `{}`", device.permissions.escape_debug())));
        }
        let found = node(&device.host_path, &device.container_path, &device.permissions)?;
        let found = found.ok_or_else(|| invalid(format!("{} is not a device", device.host_path.display())))?;
        nodes.retain(|node: &Node| node.path != found.path);
        nodes.push(found);
    }
    Ok(nodes)
}

fn collect(directory: &Path, nodes: &mut Vec<Node>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if NEVER_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, nodes)?;
        } else {
            nodes.extend(node(&path, &path, "rwm")?);
        }
    }
    Ok(())
}

fn node(host: &Path, container: &Path, access: &str) -> io::Result<Option<Node>> {
    let metadata = match std::fs::symlink_metadata(host) {
        Ok(metadata) => metadata,
        Err(error) => return Err(io::Error::new(error.kind(), format!("device {}: {error}", host.display()))),
    };
    let kind = match metadata.file_type() {
        kind if kind.is_char_device() => DeviceKind::Character,
        kind if kind.is_block_device() => DeviceKind::Block,
        _ => return Ok(None),
    };
    Ok(Some(Node {
        path: container.to_owned(),
        kind,
        major: major(metadata.rdev()),
        minor: minor(metadata.rdev()),
        mode: metadata.mode() & 0o777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        access: access.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Device, Security};

    #[test]
    fn the_list_of_devices_is_an_allow_list() {
        // GHSA-g54h-m393-cpwq
        let rules = rules(&ContainerConfig::default()).unwrap();
        assert_eq!(rules[0], json!({"allow": false, "access": "rwm"}));
        let blocks = rules.iter().filter(|rule| rule["type"] == "b").collect::<Vec<_>>();
        assert_eq!(blocks, [&json!({"allow": true, "type": "b", "access": "m"})]);
        let device = Device { host_path: "/dev/null".into(), container_path: "/dev/x".into(), permissions: "r".into() };
        let config = ContainerConfig { devices: vec![device.clone()], ..ContainerConfig::default() };
        assert_eq!(nodes(&config).unwrap()[0]["path"], "/dev/x");
        let not_a_device = Device { host_path: "/etc/passwd".into(), ..device };
        assert!(nodes(&ContainerConfig { devices: vec![not_a_device], ..ContainerConfig::default() }).is_err());
    }

    #[test]
    fn a_privileged_container_gets_the_machines_nodes() {
        let security = Security { privileged: true, ..Security::default() };
        let nodes = nodes(&ContainerConfig { security, ..ContainerConfig::default() }).unwrap();
        assert!(nodes.iter().any(|node| node["path"] == "/dev/null"));
        assert!(!nodes.iter().any(|node| node["path"] == "/dev/ptmx"));
    }
}
