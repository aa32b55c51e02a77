//! `kpkg list`: the releases of a cluster.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_release::store::RecordStore;

use crate::embedded::EmbeddedArgs;
use crate::printer::Printer;
use crate::target::TargetArgs;
use crate::{runtime, show};

/// List releases
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    embedded: EmbeddedArgs,

    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
}

const HEADERS: [&str; 7] = ["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"];

/// Prints the newest revision of every release.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let (client, namespace) = args.target.connect(&args.embedded).await?;
        let store =
            if args.all_namespaces { RecordStore::all(client) } else { RecordStore::namespaced(client, &namespace) };
        let releases = store.newest().await?;
        let rows: Vec<Vec<String>> = releases.iter().map(|it| show::list_row(it).to_vec()).collect();
        let text = match args.output {
            Output::Table => show::table(&HEADERS, &rows),
            Output::Json => {
                let keys = HEADERS.map(|it| it.to_lowercase().replace(' ', "_"));
                let objects: Vec<serde_json::Value> = rows
                    .iter()
                    .map(|row| {
                        keys.iter().cloned().zip(row.iter().map(|cell| serde_json::Value::from(cell.clone()))).collect()
                    })
                    .collect();
                format!("{}\n", serde_json::to_string(&objects)?)
            }
        };
        printer.data(&text)?;
        Ok(ExitCode::SUCCESS)
    })
}
