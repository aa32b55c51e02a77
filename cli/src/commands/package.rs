//! `kpkg package`: charts become archives, the same bytes everywhere.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_chart::package::{self, Package, Settings};

use crate::printer::Printer;
use crate::publish::{self, AccessArgs};
use crate::render;

/// Pack charts into archives
///
/// The same chart makes the same archive on every machine: entries are sorted, and times and owners fixed
/// (SOURCE_DATE_EPOCH sets another time).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of charts, or bundled charts' names
    #[arg(value_name = "CHART", required = true)]
    charts: Vec<String>,

    /// Give the chart this version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,

    /// Give what the chart installs this version
    #[arg(long, value_name = "VERSION")]
    app_version: Option<String>,

    /// Folder to write archives into
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,

    /// Write a provenance file, signed with a PGP key
    #[arg(long, requires = "key")]
    sign: bool,

    /// Name of the key to sign with, or a part of it
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// Secret keys [default: ~/.gnupg/secring.gpg]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,

    /// File whose first line unlocks the key (`-` reads standard input)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,

    /// Update the charts' dependencies first
    #[arg(short = 'u', long)]
    dependency_update: bool,

    #[command(flatten)]
    access: AccessArgs,

    /// Time of all files, in seconds since 1970
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH", hide_env_values = true)]
    time: Option<u64>,
}

/// Packs, and says where the archives are.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let settings = Settings {
        version: args.version.clone(),
        app_version: args.app_version.clone(),
        time: args.time.unwrap_or(package::DEFAULT_TIME),
    };
    // Helm names the whole path where no folder was asked for; scripts cut it from the line.
    let folder = match args.destination.as_path() {
        here if here == Path::new(".") => std::env::current_dir().context("there is no current folder")?,
        other => other.to_owned(),
    };
    for path in &args.charts {
        if args.dependency_update && Path::new(path).is_dir() {
            update(&args, Path::new(path))?;
        }
        let chart = render::load(path)?;
        let packed = package::package(&chart, &settings).with_context(|| format!("cannot pack `{path}`"))?;
        let target = folder.join(&packed.file_name);
        // A key that cannot sign is found before anything is written.
        let provenance = args.sign.then(|| sign(&args, &packed)).transpose()?;
        write(&target, &packed.bytes)?;
        if let Some(text) = provenance {
            write(&folder.join(format!("{}.prov", packed.file_name)), text.as_bytes())?;
        }
        printer.data(&format!("Successfully packaged chart and saved it to: {}\n", target.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn update(args: &Args, folder: &Path) -> Result<()> {
    let client = args.access.client(None)?;
    let time = jiff::Timestamp::from_second(i64::try_from(args.time.unwrap_or_else(publish::now))?)?;
    crate::runtime::runtime()?.block_on(kpkg_registry::dependency::update(&client, folder, true, time))?;
    Ok(())
}

/// The provenance file.
fn sign(args: &Args, packed: &Package) -> Result<String> {
    let ring = publish::keyring(args.keyring.as_ref(), "secring.gpg")?;
    let passphrase = args.passphrase_file.as_deref().map(first_line).transpose()?;
    let key = args.key.as_deref().unwrap_or_default();
    let time = args.time.unwrap_or_else(publish::now);
    let (bytes, name) = (&packed.bytes, &packed.file_name);
    Ok(kpkg_registry::provenance::sign(bytes, name, &ring, key, passphrase.as_deref(), time)?)
}

fn first_line(path: &Path) -> Result<Vec<u8>> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
    };
    Ok(text.lines().next().unwrap_or_default().as_bytes().to_vec())
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let context = || format!("cannot write {}", path.display());
    let mut file = tempfile::Builder::new().prefix(".kpkg-").tempfile_in(folder).with_context(context)?;
    std::io::Write::write_all(&mut file, bytes).with_context(context)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).with_context(context)?;
    file.persist(path).map_err(|error| error.error).with_context(context)?;
    Ok(())
}
