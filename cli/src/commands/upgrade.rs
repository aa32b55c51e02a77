//! `kpkg upgrade`: a release gets a new revision from a chart.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_release::values::Reuse;

use crate::commands::install::MakeArgs;
use crate::drafting::{self, Ground, Request};
use crate::options::DryRun;
use crate::printer::Printer;
use crate::runtime;

/// Upgrade a release
///
/// With one argument the chart is the bundled one that the release is named after. Only objects
/// that differ are written, and of them only the fields that differ.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release
    name: String,

    /// The chart: a bundled chart's name, a folder, an archive, `oci://...`, REPOSITORY/NAME or a URL
    chart: Option<String>,

    /// Install if there is no such release
    #[arg(short, long)]
    install: bool,

    /// Make no revision if nothing changes
    #[arg(long)]
    if_changed: bool,

    #[command(flatten)]
    pub(crate) reuse: ReuseArgs,

    #[command(flatten)]
    make: MakeArgs,
}

/// What becomes of the values of the last revision.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ReuseArgs {
    /// Forget the values of the last revision
    #[arg(long)]
    reset_values: bool,

    /// Keep the values of the last revision, those of its chart included; values given now go on top
    #[arg(long)]
    reuse_values: bool,

    /// Keep the values that the user gave to the last revision; values given now go on top
    #[arg(long)]
    reset_then_reuse_values: bool,
}

impl ReuseArgs {
    /// Helm's precedence.
    pub(crate) fn reuse(self) -> Reuse {
        match self {
            Self { reset_values: true, .. } => Reuse::Reset,
            Self { reuse_values: true, .. } => Reuse::Reuse,
            Self { reset_then_reuse_values: true, .. } => Reuse::ResetThenReuse,
            _ => Reuse::IfNoneGiven,
        }
    }
}

/// Upgrades, and prints the release's status.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let chart = args.make.change.rendering.load(args.chart.as_deref().unwrap_or(&args.name), &args.make.chart)?;
        let place = &args.make.place;
        let may_start = args.install && args.make.operation.dry_run() == DryRun::None;
        let session = if may_start { place.started(printer).await? } else { place.session().await? };
        let history = session.history(&args.name).await?;
        if args.install && (history.is_gone() || history.is_attempt()) {
            if args.make.output == crate::format::Format::Table {
                printer.data(&format!("Release \"{}\" does not exist. Installing it now.\n", args.name))?;
            }
            return args.make.install(Ground::Cluster(&session), &args.name, chart, false, printer).await;
        }
        let mut settings = args.make.operation.settings(session.driver, Some(&args.make.change));
        settings.if_changed = args.if_changed;
        let request = Request {
            name: &args.name,
            chart,
            source: &args.make.chart,
            values: &args.make.values,
            overlay: &args.make.overlay,
            change: &args.make.change,
            upgrade: Some(args.reuse.reuse()),
        };
        let drafted = drafting::draft(Ground::Cluster(&session), request, &settings, printer).await?;
        let greeting = format!("Release \"{}\" has been upgraded.\n", args.name);
        args.make.make(&session, drafted, settings, printer, &greeting).await
    })
}
