//! `kpkg bundle`: charts with their images, for machines without a network.

mod create;
mod install;
mod transfer;

use std::process::ExitCode;

use anyhow::Result;

use crate::printer::Printer;

/// Put a chart and its images into one file, and install from it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Create(Box<create::Args>),
    Install(install::Args),
    /// Push a bundle to an OCI registry
    Push(Box<transfer::Args>),
    /// Fetch a bundle from an OCI registry
    Pull(Box<transfer::Args>),
}

/// Does what was asked.
pub(crate) fn run(command: Command, printer: &Printer) -> Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(*args, printer),
        Command::Install(args) => install::run(args, printer),
        Command::Push(args) => transfer::push(&args, printer),
        Command::Pull(args) => transfer::pull(&args, printer),
    }
}
