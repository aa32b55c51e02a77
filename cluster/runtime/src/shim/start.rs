//! Starts a container, in a fork of the shim.
//!
//! Mounts, user, specification, then libcontainer, whose own children become the shim's
//! (`as_sibling`). The container's command is executed by [`Launcher`], which says why if that fails.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::error::LibcontainerError;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};
use rustix::pipe::{PipeFlags, pipe_with};

use super::protocol::Inbox;
use super::traces::Traces;
use super::{enter_process, rootfs, system};
use crate::cgroup::Cgroups;
use crate::container::ContainerConfig;
use crate::record::{ContainerDir, ContainerRecord, SandboxRecord};
use crate::spec::{self, Input, user};

/// What a start needs.
pub(super) struct Start<'a> {
    pub(super) sandbox: &'a SandboxRecord,
    pub(super) record: &'a ContainerRecord,
    pub(super) dir: &'a ContainerDir,
    pub(super) cgroups: &'a Cgroups,
    pub(super) pause: i32,
}

/// The container's standard streams; none with a terminal.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// A started process.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: i32,
    pub(super) terminal: Option<OwnedFd>,
}

/// Starts the container; answers when its command runs.
pub(super) fn start(start: &Start<'_>, streams: Streams) -> io::Result<Started> {
    system::reset_signals();
    prepare(start)?;
    let traces = Traces::listen()?;
    let started = run(start, streams);
    started.map_err(|error| traces.explain(&error))
}

fn run(start: &Start<'_>, streams: Streams) -> io::Result<Started> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let console = if start.record.config.tty { Some(listen(start.dir)?) } else { None };
    let pid = create(start, streams, Launcher::new(&start.record.config, writer)?)?;
    let terminal = console.map(|console| receive_terminal(&console)).transpose()?;
    match read_text(&reader)? {
        error if error.is_empty() => Ok(Started { pid, terminal }),
        error => Err(io::Error::other(error)),
    }
}

fn prepare(start: &Start<'_>) -> io::Result<()> {
    let rootfs = start.dir.rootfs();
    rootfs::mount_all(start.dir, start.record, start.pause, !start.sandbox.config.host_ipc)?;
    let security = &start.record.config.security;
    let user = user::resolve(&rootfs, security, &start.record.image.config.user)?;
    let input = Input {
        sandbox: start.sandbox,
        container: start.record,
        dir: start.dir,
        cgroups: start.cgroups,
        pause: start.pause,
        user: &user,
        oom_score: start.record.config.resources.oom_score_adj.map(possible_oom_score).transpose()?,
    };
    let spec = spec::build(&input)?;
    let directory = spec["process"]["cwd"].as_str().unwrap_or("/");
    rootfs::make_working_dir(&rootfs, directory, user.uid, user.gid)?;
    fs::write(start.dir.spec(), spec.to_string())
}

/// The nearest that may be set: only a privileged process may lower it.
fn possible_oom_score(wanted: i32) -> io::Result<i32> {
    const FILE: &str = "/proc/self/oom_score_adj";
    let wanted = wanted.clamp(-1000, 1000);
    match fs::write(FILE, wanted.to_string()) {
        Ok(()) => Ok(wanted),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::read_to_string(FILE)?.trim().parse().map_err(io::Error::other)
        }
        Err(error) => Err(error),
    }
}

