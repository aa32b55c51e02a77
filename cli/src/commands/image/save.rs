//! `kpkg image save`.

use std::path::PathBuf;
use std::process::ExitCode;

use kpkg_runtime::image::ImageStore;

use crate::printer::Printer;
use crate::progress::Live;

/// Save images as one archive: an OCI layout that `docker load` reads as well
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,

    /// The archive
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) async fn run(args: &Args, store: &ImageStore, printer: &Printer) -> anyhow::Result<ExitCode> {
    let live = Live::new(printer);
    live.tick("saving");
    store.save(&args.images, &args.output).await?;
    live.say(&format!("saved {} to {}", args.images.join(", "), args.output.display()));
    Ok(ExitCode::SUCCESS)
}
