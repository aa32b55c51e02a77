//! `kpkg pull`: a chart comes from a registry or repository.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use kpkg_registry::Fetched;

use super::package::write;
use crate::printer::Printer;
use crate::publish::{self, ChartArgs};

/// Fetch a chart's archive
///
/// CHART is `oci://...`, `REPOSITORY/NAME` of a repository that was added, the name of a chart of `--repo`, or the
/// URL of an archive.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Charts to fetch
    #[arg(value_name = "CHART", required = true)]
    charts: Vec<String>,

    #[command(flatten)]
    chart: ChartArgs,

    /// Folder to write into
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,

    /// Unpack the archive, and do not keep it
    #[arg(long)]
    untar: bool,

    /// Folder to unpack into, below `--destination`
    #[arg(long, value_name = "DIR", default_value = ".")]
    untardir: PathBuf,

    /// Fetch the provenance file too; it is not checked
    #[arg(long)]
    prov: bool,
}

/// Fetches and writes.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    for reference in &args.charts {
        let fetched = publish::fetch(reference, &args.chart, args.prov)?;
        // What is wanted and missing is found before anything is written.
        let provenance = match (&fetched.provenance, args.prov) {
            (None, true) => bail!("{} has no provenance file", fetched.source),
            (provenance, wanted) => provenance.as_ref().filter(|_| wanted),
        };
        if args.untar {
            unpack(&fetched, &args.destination.join(&args.untardir))?;
        } else {
            fetched.archive.save(&args.destination.join(fetched.file_name()))?;
        }
        if let Some(provenance) = provenance {
            write(&args.destination.join(format!("{}.prov", fetched.file_name())), provenance)?;
        }
        if let Some(digest) = &fetched.manifest_digest {
            let place = fetched.source.trim_start_matches("oci://");
            printer.data(&format!("Pulled: {place}\nDigest: {digest}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Unpacks beside the target and moves it there: a failure leaves nothing.
fn unpack(fetched: &Fetched, folder: &Path) -> Result<()> {
    let target = folder.join(&fetched.name);
    if target.symlink_metadata().is_ok() {
        bail!("{} exists already", target.display());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let context = || format!("cannot unpack into {}", folder.display());
    let scratch = tempfile::Builder::new().prefix(".kpkg-").tempdir_in(folder).with_context(context)?;
    let root = scratch.path().join("chart");
    // Names are checked as the archive is unpacked in memory: none leads out of the chart.
    for file in fetched.files()? {
        let path = root.join(&*file.name);
        std::fs::create_dir_all(path.parent().unwrap_or(&root)).with_context(context)?;
        std::fs::write(&path, file.data()).with_context(context)?;
    }
    std::fs::rename(&root, &target).with_context(context)?;
    Ok(())
}