/// Lets libcontainer make the container and tells it to go; answers its first process.
fn create(start: &Start<'_>, streams: Streams, launcher: Launcher) -> io::Result<i32> {
    // libcontainer wants a directory to come back to.
    std::env::set_current_dir("/")?;
    let failed = |error: LibcontainerError| io::Error::other(explain(&error));
    let mut builder = ContainerBuilder::new(start.record.id.to_string(), SyscallType::Linux)
        .with_root_path(start.dir.libcontainer())
        .map_err(failed)?
        .with_executor(launcher);
    if start.record.config.tty {
        builder = builder.with_console_socket(Some(start.dir.console()));
    }
    if let Some(stdin) = streams.stdin {
        builder = builder.with_stdin(stdin);
    }
    if let Some(stdout) = streams.stdout {
        builder = builder.with_stdout(stdout);
    }
    if let Some(stderr) = streams.stderr {
        builder = builder.with_stderr(stderr);
    }
    let builder = builder.as_init(start.dir.bundle()).as_sibling(true).with_systemd(false).with_detach(true);
    let mut container = builder.build().map_err(failed)?;
    let pid = container.pid().ok_or_else(|| io::Error::other("the container has no process"))?;
    if let Some(devices) = spec::allowed_devices(&start.record.config)? {
        let restricted = start.cgroups.restrict_devices(&start.record.cgroup, &devices);
        restricted.map_err(|error| io::Error::new(error.kind(), format!("restrict devices: {error}")))?;
    }
    container.start().map_err(failed)?;
    Ok(pid.as_raw())
}

/// The whole chain of an error, each cause once.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

fn listen(dir: &ContainerDir) -> io::Result<UnixListener> {
    // Bound by its short name: paths of sockets are short.
    std::env::set_current_dir(dir.path())?;
    let path = dir.console();
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    UnixListener::bind(name)
}

fn receive_terminal(console: &UnixListener) -> io::Result<OwnedFd> {
    let (socket, _) = console.accept()?;
    receive_file(&socket)
}

fn receive_file(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut inbox = Inbox::default();
    inbox.receive(socket)?;
    inbox.file().ok_or_else(|| io::Error::other("the container sent no terminal"))
}

/// Reads text until everybody who could write has gone.
pub(super) fn read_text(reader: &OwnedFd) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match rustix::io::read(reader, &mut buffer[..]) {
            Ok(0) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Executes the container's command as its first process. libcontainer's own would take a program
/// that only its owner may execute for a missing one, and its error would be lost.
#[derive(Debug, Clone)]
struct Launcher {
    /// Closes by itself when the command runs; carries the reason if it cannot.
    errors: Arc<OwnedFd>,
    /// What the container has at `/dev` instead of its own devices.
    devices: Option<Arc<OwnedFd>>,
}

impl Launcher {
    /// libcontainer fills whatever is mounted at `/dev`, which must not be the machine's: such a
    /// mount comes last, from inside, where only a privileged container may make one.
    fn new(config: &ContainerConfig, errors: OwnedFd) -> io::Result<Self> {
        let devices = match config.mounts.iter().find(|mount| mount.container_path == Path::new("/dev")) {
            None => None,
            Some(_) if !config.security.privileged => {
                let problem = "a mount at /dev needs a privileged container";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
            }
            Some(mount) => Some(Arc::new(system::copy_of_mounts(&mount.host_path, mount.readonly)?)),
        };
        Ok(Self { errors: Arc::new(errors), devices })
    }

    fn launch(&self, spec: &Spec) -> Result<(), ExecutorError> {
        if let Some(devices) = &self.devices {
            move_mount(devices, "", CWD, "/dev", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
                .map_err(|error| ExecutorError::Other(format!("mount /dev: {error}")))?;
        }
        let process = spec.process().as_ref().ok_or(ExecutorError::InvalidArg)?;
        let arguments = strings(process.args().as_deref())?;
        let environment = strings(process.env().as_deref())?;
        Err(ExecutorError::Other(enter_process::execute(&arguments, &environment).to_string()))
    }
}

impl Executor for Launcher {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        self.launch(spec).inspect_err(|error| {
            let _ = rustix::io::write(&*self.errors, error.to_string().as_bytes()); // nobody else would hear it
        })
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(()) // exec says precisely what is wrong
    }

    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(()) // the command gets exactly what the specification says
    }
}

fn strings(list: Option<&[String]>) -> Result<Vec<CString>, ExecutorError> {
    let strings = list.unwrap_or_default().iter().map(|text| CString::new(text.as_str()));
    strings.collect::<Result<_, _>>().map_err(|_| ExecutorError::InvalidArg)
}
