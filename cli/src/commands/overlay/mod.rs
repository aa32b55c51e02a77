//! `kpkg overlay`: kustomization files made, changed and made independent of other places.

mod create;
mod edit;

use std::process::ExitCode;

use anyhow::Result;

use crate::printer::Printer;

/// Make and change kustomizations
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(alias = "init")]
    Create(create::Args),
    Edit(edit::Args),
}

pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    match args.command {
        Command::Create(args) => create::run(args),
        Command::Edit(args) => edit::run(args, printer),
    }
}
