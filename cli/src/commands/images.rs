//! `kpkg images`: which images a chart uses.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_chart::{Ambient, Clock, ClusterFacts, ReleaseInfo, Rendered};

use crate::lock;
use crate::printer::Printer;
use crate::publish::ChartArgs;
use crate::render::{self, ValuesArgs};

/// List the images that a chart's objects use
///
/// The chart is rendered with the values given: what they switch off is not listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chart, as for `kpkg install`
    chart: String,

    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    elsewhere: ChartArgs,
}

/// Lists.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let rendered = rendered(&args.chart, &args.values, &args.elsewhere)?;
    let text: String = lock::images(&rendered).iter().map(|image| format!("{image}\n")).collect();
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What a chart writes with these values, without a cluster.
pub(super) fn rendered(chart: &str, values: &ValuesArgs, elsewhere: &ChartArgs) -> Result<Rendered> {
    let chart = render::load_from(chart, elsewhere)?;
    render::check_dependencies(&chart)?;
    let values = values.merge(&chart)?;
    let name = chart.name().to_owned();
    let release = ReleaseInfo { name, namespace: "default".to_owned(), revision: 1, is_upgrade: false };
    let ambient = Ambient::new(rand::random(), Clock::system());
    Ok(kpkg_chart::render(&chart, &values, &release, &ClusterFacts::default(), &ambient)?)
}
