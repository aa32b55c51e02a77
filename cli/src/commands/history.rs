//! `kpkg history`: the revisions of a release.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::format::Format;
use crate::printer::Printer;
use crate::session::PlaceArgs;
use crate::{runtime, show};

/// Show the revisions of a release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release
    name: String,

    /// How many revisions to show, the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 256)]
    max: usize,

    /// Show which revision each rollback went back to
    #[arg(long)]
    show_rollback_revision: bool,

    #[command(flatten)]
    place: PlaceArgs,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Prints them, oldest first.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let history = args.place.history(&args.name).await?;
        let skip = history.releases.len().saturating_sub(args.max);
        let releases = &history.releases[skip..];
        let objects: Vec<Value> = releases
            .iter()
            .map(|it| {
                let mut object = json!({
                    "revision": it.version,
                    "updated": it.info.last_deployed,
                    "status": it.info.status,
                    "chart": show::chart(it),
                    "app_version": it.chart_metadata("appVersion"),
                    "description": it.info.description,
                });
                if it.info.rollback_revision > 0 {
                    object["rollback_revision"] = it.info.rollback_revision.into();
                }
                object
            })
            .collect();
        let table = || {
            let mut headers = vec!["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"];
            if args.show_rollback_revision {
                headers.insert(5, "ROLLBACK");
            }
            let rows: Vec<Vec<String>> =
                releases.iter().map(|it| show::history_row(it, args.show_rollback_revision)).collect();
            show::table(&headers, &rows)
        };
        printer.data(&args.output.many(&objects, table)?)?;
        Ok(ExitCode::SUCCESS)
    })
}
