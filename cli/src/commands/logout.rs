//! `kpkg logout`: a login is forgotten.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::login;
use crate::printer::Printer;
use crate::publish::AccessArgs;
use crate::runtime;

/// Forget the login for an OCI registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Host of the registry
    host: String,

    #[command(flatten)]
    access: AccessArgs,
}

/// Forgets.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let host = login::host(&args.host)?;
    let client = args.access.client(None)?;
    if !runtime::runtime()?.block_on(client.logins.erase(host))? {
        bail!("there is no login for {host}");
    }
    printer.say(&format!("Removing login credentials for {host}"));
    Ok(ExitCode::SUCCESS)
}
