//! `kpkg cluster delete`.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use kpkg_server::kubeconfig;

use super::{ClusterArgs, block_on, start::user_kubeconfig, told};
use crate::{printer::Printer, progress::Live};

/// Delete the cluster with everything in it: containers, volumes, images, network, files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<ExitCode> {
    let request = args.cluster.request();
    let root = request.layout().map_err(told)?.root().to_owned();
    if !args.yes && !confirm(&format!("delete the cluster in {} with all its data?", root.display()))? {
        printer.say("nothing was deleted");
        return Ok(ExitCode::FAILURE);
    }
    let live = Live::new(printer);
    let deleted = block_on(async { kpkg_server::delete(&request, |step| live.tick(step)).await.map_err(told) })?;
    live.finish();
    if let (Some(settings), Some(path)) = (deleted, user_kubeconfig())
        && let Err(error) = kubeconfig::uninstall(&settings.context(), &path)
    {
        printer.warn(&format!("the context `{}` is still in your kubeconfig: {error}", settings.context()));
    }
    printer.say(&format!("deleted {}", root.display()));
    Ok(ExitCode::SUCCESS)
}

/// Asks on a terminal; elsewhere nobody could answer, and whoever calls knows what they do.
fn confirm(question: &str) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(true);
    }
    write!(std::io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
