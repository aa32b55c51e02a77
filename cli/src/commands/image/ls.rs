//! `kpkg image ls`.

use std::process::ExitCode;

use kpkg_runtime::image::{Image, ImageStore};

use super::size;
use crate::printer::Printer;
use crate::show;

/// List images
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print ids only
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Output {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

const HEADERS: [&str; 4] = ["REPOSITORY", "TAG", "IMAGE ID", "SIZE"];
const NONE: &str = "<none>";

pub(super) fn run(args: &Args, store: &ImageStore, printer: &Printer) -> anyhow::Result<ExitCode> {
    let images = store.list()?;
    let text = if args.quiet {
        images.iter().map(|image| format!("{}\n", image.id)).collect()
    } else {
        match args.output {
            Output::Table => show::table(&HEADERS, &images.iter().flat_map(rows).collect::<Vec<_>>()),
            Output::Json => format!("{}\n", serde_json::to_string_pretty(&images)?),
        }
    };
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A row for each name of an image.
fn rows(image: &Image) -> Vec<Vec<String>> {
    let id: String = image.id.trim_start_matches("sha256:").chars().take(12).collect();
    let row = |repository: &str, tag: &str| vec![repository.to_owned(), tag.to_owned(), id.clone(), size(image.size)];
    if image.tags.is_empty() {
        let repository = image.digests.first().and_then(|name| name.split('@').next()).unwrap_or(NONE);
        return vec![row(repository, NONE)];
    }
    // The last colon: one before it may belong to the registry's port.
    image
        .tags
        .iter()
        .map(|name| name.rsplit_once(':').map_or_else(|| row(name, NONE), |(name, tag)| row(name, tag)))
        .collect()
}
