//! `kpkg image load`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use kpkg_runtime::image::ImageStore;

use crate::printer::Printer;
use crate::progress::Live;

/// Load images from an archive: an OCI layout or what `docker save` writes, compressed or not
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive, or `-` for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    archive: PathBuf,
}

pub(super) async fn run(args: &Args, store: &ImageStore, printer: &Printer) -> anyhow::Result<ExitCode> {
    let live = Live::new(printer);
    live.tick("loading");
    let scratch;
    let archive = if args.archive == Path::new("-") {
        scratch = store.scratch_dir().context("cannot write into the image store")?;
        let path = scratch.path().join("archive");
        copy_input(&path)?;
        path
    } else {
        args.archive.clone()
    };
    let images = store.load(&archive).await.with_context(|| format!("cannot load {}", args.archive.display()))?;
    for image in &images {
        live.say(&format!("loaded {}", image.tags.first().unwrap_or(&image.id)));
        printer.data(&format!("{}\n", image.id))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn copy_input(path: &Path) -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        bail!("name an archive, or send one to standard input");
    }
    let mut file = std::fs::File::create(path).context("cannot write into the image store")?;
    std::io::copy(&mut input, &mut file).context("cannot read the archive")?;
    file.flush().context("cannot write into the image store")
}
