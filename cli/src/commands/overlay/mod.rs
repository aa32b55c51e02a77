//! `kpkg overlay`: kustomization files made, changed and made independent of other places.

mod create;
mod edit;
mod localize;

use std::process::ExitCode;

use anyhow::Result;

use crate::printer::Printer;

/// Make and change kustomizations
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    #[command(alias = "init")]
    Create(create::Args),
    Edit(edit::Args),
    Localize(localize::Args),
}

pub(crate) fn run(command: Command, printer: &Printer) -> Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(args),
        Command::Edit(args) => edit::run(args, printer),
        Command::Localize(args) => localize::run(&args, printer),
    }
}
