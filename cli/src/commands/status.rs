//! `kpkg status`: one release.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_release::ReleaseError;
use kpkg_release::store::RecordStore;

use crate::embedded::EmbeddedArgs;
use crate::printer::Printer;
use crate::target::TargetArgs;
use crate::{runtime, show};

/// Show the status of a release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release
    name: String,

    /// This revision instead of the newest
    #[arg(long, value_name = "NUMBER")]
    revision: Option<i64>,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    embedded: EmbeddedArgs,
}

/// Prints it.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let (client, namespace) = args.target.connect(&args.embedded).await?;
        let history = RecordStore::namespaced(client, &namespace).history(&args.name).await?;
        let mut wanted =
            history.into_iter().rev().filter(|it| args.revision.is_none_or(|revision| it.version == revision));
        let Some(release) = wanted.next() else {
            return Err(ReleaseError::NotFound { name: args.name, namespace }.into());
        };
        printer.data(&show::status(&release))?;
        Ok(ExitCode::SUCCESS)
    })
}
