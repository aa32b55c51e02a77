//! `kpkg cluster stop`.

use std::process::ExitCode;

use super::{ClusterArgs, block_on, told};
use crate::printer::Printer;

/// Stop the cluster's server. Its containers go on, and the next start takes them up again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,

    /// End all containers as well, as a reboot would; the next start makes them anew
    #[arg(long)]
    pods: bool,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<ExitCode> {
    let request = args.cluster.request();
    let ran = block_on(async { kpkg_server::stop(&request, args.pods).await.map_err(told) })?;
    printer.say(if ran { "the server has stopped" } else { "no server was running" });
    if args.pods {
        printer.say("all containers have ended");
    }
    Ok(ExitCode::SUCCESS)
}
