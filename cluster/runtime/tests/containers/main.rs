//! Real containers on this machine: needs root, busybox (`busybox-static`) and control groups.
//!
//! The tests live in mount and network namespaces of their own; each has its own directories and its
//! own control group, and takes all of it away at its end, also when it fails.
//!
//! With `KPKG_TEST_CGROUPS=v2` a machine that uses version 1 of control groups shows the tests its
//! version 2.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and says when it is skipped")]

mod commands;
mod confinement;
mod kit;
mod life;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    if let Some(code) = kpkg_runtime::shim::run_if_requested() {
        return code;
    }
    let arguments = Arguments::from_args();
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: these tests need root");
        return ExitCode::SUCCESS;
    }
    kit::leave_the_machine();
    let tests = [life::tests(), commands::tests(), confinement::tests()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, tests).exit_code()
}
