//! How a shim leaves the server and comes up.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::Mode;

use super::server::Shim;
use super::{pause, system};
use crate::cgroup::Cgroups;
use crate::record::{SOCKET, SandboxDir};

/// The hidden command by which a program becomes a shim.
pub(super) const COMMAND: &str = "shim";
/// The exit code for wrong arguments.
pub(super) const USAGE: u8 = 2;
/// What a shim says when it answers requests; anything else it says is why it could not.
pub(crate) const READY: &str = "ready\n";

/// The arguments by which a program becomes the shim of the sandbox in `directory`.
pub(crate) fn spawn_arguments(directory: &Path) -> [OsString; 2] {
    [COMMAND.into(), directory.into()]
}

/// Leaves the server and serves the sandbox; answers in the process that the server waits for.
pub(super) fn run(directory: &OsStr) -> ExitCode {
    match system::fork() {
        Err(error) => {
            say(&format!("cannot fork: {error}"));
            ExitCode::FAILURE
        }
        Ok(Some(_shim)) => ExitCode::SUCCESS,
        Ok(None) => {
            let dir = SandboxDir::new(PathBuf::from(directory));
            match come_up(&dir) {
                // Who asked for this pod may be gone, and then nobody knows of it.
                Ok(shim) if say(READY) => {
                    match detach_streams(&dir) {
                        Ok(()) => shim.serve(),
                        Err(error) => eprint_to_log(&error),
                    }
                    ExitCode::SUCCESS
                }
                Ok(_unwanted) => ExitCode::FAILURE,
                Err(error) => {
                    say(&error.to_string());
                    ExitCode::FAILURE
                }
            }
        }
    }
}

/// Says something to the server: on standard output, which it reads until the shim lets go of it.
/// `false` if it is gone.
fn say(text: &str) -> bool {
    io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()).is_ok()
}

fn eprint_to_log(error: &io::Error) {
    let _ = writeln!(io::stderr(), "{} {error}", jiff::Timestamp::now()); // the last resort
}

fn come_up(dir: &SandboxDir) -> io::Result<Shim> {
    let step = |step: &'static str| move |error: io::Error| io::Error::new(error.kind(), format!("{step}: {error}"));
    rustix::process::setsid().map_err(|error| step("leave the session")(error.into()))?;
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    rustix::thread::set_name(c"kpkg-shim")?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    std::env::set_current_dir(dir.path()).map_err(step("enter the sandbox's directory"))?;
    let record = dir.read().map_err(step("read the sandbox's record"))?;
    let record = record.ok_or_else(|| step("read the sandbox's record")(io::ErrorKind::NotFound.into()))?;
    let cgroups = Cgroups::detect()?;
    cgroups.join_everywhere(&record.shims_cgroup).map_err(step("join the shims' control group"))?;
    let signals = system::signal_file().map_err(step("block signals"))?;
    let pause = pause::start(dir, &record.config)?;
    // The path is relative, because paths of sockets are short.
    let listener = UnixListener::bind(SOCKET).map_err(step("make the socket"))?;
    std::fs::set_permissions(SOCKET, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(Shim::new(dir.clone(), record, cgroups, listener, signals, pause))
}

/// Lets go of the server's pipes. What goes wrong later is written to the sandbox's own file.
fn detach_streams(dir: &SandboxDir) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let log = File::options().create(true).append(true).open(dir.log())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&log)?;
    Ok(())
}
