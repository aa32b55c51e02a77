//! The pod's shim: a small process between the server and a pod's containers.
//!
//! The server starts one for each sandbox: this same program, executed again. It has one thread,
//! because only then may it fork and enter namespaces; it leaves the server's session and control
//! group, so that it outlives the server; it is the reaper of all the pod's processes. It holds the
//! containers' output pipes and terminals and writes their logs, and puts each exit code on disk before
//! it tells anybody. The server talks to it over a socket in a directory that only root may enter
//! (never an abstract one: CVE-2020-15257); see `protocol`.
//!
//! Order of a start: [`run_if_requested`] → `boot` leaves the server → `pause` makes the pod's
//! namespaces → `server` answers requests. A container is started by a fork that runs `start` and
//! reports; a command by a fork that runs `enter`. Neither fork ever returns into the server loop.

mod boot;
mod enter;
mod enter_process;
mod launch;
mod log;
mod output;
mod pause;
pub(crate) mod protocol;
mod rootfs;
mod server;
mod start;
mod system;
mod traces;

use std::process::ExitCode;

pub(crate) use boot::{READY, spawn_arguments};
pub(crate) use system::read_only_copy;

/// Becomes a shim if this process was started as one; must come first in `main`, while the process
/// has a single thread.
pub fn run_if_requested() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != boot::COMMAND {
        return None;
    }
    Some(match (arguments.next(), arguments.next()) {
        (Some(directory), None) => boot::run(&directory),
        _ => ExitCode::from(boot::USAGE),
    })
}
