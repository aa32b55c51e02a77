//! `kpkg bundle install`: images into the store, and then the chart as any other.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use kpkg_registry::bundle;

use crate::embedded::EmbeddedArgs;
use crate::printer::Printer;
use crate::{images, runtime};

/// Install a bundle; no network is needed
///
/// The images go into the embedded cluster's store. What follows the file goes to `kpkg install`: a name for the
/// release, values, a namespace.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    embedded: EmbeddedArgs,

    /// Do not load the images
    #[arg(long)]
    no_images: bool,

    /// The bundle
    bundle: PathBuf,

    /// Name for the release, and flags of `kpkg install`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "[NAME] [FLAGS]")]
    rest: Vec<OsString>,
}

/// Loads the images, then runs `kpkg install` on the chart.
pub(super) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let bundle = bundle::read(&args.bundle)?;
    if !args.no_images && !bundle.images.is_empty() {
        let store = images::open(&args.embedded.image_root()?)?;
        let loaded = runtime::runtime()?.block_on(store.load(&args.bundle));
        let loaded = loaded.with_context(|| format!("cannot load the images of {}", args.bundle.display()))?;
        let count = loaded.len();
        printer.say(&format!("loaded {count} {}", if count == 1 { "image" } else { "images" }));
    }
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let (chart, values) = (folder.path().join("chart.tgz"), folder.path().join("values.yaml"));
    std::fs::write(&chart, &bundle.archive).context("cannot write into a temporary folder")?;
    std::fs::write(&values, &bundle.values).context("cannot write into a temporary folder")?;
    let mut install = Command::new(std::env::current_exe().context("cannot find this program")?);
    let (name, flags) = match args.rest.split_first() {
        Some((first, flags)) if !first.to_string_lossy().starts_with('-') => (Some(first), flags),
        _ => (None, args.rest.as_slice()),
    };
    // The bundle's values come first: those of the command line win.
    install.arg("install").args(name).arg(&chart).arg("-f").arg(&values).args(flags);
    if let Some(cluster) = &args.embedded.cluster {
        install.arg("--cluster").arg(cluster);
    }
    if let Some(folder) = &args.embedded.data_dir {
        install.arg("--data-dir").arg(folder);
    }
    let status = install.status().context("cannot run `kpkg install`")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
