//! From a container's record to the OCI specification that libcontainer runs.
//!
//! The specification is made by the shim when the container starts, because it depends on the
//! image's files (who is `www-data`?) and on the pod's living namespaces. Everything here is a pure
//! function except [`user`], which reads the root file system as a stranger's.

mod capabilities;
mod devices;
mod mounts;
mod paths;
mod process;
mod seccomp;
pub(crate) mod user;

pub(crate) use capabilities::ALL as ALL_CAPABILITIES;
pub(crate) use devices::allowed as allowed_devices;

use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cgroup::Cgroups;
use crate::record::{ContainerDir, ContainerRecord, SandboxRecord};
use user::User;

/// What the specification depends on.
pub(crate) struct Input<'a> {
    pub(crate) sandbox: &'a SandboxRecord,
    pub(crate) container: &'a ContainerRecord,
    pub(crate) dir: &'a ContainerDir,
    pub(crate) cgroups: &'a Cgroups,
    /// The process that holds the pod's namespaces.
    pub(crate) pause: i32,
    pub(crate) user: &'a User,
    /// How ready the kernel is to kill the container first.
    pub(crate) oom_score: Option<i32>,
}

impl Input<'_> {
    fn privileged(&self) -> bool {
        self.container.config.security.privileged
    }
}

/// Makes the specification.
pub(crate) fn build(input: &Input<'_>) -> io::Result<Value> {
    let security = &input.container.config.security;
    let mut linux = json!({
        "namespaces": namespaces(input),
        "cgroupsPath": input.container.cgroup,
        "resources": resources(input)?,
        "devices": devices::nodes(&input.container.config)?,
        "maskedPaths": paths::masked(security),
        "readonlyPaths": paths::readonly(security, input.cgroups),
    });
    if let Some(profile) = seccomp::profile(security)? {
        linux["seccomp"] = profile;
    }
    Ok(json!({
        "ociVersion": "1.2.0",
        "process": process::build(input)?,
        "root": {"path": input.dir.rootfs(), "readonly": security.read_only_rootfs},
        "mounts": mounts::build(input),
        "linux": linux,
    }))
}

fn namespaces(input: &Input<'_>) -> Vec<Value> {
    let sandbox = &input.sandbox.config;
    let of_pause = |name: &str| PathBuf::from(format!("/proc/{}/ns/{name}", input.pause));
    let mut namespaces = vec![json!({"type": "mount"}), json!({"type": "cgroup"})];
    if !sandbox.host_ipc {
        namespaces.push(json!({"type": "ipc", "path": of_pause("ipc")}));
    }
    if sandbox.hostname.is_some() {
        namespaces.push(json!({"type": "uts", "path": of_pause("uts")}));
    }
    if let Some(netns) = &sandbox.netns {
        namespaces.push(json!({"type": "network", "path": netns}));
    }
    if sandbox.share_process_namespace {
        namespaces.push(json!({"type": "pid", "path": of_pause("pid")}));
    } else if !sandbox.host_pid {
        namespaces.push(json!({"type": "pid"}));
    }
    namespaces
}

fn resources(input: &Input<'_>) -> io::Result<Value> {
    let limits = &input.container.config.resources;
    let mut cpu = json!({});
    if let Some(shares) = limits.cpu_shares.filter(|shares| *shares > 0) {
        cpu["shares"] = json!(shares);
    }
    if let Some(quota) = limits.cpu_quota.filter(|quota| *quota != 0) {
        cpu["quota"] = json!(quota);
        cpu["period"] = json!(limits.cpu_period.unwrap_or(100_000));
    }
    if let Some(cpus) = &limits.cpuset_cpus {
        cpu["cpus"] = json!(cpus);
    }
    let mut resources = json!({"devices": devices::rules(&input.container.config)?, "cpu": cpu});
    if let Some(limit) = limits.memory_limit.filter(|limit| *limit > 0) {
        resources["memory"] = json!({"limit": limit});
    }
    if let Some(limit) = limits.pids_limit.filter(|limit| *limit > 0) {
        resources["pids"] = json!({"limit": limit});
    }
    Ok(resources)
}

fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem.into())
}
