//! `kpkg bundle create`: a chart, values and images become one file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_chart::{Ambient, Clock, ClusterFacts, ReleaseInfo, package};
use kpkg_registry::bundle;

use crate::embedded::EmbeddedArgs;
use crate::images::{self, Source};
use crate::printer::Printer;
use crate::progress::Live;
use crate::publish::ChartArgs;
use crate::render::{self, ValuesArgs};
use crate::{lock, runtime};

/// Put a chart, values and all images that it uses into one file
///
/// Images come from the embedded cluster's store; what is not there is pulled, or built from the chart's recipes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chart, as for `kpkg install`
    chart: String,

    /// File to write [default: NAME-VERSION.kpkg]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Leave the images out
    #[arg(long)]
    no_images: bool,

    /// Where images come from that are not in the store
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t)]
    images: Source,

    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    elsewhere: ChartArgs,

    #[command(flatten)]
    embedded: EmbeddedArgs,
}

/// Gathers and writes.
pub(super) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let chart = render::load_from(&args.chart, &args.elsewhere)?;
    render::check_dependencies(&chart)?;
    let values = args.values.merge(&chart)?;
    let packed = package::package(&chart, &package::Settings::default())?;
    let release =
        ReleaseInfo { name: chart.name().to_owned(), namespace: "default".to_owned(), revision: 1, is_upgrade: false };
    let ambient = Ambient::new(rand::random(), Clock::system());
    let rendered = kpkg_chart::render(&chart, &values, &release, &ClusterFacts::default(), &ambient)?;
    let supplied = kpkg_yaml::write(&values.supplied.clone().into());

    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let saved = scratch.path().join("images.tar");
    let wanted: Vec<String> = lock::images(&rendered).into_iter().collect();
    let with_images = !args.no_images && !wanted.is_empty();
    if with_images {
        let live = Live::new(printer);
        let root = args.embedded.image_root()?;
        let gathered = runtime::runtime()?.block_on(async {
            images::provide_all(root.clone(), &wanted, &chart, args.images, &live).await?;
            live.now("saving the images");
            images::open(&root)?.save(&wanted, &saved).await.context("cannot save the images")
        });
        live.finish();
        gathered?;
    }
    let output = args.output.unwrap_or_else(|| Path::new(&packed.file_name).with_extension("kpkg"));
    bundle::write(&output, &packed.bytes, &supplied, with_images.then_some(saved.as_path()))?;
    let images = match &wanted[..] {
        images if with_images => format!("images {}", images.join(", ")),
        [] => "which uses no images".to_owned(),
        _ => "without images".to_owned(),
    };
    let chart = format!("{} {}", chart.metadata.name, chart.metadata.version);
    printer.say(&format!("{}: chart {chart}, {images}", output.display()));
    Ok(ExitCode::SUCCESS)
}
