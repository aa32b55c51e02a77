//! `kpkg uninstall`: removes a release and what it brought.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use kpkg_release::apply::ApplySettings;
use kpkg_release::{Cluster, UninstallSettings, uninstall};

use crate::embedded::EmbeddedArgs;
use crate::printer::Printer;
use crate::progress::Live;
use crate::target::TargetArgs;
use crate::{durations, runtime};

/// Uninstall releases
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The releases
    #[arg(required = true)]
    names: Vec<String>,

    /// Keep the record of the release
    #[arg(long)]
    keep_history: bool,

    /// Do not fail if there is no such release
    #[arg(long)]
    ignore_not_found: bool,

    /// How long to wait until the objects are gone
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = durations::parse)]
    timeout: Duration,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    embedded: EmbeddedArgs,
}

/// Uninstalls each.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let (client, namespace) = args.target.connect(&args.embedded).await?;
        let cluster = Cluster::connect(client).await?;
        let settings = UninstallSettings {
            keep_history: args.keep_history,
            apply: ApplySettings { timeout: args.timeout, wait: true },
        };
        for name in &args.names {
            let live = Live::new(printer);
            let outcome = uninstall::uninstall(&cluster, name, &namespace, settings, &live).await;
            live.finish();
            match outcome {
                Err(kpkg_release::ReleaseError::NotFound { .. }) if args.ignore_not_found => {
                    printer.say(&format!("release \"{name}\" is not installed"));
                }
                Err(error) => return Err(error.into()),
                Ok(done) => {
                    for id in &done.lingering {
                        printer.warn(&format!("{id} still exists; something holds it back (its finalizers?)"));
                    }
                    if !done.kept.is_empty() {
                        let kept: Vec<String> =
                            done.kept.iter().map(|id| format!("[{}] {}\n", id.kind, id.name)).collect();
                        printer.data(&format!(
                            "These resources were kept due to the resource policy:\n{}\n",
                            kept.concat()
                        ))?;
                    }
                    printer.data(&format!("release \"{name}\" uninstalled\n"))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
