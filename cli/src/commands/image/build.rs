//! `kpkg image build`.

use std::path::PathBuf;
use std::process::ExitCode;

use kpkg_runtime::image::ImageStore;

use crate::images;
use crate::printer::Printer;
use crate::progress::Live;

/// Build an image from a recipe and the distribution's packages
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recipe
    #[arg(value_name = "FILE")]
    recipe: PathBuf,

    /// The image's name; the recipe's own if left out
    #[arg(short, long, value_name = "IMAGE")]
    tag: Option<String>,
}

pub(super) async fn run(args: &Args, store: &ImageStore, printer: &Printer) -> anyhow::Result<ExitCode> {
    let (recipe, files) = images::read_recipe(&args.recipe)?;
    let name = args.tag.clone().unwrap_or_else(|| recipe.image.clone());
    let live = Live::new(printer);
    let image = images::make(store, &recipe, &files, &name, &live).await?;
    live.finish();
    printer.data(&format!("{}\n", image.id))?;
    Ok(ExitCode::SUCCESS)
}
