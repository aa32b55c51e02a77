//! `kpkg image push`.

use std::process::ExitCode;

use anyhow::Context;
use kpkg_runtime::image::ImageStore;

use super::{RegistryArgs, show};
use crate::printer::Printer;
use crate::progress::Live;

/// Push an image to the registry in its name
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// Push it under this name
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    registry: RegistryArgs,
}

pub(super) async fn run(args: &Args, store: &ImageStore, printer: &Printer) -> anyhow::Result<ExitCode> {
    let options = args.registry.options()?;
    let name = match &args.name {
        None => &args.image,
        Some(name) => {
            store.tag(&args.image, name)?;
            name
        }
    };
    let live = Live::new(printer);
    let pushed = store.push(name, &options, &|event| show(&live, name, &event)).await;
    let digest = pushed.with_context(|| format!("cannot push {name}"))?;
    live.say(&format!("pushed {name}"));
    printer.data(&format!("{digest}\n"))?;
    Ok(ExitCode::SUCCESS)
}
