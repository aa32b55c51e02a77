//! `kpkg tags`: which versions of a chart a registry has.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_registry::{Reference, chart, version};

use crate::printer::Printer;
use crate::publish::{AccessArgs, LoginArgs};
use crate::runtime;

/// List the versions of a chart in an OCI registry, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chart, such as `oci://registry.example.com/charts/web`
    reference: String,

    /// List tags that are no versions too
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    login: LoginArgs,
}

/// Lists.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let reference: Reference = args.reference.parse()?;
    let client = args.access.client(args.login.credentials())?;
    let tags = runtime::runtime()?.block_on(async {
        let registry = client.registry(&reference.host).await?;
        Ok::<_, kpkg_registry::Error>(registry.tags(&reference.repository).await?)
    })?;
    let versions: Vec<String> = tags.iter().map(|tag| chart::version_of(tag)).collect();
    let known: Vec<&str> = versions.iter().map(String::as_str).collect();
    let sorted = version::sorted(&known);
    let mut text: String = sorted.iter().map(|(_, version)| format!("{version}\n")).collect();
    if args.all {
        let is_version = |tag: &&String| sorted.iter().any(|(_, version)| *version == chart::version_of(tag));
        text.extend(tags.iter().filter(|tag| !is_version(tag)).map(|tag| format!("{tag}\n")));
    }
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}
