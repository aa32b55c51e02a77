//! `kpkg cache`: what was fetched and is kept.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::printer::Printer;
use crate::publish::AccessArgs;
use crate::{durations, show};

/// List or prune what was fetched from registries and repositories
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List what is kept, the longest unused first
    Ls {
        #[command(flatten)]
        access: Box<AccessArgs>,
    },
    /// Remove what is kept: all of it, or by age or size
    Prune {
        /// Keep what was used within this time
        #[arg(long, value_name = "DURATION", value_parser = durations::parse)]
        older_than: Option<Duration>,

        /// Keep the most recently used up to this many MiB
        #[arg(long, value_name = "MIB")]
        keep: Option<u64>,

        #[command(flatten)]
        access: Box<AccessArgs>,
    },
}

/// Lists or prunes.
pub(crate) fn run(command: Command, printer: &Printer) -> Result<ExitCode> {
    match command {
        Command::Ls { access } => {
            let entries = access.client(None)?.cache.list()?;
            let rows: Vec<Vec<String>> = entries
                .into_iter()
                .map(|entry| {
                    let age = SystemTime::now().duration_since(entry.used).unwrap_or_default();
                    vec![entry.digest, entry.size.to_string(), format!("{}s ago", age.as_secs())]
                })
                .collect();
            printer.data(&show::table(&["DIGEST", "BYTES", "USED"], &rows))?;
        }
        Command::Prune { older_than, keep, access } => {
            let unused = older_than.unwrap_or(if keep.is_some() { Duration::MAX } else { Duration::ZERO });
            let size = keep.map_or(u64::MAX, |mib| mib << 20);
            let pruned = access.client(None)?.cache.prune(unused, size)?;
            printer.say(&format!("removed {} files of {} bytes", pruned.files, pruned.bytes));
        }
    }
    Ok(ExitCode::SUCCESS)
}
