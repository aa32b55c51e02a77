//! `kpkg apply`: carries a stored plan out.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_release::{Outcome, Planned, Settings, operation};

use crate::holder::holder;
use crate::options::{ChangeArgs, OperationArgs};
use crate::printer::Printer;
use crate::progress::Live;
use crate::session::PlaceArgs;
use crate::{runtime, show};

/// Carry out a plan that `kpkg plan` stored
///
/// Exactly what was shown is done; if the release or any object that the plan changes has changed since,
/// nothing is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    file: PathBuf,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    operation: OperationArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

/// Carries it out, and prints the release's status.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
        let planned = Planned::from_file(&bytes)?;
        let session = args.place.session().await?;
        let settings = Settings {
            verify: true,
            description: Some(planned.release.info.description.clone()).filter(|_| planned.described()),
            ..args.operation.settings(session.driver, Some(&args.change))
        };
        let live = Live::new(printer);
        let outcome = operation::execute(&session.cluster, planned, &settings, &holder(), &live).await;
        live.finish();
        let (Outcome::New(release) | Outcome::Unchanged(release)) = outcome?;
        printer.data(&show::status(&release, args.change.hide_notes))?;
        Ok(ExitCode::SUCCESS)
    })
}
