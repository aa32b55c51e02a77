//! `kpkg image rm`.

use std::process::ExitCode;

use kpkg_runtime::image::{ImageError, ImageStore};

use super::size;
use crate::printer::Printer;

/// Remove images; what another image or a container uses stays
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names, or ids for an image with all its names
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,

    /// Do not fail if an image is not there
    #[arg(short, long)]
    force: bool,
}

pub(super) async fn run(args: &Args, store: &ImageStore, printer: &Printer) -> anyhow::Result<ExitCode> {
    let mut bytes = 0;
    for image in &args.images {
        match store.remove(image).await {
            Err(ImageError::NotFound { .. }) if args.force => {}
            Err(error) => return Err(error.into()),
            Ok(removed) => {
                bytes += removed.bytes;
                let untagged = removed.untagged.iter().map(|name| format!("untagged: {name}\n"));
                let deleted = removed.deleted.iter().map(|id| format!("deleted: {id}\n"));
                printer.data(&untagged.chain(deleted).collect::<String>())?;
            }
        }
    }
    printer.say(&format!("freed {}", size(bytes)));
    Ok(ExitCode::SUCCESS)
}
