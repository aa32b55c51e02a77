//! The commands, one file each; nested commands are folders.

use std::process::ExitCode;

use clap::Subcommand;

use crate::printer::Printer;

/// What `kpkg` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {}

/// Runs one command.
pub(crate) fn run(command: Command, _printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {}
}
