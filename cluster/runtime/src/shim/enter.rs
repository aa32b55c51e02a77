//! Runs a command in a running container, in a fork of the shim.
//!
//! libcontainer's own way would leave the container's filter of system calls behind; here a command
//! gets all the confinement that the container's specification says: control group, namespaces,
//! limits, user, groups, capabilities and filter, in the order in which each is still allowed to be
//! set. No file of the machine stays open in it.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use libcontainer::oci_spec::runtime::{LinuxSeccomp, Spec};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, pidfd_open, set_dumpable_behavior, setrlimit,
};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use super::protocol::{Inbox, send};
use super::start::{Started, Streams, read_text};
use super::{enter_process, system};
use crate::cgroup::Cgroups;

/// The major number of terminals' masters and the minor of `/dev/ptmx`.
const PTMX: (u32, u32) = (5, 2);
const FAILED: i32 = 126;
const ALL_NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP;

/// What a command needs.
pub(super) struct Enter<'a> {
    /// The container's first process.
    pub(super) target: Pid,
    /// The container's specification.
    pub(super) spec: &'a std::path::Path,
    pub(super) cgroups: &'a Cgroups,
    pub(super) cgroup: &'a str,
    pub(super) cmd: &'a [String],
    pub(super) tty: bool,
}

/// The container's specification as a command needs it, read before the machine is out of reach.
struct Plan {
    arguments: Vec<CString>,
    environment: Vec<CString>,
    directory: std::path::PathBuf,
    files: Option<u64>,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    capabilities: CapabilitySet,
    no_new_privs: bool,
    seccomp: Option<LinuxSeccomp>,
}

/// Starts the command; answers when it runs.
pub(super) fn enter(enter: &Enter<'_>, streams: Streams) -> io::Result<Started> {
    system::reset_signals();
    let plan = Plan::read(enter)?;
    enter.cgroups.join(enter.cgroup)?;
    let target = pidfd_open(enter.target, PidfdFlags::empty())?;
    let score = fs::read(format!("/proc/{}/oom_score_adj", enter.target.as_raw_nonzero()))?;
    fs::write("/proc/self/oom_score_adj", score)?;
    // Before anything inside could look at this process (CVE-2016-9962).
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    system::enter_namespaces(&target, ALL_NAMESPACES)
        .map_err(|error| io::Error::new(error.kind(), format!("enter the container: {error}")))?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let (ours, theirs) = UnixStream::pair()?;
    let Some(pid) = system::fork_sibling()? else {
        let Err(error) = become_command(&plan, enter.tty, streams, &theirs, &writer);
        let _ = rustix::io::write(&writer, error.to_string().as_bytes()); // nobody else would hear it
        system::exit_now(FAILED);
    };
    drop((writer, theirs, streams));
    let terminal = receive_terminal(&ours, enter.tty)?;
    match read_text(&reader)? {
        error if error.is_empty() => Ok(Started { pid: pid.as_raw_nonzero().get(), terminal }),
        error => Err(io::Error::other(error)),
    }
}

fn receive_terminal(socket: &UnixStream, tty: bool) -> io::Result<Option<OwnedFd>> {
    let mut inbox = Inbox::default();
    if tty {
        inbox.receive(socket)?;
    }
    Ok(inbox.file())
}

impl Plan {
    fn read(enter: &Enter<'_>) -> io::Result<Self> {
        let broken = |_| io::Error::new(io::ErrorKind::InvalidInput, "the command contains a zero byte");
        let spec: Spec = serde_json::from_slice(&fs::read(enter.spec)?)?;
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "the container's specification is incomplete");
        let process = spec.process().as_ref().ok_or_else(missing)?;
        let linux = spec.linux().as_ref().ok_or_else(missing)?;
        let user = process.user();
        let mut environment = process.env().clone().unwrap_or_default();
        if enter.tty && !environment.iter().any(|entry| entry.starts_with("TERM=")) {
            environment.push("TERM=xterm".to_owned());
        }
        let c_strings = |texts: &[String]| {
            texts.iter().map(|text| CString::new(text.as_str())).collect::<Result<Vec<_>, _>>().map_err(broken)
        };
        let bounding = process.capabilities().as_ref().and_then(|sets| sets.bounding().clone()).unwrap_or_default();
        let files = process.rlimits().iter().flatten().next().map(libcontainer::oci_spec::runtime::PosixRlimit::soft);
        Ok(Self {
            arguments: c_strings(enter.cmd)?,
            environment: c_strings(&environment)?,
            directory: process.cwd().clone(),
            files,
            uid: Uid::from_raw(user.uid()),
            gid: Gid::from_raw(user.gid()),
            groups: user.additional_gids().iter().flatten().map(|gid| Gid::from_raw(*gid)).collect(),
            capabilities: bounding.iter().filter_map(|name| bit(&name.to_string())).collect(),
            no_new_privs: process.no_new_privileges().unwrap_or(false),
            seccomp: linux.seccomp().clone(),
        })
    }
}

