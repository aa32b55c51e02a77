//! The process that holds the pod's namespaces: it does nothing, can do nothing and sees nothing.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::read;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount};
use rustix::process::{DumpableBehavior, Pid, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, LinkNameSpaceType, Uid, UnshareFlags};

use super::system;
use crate::record::SandboxDir;
use crate::sandbox::SandboxConfig;

/// Kubernetes' user for processes without rights.
const NOBODY: u32 = 65535;
const DEFAULT_SHM: u64 = 64 << 20;

/// Starts the process; when this returns the namespaces are there.
pub(super) fn start(dir: &SandboxDir, config: &SandboxConfig) -> io::Result<Pid> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    if system::fork()?.is_none() {
        drop(reader);
        let error = match prepare(dir, config, &writer) {
            Ok(never) => match never {},
            Err(error) => error,
        };
        let _ = rustix::io::write(&writer, format!("E{error}").as_bytes()); // nobody else listens
        system::exit_now(1);
    }
    drop(writer);
    let said = read_all(&reader)?;
    let died = || io::Error::other("the pod's first process ended while its namespaces were made");
    match said.split_at_checked(1) {
        Some((b"P", number)) => {
            let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
            number.and_then(Pid::from_raw).ok_or_else(died)
        }
        Some((b"E", message)) => Err(io::Error::other(String::from_utf8_lossy(message).into_owned())),
        _ => Err(died()),
    }
}

fn read_all(reader: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = [0; 512];
    loop {
        match read(reader, &mut buffer[..]) {
            Ok(0) => return Ok(all),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

enum Never {}

fn step(name: &'static str) -> impl Fn(rustix::io::Errno) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{name}: {error}"))
}

fn prepare(dir: &SandboxDir, config: &SandboxConfig, ready: &OwnedFd) -> io::Result<Never> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_name(c"pause")?;
    make_namespaces(config)?;
    set_sysctls(config)?;
    enter_empty_root(dir, config)?;
    if config.share_process_namespace {
        unshare(UnshareFlags::NEWPID, "make the process namespace")?;
        // The namespace's first process is the next child; it is the shim's child as this one is.
        if let Some(first) = system::fork_sibling()? {
            report(ready, first)?;
            system::exit_now(0);
        }
        set_parent_process_death_signal(Some(Signal::KILL))?;
    } else {
        report(ready, rustix::process::getpid())?;
    }
    give_up_rights()?;
    system::reset_signals();
    system::ignore_children();
    system::close_from(0, None);
    system::sleep_for_ever()
}

fn report(ready: &OwnedFd, pid: Pid) -> io::Result<()> {
    rustix::io::write(ready, format!("P{}", pid.as_raw_nonzero()).as_bytes())?;
    Ok(())
}

fn unshare(flags: UnshareFlags, name: &'static str) -> io::Result<()> {
    system::unshare(flags).map_err(step(name))
}

fn make_namespaces(config: &SandboxConfig) -> io::Result<()> {
    let mut flags = UnshareFlags::NEWNS;
    if !config.host_ipc {
        flags |= UnshareFlags::NEWIPC;
    }
    if config.hostname.is_some() {
        flags |= UnshareFlags::NEWUTS;
    }
    unshare(flags, "make the pod's namespaces")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(step("part from the machine's mounts"))?;
    if let Some(hostname) = &config.hostname {
        rustix::system::sethostname(hostname.as_bytes()).map_err(step("set the host name"))?;
    }
    if let Some(netns) = &config.netns {
        let name = || format!("enter the network namespace {}", netns.display());
        let file = rustix::fs::openat(CWD, netns, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let file = file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", name())))?;
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(LinkNameSpaceType::Network))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", name())))?;
    }
    Ok(())
}

/// Sets kernel parameters, those only that belong to a namespace of the pod's own.
fn set_sysctls(config: &SandboxConfig) -> io::Result<()> {
    for (name, value) in &config.sysctls {
        if !is_namespaced(name, config) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("sysctl `{}` is not the pod's own", name.escape_debug()),
            ));
        }
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        std::fs::write(&path, value)
            .map_err(|error| io::Error::new(error.kind(), format!("sysctl `{name}`: {error}")))?;
    }
    Ok(())
}

fn is_namespaced(name: &str, config: &SandboxConfig) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) && !name.contains("..");
    let ipc = name.starts_with("kernel.shm")
        || name.starts_with("kernel.msg")
        || name == "kernel.sem"
        || name.starts_with("fs.mqueue.");
    plain && ((ipc && !config.host_ipc) || (name.starts_with("net.") && config.netns.is_some()))
}

/// Leaves all of the machine's files, for a root with nothing in it but the pod's `/shm`.
fn enter_empty_root(dir: &SandboxDir, config: &SandboxConfig) -> io::Result<()> {
    let root = dir.pause_root();
    let tight = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", &root, "tmpfs", tight, c"mode=755,size=4k").map_err(step("mount the pause process's root"))?;
    std::fs::create_dir(root.join("shm"))?;
    let size = config.shm_bytes.unwrap_or(DEFAULT_SHM);
    let options = std::ffi::CString::new(format!("mode=1777,size={size}"))?;
    mount("shm", root.join("shm"), "tmpfs", tight, options.as_c_str()).map_err(step("mount the pod's /dev/shm"))?;
    std::env::set_current_dir(&root)?;
    rustix::process::pivot_root(".", ".").map_err(step("change the root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(step("leave the machine's root"))?;
    std::env::set_current_dir("/")?;
    mount_remount("/", MountFlags::BIND | MountFlags::RDONLY | tight, c"").map_err(step("close the root"))
}

fn give_up_rights() -> io::Result<()> {
    let nobody = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    rustix::thread::set_no_new_privs(true)?;
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(nobody.1, nobody.1, nobody.1)?;
    rustix::thread::set_thread_res_uid(nobody.0, nobody.0, nobody.0)?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    // A change of user takes the signal back.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_of_the_pods_own_namespaces_can_be_set() {
        let own = SandboxConfig { netns: Some("/x".into()), ..SandboxConfig::default() };
        let host = SandboxConfig { host_ipc: true, ..SandboxConfig::default() };
        for name in ["net.core.somaxconn", "net.ipv4.ip_unprivileged_port_start", "kernel.shmmax", "fs.mqueue.msg_max"]
        {
            assert!(is_namespaced(name, &own), "{name}");
            assert!(!is_namespaced(name, &host), "{name}");
        }
        for name in ["vm.swappiness", "kernel.core_pattern", "net..core", "net./../kernel", "kernel.hostname", ""] {
            assert!(!is_namespaced(name, &own), "{name}");
        }
    }
}
