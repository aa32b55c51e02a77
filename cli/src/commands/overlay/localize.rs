//! `kpkg overlay localize`: a copy of a folder that names nothing remote.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use kpkg_overlay::{Options, build, localize};

use crate::overlay::Fetcher;
use crate::printer::Printer;

/// Copy a folder and what its kustomization names, so that nothing remote is left
///
/// Remote files and folders are fetched into `localized-files`, and the copy names them there. Files of
/// functions are not copied. Fields of kustomizations are sorted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder, or the address of one in a repository (with `?ref=`)
    #[arg(default_value = ".")]
    target: String,

    /// The new folder; named after the target unless given
    #[arg(default_value = "", hide_default_value = true)]
    destination: String,

    /// The folder that all local files must lie in; the target unless given
    #[arg(long, default_value = "", value_name = "DIR", hide_default_value = true)]
    scope: String,

    /// Do not check that both build to the same
    #[arg(long)]
    no_verify: bool,
}

pub(crate) fn run(args: &Args, printer: &Printer) -> Result<ExitCode> {
    let fetcher = Fetcher::new();
    let localized = localize(&args.target, &args.scope, &args.destination, Some(&fetcher))?;
    let root = localized.root.display();
    if !args.no_verify {
        let mut options = Options::default();
        options.remote = Some(&fetcher);
        let built = |folder: &str| -> Result<String> {
            let built = build(folder, &options).and_then(|built| built.text());
            built.with_context(|| {
                format!(
                    "cannot verify the copy {root}: {folder} does not build without flags; compare the outputs yourself"
                )
            })
        };
        if built(&args.target)? != built(&localized.target.to_string_lossy())? {
            bail!("VERIFICATION FAILED: `kpkg build` for {} and {root} are different after localization", args.target);
        }
        let target = &args.target;
        printer.say(&format!(
            "VERIFICATION SUCCESS: `kpkg build` for {target} and {root} are the same after localization."
        ));
    }
    printer.say(&format!("SUCCESS: localized {:?} to directory {root}", args.target));
    Ok(ExitCode::SUCCESS)
}
