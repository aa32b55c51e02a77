//! `kpkg verify`: an archive against its provenance file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::printer::Printer;
use crate::publish;

/// Check an archive against the provenance file beside it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Archive; `ARCHIVE.prov` is its provenance file
    archive: PathBuf,

    /// Public keys [default: ~/.gnupg/pubring.gpg]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
}

/// Checks, and prints who signed what.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let verified = publish::check_file(&args.archive, args.keyring.as_ref())?;
    let mut text: String = verified.signed_by.iter().map(|user| format!("Signed by: {user}\n")).collect();
    text.push_str(&format!("Using Key With Fingerprint: {}\n", verified.fingerprint));
    text.push_str(&format!("Chart Hash Verified: {}\n", verified.digest));
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}
