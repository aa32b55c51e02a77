//! `kpkg image pull`.

use std::process::ExitCode;

use anyhow::Context;
use kpkg_runtime::image::ImageStore;

use super::{RegistryArgs, show};
use crate::printer::Printer;
use crate::progress::Live;

/// Pull images from their registries
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names such as `nginx`, `nginx:1.29` or `registry.example.com/team/app@sha256:...`
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,

    #[command(flatten)]
    registry: RegistryArgs,
}

pub(super) async fn run(args: &Args, store: &ImageStore, printer: &Printer) -> anyhow::Result<ExitCode> {
    let options = args.registry.options()?;
    let live = Live::new(printer);
    for name in &args.images {
        let pulled = store.pull(name, &options, &|event| show(&live, name, &event)).await;
        let image = pulled.with_context(|| format!("cannot pull {name}"))?;
        live.say(&format!("pulled {name}"));
        printer.data(&format!("{}\n", image.digests.first().unwrap_or(&image.id)))?;
    }
    Ok(ExitCode::SUCCESS)
}
