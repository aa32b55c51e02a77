//! The commands, one file each; nested commands are folders.

mod cluster;

use std::process::ExitCode;

use clap::Subcommand;

use crate::printer::Printer;

/// What `kpkg` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Cluster(cluster::Args),
}

/// Runs one command.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        Command::Cluster(args) => cluster::run(args, printer),
    }
}
