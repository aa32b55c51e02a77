//! `kpkg diff`: what differs between a release and a chart, another revision, or the cluster.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_release::diff::{self, Difference};
use kpkg_release::{Desired, Settings, draft, operation};

use crate::commands::upgrade::ReuseArgs;
use crate::drafting::{self, Drafted, Ground, Request};
use crate::format::Format;
use crate::options::{ChangeArgs, OperationArgs};
use crate::overlay::OverlayArgs;
use crate::printer::Printer;
use crate::publish::ChartArgs;
use crate::render::ValuesArgs;
use crate::session::{PlaceArgs, Session};
use crate::{runtime, show};

/// Show what differs between a release and a new chart, an old revision, or the live cluster
///
/// With a chart or values: what an upgrade would change. With `--revision N`: what changed between
/// that revision and the newest (or `--to`). With neither: how the cluster drifted from the
/// release. Values of Secrets are hidden. Exits with 0 if nothing differs, 2 if something does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release
    name: String,

    /// The chart: a bundled chart's name, a folder, an archive, `oci://...`, REPOSITORY/NAME or a URL
    chart: Option<String>,

    #[command(flatten)]
    source: ChartArgs,

    /// Compare this revision
    #[arg(long, value_name = "NUMBER", conflicts_with = "chart")]
    revision: Option<i64>,

    /// With this one instead of the newest
    #[arg(long, value_name = "NUMBER", requires = "revision")]
    to: Option<i64>,

    /// Compare with what an upgrade with these values, and the release's own chart if it is bundled, would make
    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    overlay: OverlayArgs,

    #[command(flatten)]
    reuse: ReuseArgs,

    #[command(flatten)]
    change: ChangeArgs,

    #[command(flatten)]
    operation: OperationArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// The exit code that says that something differs.
const DIFFERENT: u8 = 2;

/// Compares and prints.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let session = args.place.session().await?;
        let found = args.compare(&session, printer).await?;
        let text = args.output.value(&serde_json::to_value(&found)?, || {
            found.iter().map(|it| show::difference(it, printer.colours_data())).collect()
        })?;
        printer.data(&text)?;
        let differs = found.iter().any(|it| it.kind != diff::DifferenceKind::Hook);
        Ok(if differs { ExitCode::from(DIFFERENT) } else { ExitCode::SUCCESS })
    })
}

impl Args {
    async fn compare(&self, session: &Session, printer: &Printer) -> Result<Vec<Difference>> {
        let history = session.history(&self.name).await?;
        let newest = history.existing()?;
        let mut settings: Settings = self.operation.settings(session.driver, Some(&self.change));
        // Nothing is written: fields that others took over are part of the answer, not in its way.
        settings.apply.force_conflicts = true;
        if let Some(revision) = self.revision {
            let (old, new) = (history.revision(revision)?, history.revision(self.to.unwrap_or(newest.version))?);
            let objects = |release: &kpkg_release::Release| {
                release.in_clear().and_then(|it| Desired::from_record(&it, &session.cluster)).map(|it| it.objects)
            };
            return Ok(diff::of_objects(&objects(old)?, &objects(new)?));
        }
        let Some(chart) = self
            .chart
            .as_deref()
            .or((!self.values.is_empty() || self.overlay.folder().is_some()).then_some(self.name.as_str()))
        else {
            // What a rollback to the newest revision would set right is what drifted.
            let mut draft = draft::rollback(newest.version, &history, &settings, &session.cluster)?;
            draft.desired.hooks.clear();
            let planned = operation::plan(&session.cluster, draft, &history, &settings).await?;
            return Ok(diff::of_plan(&planned.plan));
        };
        let request = Request {
            name: &self.name,
            chart: self.change.rendering.load(chart, &self.source)?,
            source: &self.source,
            values: &self.values,
            overlay: &self.overlay,
            change: &self.change,
            upgrade: Some(self.reuse.reuse()),
        };
        let Drafted { draft, history, .. } =
            drafting::draft(Ground::Cluster(session), request, &settings, printer).await?;
        let planned = operation::plan(&session.cluster, draft, &history, &settings).await?;
        Ok(diff::of_plan(&planned.plan))
    }
}
