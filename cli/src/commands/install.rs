//! `kpkg install`: a chart becomes a release on a cluster.

use std::process::ExitCode;

use anyhow::{Result, bail};
use kpkg_chart::{Ambient, Chart, Clock};
use kpkg_release::{Desired, Outcome, Release, operation};

use crate::drafting::{self, Drafted, Ground, Request};
use crate::format::Format;
use crate::holder::holder;
use crate::options::{ChangeArgs, DryRun, OperationArgs};
use crate::overlay::OverlayArgs;
use crate::printer::Printer;
use crate::progress::Live;
use crate::publish::ChartArgs;
use crate::render::ValuesArgs;
use crate::session::{PlaceArgs, Session};
use crate::{naming, runtime, show};

/// Install a chart
///
/// CHART is a bundled chart's name (`wordpress`), a folder, an archive, `oci://...`, REPOSITORY/NAME or
/// the URL of an archive. With one argument the
/// release is named after the chart. Without `--context`, `--kubeconfig` or a KUBECONFIG with a current
/// context, the release goes to the embedded cluster, which is started if it does not run (but not for a dry run).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the release and chart, or the chart alone
    #[arg(value_name = "[NAME] CHART", num_args = 1..=2, required = true)]
    names: Vec<String>,

    /// Give the release a name of its own: the chart's with the time
    #[arg(short, long)]
    generate_name: bool,

    /// Name the release by a template, such as `app-{{ randAlpha 5 | lower }}`
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,

    /// Take the name of a release whose last operation failed
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    make: MakeArgs,
}

/// The flags of what makes a revision from a chart.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct MakeArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,

    #[command(flatten)]
    pub(crate) chart: ChartArgs,

    #[command(flatten)]
    pub(crate) overlay: OverlayArgs,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    #[command(flatten)]
    pub(crate) operation: OperationArgs,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,

    /// Leave Secrets out of what `--dry-run` prints
    #[arg(long, requires = "dry_run")]
    hide_secret: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,

    /// Where the embedded cluster's images come from
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t)]
    images: crate::images::Source,
}

/// Installs, and prints the release's status.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let (name, reference) = match args.names.as_slice() {
            [name, chart] => (Some(name.as_str()), chart.as_str()),
            [chart, ..] => (None, chart.as_str()),
            [] => unreachable!("clap asks for one name at least"),
        };
        let chart = args.make.change.rendering.load(reference, &args.make.chart)?;
        let own = match name {
            Some(_) if args.generate_name => bail!("cannot set --generate-name and also specify a name"),
            Some(_) if args.name_template.is_some() => bail!("cannot set --name-template and also specify a name"),
            Some(name) => name.to_owned(),
            None if let Some(template) = &args.name_template => {
                naming::from_template(template, &Ambient::new(rand::random(), Clock::system()))?
            }
            None if args.generate_name => format!("{}-{}", chart.name(), jiff::Timestamp::now().as_second()),
            None => chart.name().to_owned(),
        };
        let place = &args.make.place;
        // A dry run starts nothing, and a client's asks no cluster (Helm's rule).
        let session = match args.make.operation.dry_run() {
            DryRun::None => place.started(printer).await?,
            DryRun::Server => place.session().await?,
            DryRun::Client => {
                let target = place.target.resolve().await?;
                let ground = Ground::Nowhere { namespace: target.namespace() };
                return args.make.install(ground, &own, chart, args.replace, printer).await;
            }
        };
        args.make.install(Ground::Cluster(&session), &own, chart, args.replace, printer).await
    })
}

impl MakeArgs {
    /// Installs `chart` as `name`, or shows what that would do.
    pub(crate) async fn install(
        &self,
        ground: Ground<'_>,
        name: &str,
        chart: Chart,
        replace: bool,
        printer: &Printer,
    ) -> Result<ExitCode> {
        let mut settings = self.operation.settings(self.place.driver(), Some(&self.change));
        settings.replace = replace;
        let request = Request {
            name,
            chart,
            source: &self.chart,
            values: &self.values,
            overlay: &self.overlay,
            change: &self.change,
            upgrade: None,
        };
        // The very same again changes nothing, and what was left half-way is carried on with.
        let drafted = drafting::draft(ground, request, &settings, printer).await?;
        match ground {
            Ground::Cluster(session) => self.make(session, drafted, settings, printer, "").await,
            Ground::Nowhere { .. } => self.show(drafted.draft.release, printer),
        }
    }

    /// Plans a drafted revision and carries it out, or shows it.
    pub(crate) async fn make(
        &self,
        session: &Session,
        drafted: Drafted,
        settings: kpkg_release::Settings,
        printer: &Printer,
        greeting: &str,
    ) -> Result<ExitCode> {
        let live = Live::new(printer);
        let Drafted { draft, history, chart } = drafted;
        if self.operation.dry_run() == DryRun::None {
            self.provide_images(session, &draft.desired, &chart, &live).await?;
        }
        let planned = operation::plan(&session.cluster, draft, &history, &settings).await?;
        if self.operation.dry_run() != DryRun::None {
            live.finish();
            return self.show(planned.release, printer);
        }
        let outcome = operation::execute(&session.cluster, planned, &settings, &holder(), &live).await;
        live.finish();
        let release = match outcome? {
            Outcome::New(release) => {
                if self.output == Format::Table {
                    printer.data(greeting)?;
                }
                release
            }
            Outcome::Unchanged(release) => {
                printer.say(&format!("release `{}` is installed as it should be: nothing to do", release.name));
                release
            }
        };
        printer.data(&self.output.one(&release, || show::status(&release, self.change.hide_notes))?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Shows a release that was not made.
    fn show(&self, mut release: Release, printer: &Printer) -> Result<ExitCode> {
        release.info.description = "Dry run complete".to_owned();
        if self.hide_secret {
            release.manifest = show::without_secrets(&release.manifest);
        }
        printer.data(&self.output.one(&release, || show::dry_run(&release))?)?;
        Ok(ExitCode::SUCCESS)
    }

    #[cfg(target_os = "linux")]
    async fn provide_images(&self, session: &Session, desired: &Desired, chart: &Chart, live: &Live) -> Result<()> {
        if !session.embedded {
            return Ok(());
        }
        crate::images::provide(self.place.embedded.image_root()?, desired, chart, self.images, live).await
    }

    #[cfg(not(target_os = "linux"))]
    async fn provide_images(&self, _: &Session, _: &Desired, _: &Chart, _: &Live) -> Result<()> {
        Ok(())
    }
}
