//! `kpkg install`: a chart becomes a release on a cluster.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use kpkg_chart::{Chart, ReleaseInfo};
use kpkg_release::apply::ApplySettings;
use kpkg_release::{Cluster, InstallSettings, Installed, Prepared, Release, prepare};

use crate::embedded::EmbeddedArgs;
use crate::printer::Printer;
use crate::progress::Live;
use crate::publish::ChartArgs;
use crate::render::{self, ValuesArgs};
use crate::target::{Target, TargetArgs};
use crate::{durations, runtime, show};

/// Install a chart
///
/// CHART is a bundled chart's name (`wordpress`), a folder, an archive, `oci://...`, `REPOSITORY/NAME` of an added
/// repository, or a URL. With one argument the
/// release is named after the chart. Without `--context`, `--kubeconfig` or a KUBECONFIG with a current
/// context, the release goes to the embedded cluster, which is started if it does not run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the release and chart, or the chart alone
    #[arg(value_name = "[NAME] CHART", num_args = 1..=2, required = true)]
    names: Vec<String>,

    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    chart: ChartArgs,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    embedded: EmbeddedArgs,

    /// Make the namespace if it is missing
    #[arg(long)]
    create_namespace: bool,

    /// What to wait for: every object (`watcher`) or only hooks (`hookOnly`)
    #[arg(long, value_name = "STRATEGY", default_value = "watcher", num_args = 0..=1, default_missing_value = "watcher", require_equals = true)]
    wait: Wait,

    /// How long to wait for each phase
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = durations::parse)]
    timeout: Duration,

    /// Do not install what is in the charts' `crds/`
    #[arg(long)]
    skip_crds: bool,

    /// Where the embedded cluster's images come from
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t)]
    images: crate::images::Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "camelCase")]
enum Wait {
    Watcher,
    HookOnly,
}

/// Installs, and prints the release's status.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(install(args, printer))
}

async fn install(args: Args, printer: &Printer) -> Result<ExitCode> {
    let (name, reference) = match args.names.as_slice() {
        [name, chart] => (Some(name.as_str()), chart.as_str()),
        [chart, ..] => (None, chart.as_str()),
        [] => unreachable!("clap asks for one name at least"),
    };
    let chart = render::load_from(reference, &args.chart)?;
    let values = args.values.merge(&chart)?;
    let name = name.unwrap_or(chart.name()).to_owned();

    let live = Live::new(printer);
    let (client, namespace, embedded) = match args.target.resolve().await? {
        Target::Named { config, namespace } => {
            let client = kube::Client::try_from(*config).context("cannot connect to the cluster")?;
            (client, namespace, false)
        }
        Target::Embedded { namespace } => (args.embedded.start(printer).await?, namespace, true),
    };
    let cluster = Cluster::connect(client).await?;
    let release = ReleaseInfo { name, namespace, revision: 1, is_upgrade: false };
    let rendered = args.chart.pin(render::against(&cluster, &chart, &values, &release).await?)?;
    let prepared = prepare::prepare(&chart, &values, &rendered, &release, &cluster, !args.skip_crds)?;
    provide_images(&args, &prepared, &chart, embedded, &live).await?;

    let settings = InstallSettings {
        create_namespace: args.create_namespace,
        apply: ApplySettings { timeout: args.timeout, wait: args.wait == Wait::Watcher },
    };
    let installed = kpkg_release::install::install(&cluster, &prepared, settings, &live).await;
    live.finish();
    let release: Box<Release> = match installed? {
        Installed::New(release) => release,
        Installed::Unchanged(release) => {
            printer.say(&format!("release `{}` is installed as it should be: nothing to do", release.name));
            release
        }
    };
    printer.data(&show::status(&release))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(target_os = "linux")]
async fn provide_images(args: &Args, prepared: &Prepared, chart: &Chart, embedded: bool, live: &Live) -> Result<()> {
    if !embedded {
        return Ok(());
    }
    crate::images::provide(args.embedded.image_root()?, &prepared.desired, chart, args.images, live).await
}

#[cfg(not(target_os = "linux"))]
async fn provide_images(_: &Args, _: &Prepared, _: &Chart, _: bool, _: &Live) -> Result<()> {
    Ok(())
}
