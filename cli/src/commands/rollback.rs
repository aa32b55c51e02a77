//! `kpkg rollback`: a release becomes what it was in an earlier revision.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_release::{draft, operation};

use crate::holder::holder;
use crate::options::{DryRun, OperationArgs};
use crate::printer::Printer;
use crate::progress::Live;
use crate::session::PlaceArgs;
use crate::{runtime, show};

/// Roll a release back to an earlier revision
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release
    name: String,

    /// The revision to go back to; without it, the one before the newest
    #[arg(default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..), hide_default_value = true)]
    revision: i64,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    operation: OperationArgs,
}

/// Rolls back.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let session = args.place.session().await?;
        let settings = args.operation.settings(session.driver, None);
        let history = session.history(&args.name).await?;
        let draft = draft::rollback(args.revision, &history, &settings, &session.cluster)?;
        let planned = operation::plan(&session.cluster, draft, &history, &settings).await?;
        if args.operation.dry_run() != DryRun::None {
            printer.data(&show::plan(&planned.plan, printer.colours_data()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let live = Live::new(printer);
        let outcome = operation::execute(&session.cluster, planned, &settings, &holder(), &live).await;
        live.finish();
        outcome?;
        printer.data("Rollback was a success!\n")?;
        Ok(ExitCode::SUCCESS)
    })
}
