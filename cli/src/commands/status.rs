//! `kpkg status`: one release.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_release::resources;

use crate::format::Format;
use crate::printer::Printer;
use crate::session::PlaceArgs;
use crate::{runtime, show};

/// Show the status of a release, and its objects
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release
    name: String,

    /// This revision instead of the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    revision: i64,

    #[command(flatten)]
    place: PlaceArgs,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Prints it.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let history = args.place.history(&args.name).await?;
        let release = history.revision(args.revision)?;
        let tables = if args.output == Format::Table {
            resources::tables(&args.place.session().await?.cluster, release).await?
        } else {
            Vec::new()
        };
        printer.data(&args.output.one(release, || show::status_with(release, &tables, false))?)?;
        Ok(ExitCode::SUCCESS)
    })
}
