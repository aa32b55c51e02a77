//! `kpkg overlay edit fix`: deprecated fields brought up to date.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use kpkg_overlay::Options;
use kpkg_overlay::edit::{Fixed, fix};

use crate::overlay::Fetcher;
use crate::printer::Printer;

const FIELDS: &str = "
Fixed fields:
  patchesJson6902 -> patches
  patchesStrategicMerge -> patches
  commonLabels -> labels
";

const ABOUT_VARIABLES: &str = "
To convert vars -> replacements, run the command `kpkg overlay edit fix --vars`

WARNING: Converting vars to replacements will potentially overwrite many resource files 
and the resulting files may not produce the same output when `kpkg build` is run. 
We recommend doing this in a clean git repository where the change is easy to undo.
";

/// Replace deprecated fields by those that took their place
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Turn variables into replacements too; files of resources change
    #[arg(long)]
    vars: bool,
}

pub(super) fn run(args: &Args, printer: &Printer) -> Result<ExitCode> {
    let fetcher = Fetcher::new();
    let mut options = Options::default();
    options.remote = Some(&fetcher);
    let fixed = fix(Path::new("."), args.vars, &options)?;
    printer.data(FIELDS)?;
    printer.data(if args.vars { "  vars -> replacements\n" } else { ABOUT_VARIABLES })?;
    match fixed {
        Fixed::Same => {}
        Fixed::Differs(after) => printer.data(&format!(
            "Warning: 'Fixed' kustomization now produces different output when running `kpkg build`:\n...{after}...\n"
        ))?,
        Fixed::Fails(problem) => printer.data(&format!(
            "Warning: 'Fixed' kustomization now produces the error when running `kpkg build`: {problem}\n"
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}