/// The bit of a capability by its name.
fn bit(name: &str) -> Option<CapabilitySet> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("CAP_").unwrap_or(&name);
    let number = crate::spec::ALL_CAPABILITIES.iter().position(|known| &known["CAP_".len()..] == name)?;
    CapabilitySet::from_bits(1 << number)
}

/// Becomes the command; returns only if that failed.
fn become_command(
    plan: &Plan,
    tty: bool,
    streams: Streams,
    terminal: &UnixStream,
    errors: &OwnedFd,
) -> Result<std::convert::Infallible, io::Error> {
    rustix::process::setsid()?;
    if tty {
        open_terminal(terminal)?;
    } else {
        connect(streams)?;
    }
    // Nothing of the machine stays open, before anything is looked up by a path (CVE-2024-21626).
    system::close_from(3, Some(errors.as_raw_fd()));
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    change_directory(&plan.directory)?;
    if let Some(files) = plan.files {
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) })?;
    }
    if plan.no_new_privs {
        rustix::thread::set_no_new_privs(true)?;
    } else {
        load_filter(plan)?; // the right to do so goes with the user
    }
    change_user(plan)?;
    if plan.no_new_privs {
        load_filter(plan)?;
    }
    Err(enter_process::execute(&plan.arguments, &plan.environment))
}

fn connect(streams: Streams) -> io::Result<()> {
    if let Some(stdin) = &streams.stdin {
        rustix::stdio::dup2_stdin(stdin)?;
    }
    if let Some(stdout) = &streams.stdout {
        rustix::stdio::dup2_stdout(stdout)?;
    }
    // Without a place of its own standard error would go to the shim's log.
    match (&streams.stderr, &streams.stdout) {
        (Some(stderr), _) => rustix::stdio::dup2_stderr(stderr)?,
        (None, Some(stdout)) => rustix::stdio::dup2_stderr(stdout)?,
        (None, None) => rustix::stdio::dup2_stderr(rustix::stdio::stdin())?,
    }
    Ok(())
}

/// Makes a terminal of the container's own and hands its other end out. What stands at `/dev/ptmx`
/// is the container's to choose, so it must be what it should (CVE-2025-52565).
fn open_terminal(handover: &UnixStream) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let master = rustix::fs::openat(CWD, "/dev/pts/ptmx", flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&master)?;
    let device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    if FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice || device != PTMX {
        return Err(io::Error::other("/dev/pts/ptmx of the container is not a terminal multiplexer"));
    }
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    send(handover, b"\n", &[master.as_fd()])?;
    system::control_terminal(&slave)?;
    rustix::stdio::dup2_stdin(&slave)?;
    rustix::stdio::dup2_stdout(&slave)?;
    rustix::stdio::dup2_stderr(&slave)?;
    Ok(())
}

fn change_directory(directory: &std::path::Path) -> io::Result<()> {
    std::env::set_current_dir(directory)
        .map_err(|error| io::Error::new(error.kind(), format!("change to {}: {error}", directory.display())))?;
    // The kernel says so if the directory is outside the root.
    match std::env::current_dir() {
        Ok(reached) if reached.is_absolute() => Ok(()),
        _ => Err(io::Error::other("the working directory is outside the container")),
    }
}

fn change_user(plan: &Plan) -> io::Result<()> {
    for number in 0..crate::spec::ALL_CAPABILITIES.len() {
        let Some(capability) = CapabilitySet::from_bits(1 << number) else { continue };
        if !plan.capabilities.contains(capability) {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                Err(Errno::INVAL) => {} // newer than this kernel
                outcome => outcome?,
            }
        }
    }
    rustix::thread::set_thread_groups(&plan.groups)?;
    rustix::thread::set_thread_res_gid(plan.gid, plan.gid, plan.gid)?;
    rustix::thread::set_thread_res_uid(plan.uid, plan.uid, plan.uid)?;
    let own = if plan.uid.is_root() { plan.capabilities } else { CapabilitySet::empty() };
    let sets = CapabilitySets { effective: own, permitted: own, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::clear_ambient_capability_set()?;
    Ok(())
}

fn load_filter(plan: &Plan) -> io::Result<()> {
    let Some(profile) = &plan.seccomp else { return Ok(()) };
    libcontainer::seccomp::initialize_seccomp(profile).map(drop).map_err(io::Error::other)
}
