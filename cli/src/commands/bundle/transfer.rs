//! `kpkg bundle push` and `pull`: bundles through registries.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use kpkg_registry::{Reference, bundle};

use crate::printer::Printer;
use crate::publish::{AccessArgs, LoginArgs};
use crate::runtime;

/// A bundle here and there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File with the bundle
    bundle: PathBuf,

    /// Where it is in a registry, such as `oci://registry.example.com/bundles/web:1.0.0`
    remote: String,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    login: LoginArgs,
}

pub(super) fn push(args: &Args, printer: &Printer) -> Result<ExitCode> {
    let (client, reference) = (args.access.client(args.login.credentials())?, args.remote.parse::<Reference>()?);
    let digest = runtime::runtime()?.block_on(async {
        let registry = client.registry(&reference.host).await?;
        bundle::push(&registry, &reference, &args.bundle).await
    })?;
    printer.data(&format!("Pushed: {reference}\nDigest: {digest}\n"))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn pull(args: &Args, printer: &Printer) -> Result<ExitCode> {
    let (client, reference) = (args.access.client(args.login.credentials())?, args.remote.parse::<Reference>()?);
    let digest = runtime::runtime()?.block_on(async {
        let registry = client.registry(&reference.host).await?;
        bundle::pull(&registry, &reference, &args.bundle).await
    })?;
    printer.data(&format!("Pulled: {reference}\nDigest: {digest}\n"))?;
    Ok(ExitCode::SUCCESS)
}
