//! `kpkg push`: an archive goes to a registry.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_registry::cosign::{self, SigningKey};
use kpkg_registry::{Reference, chart};

use crate::printer::Printer;
use crate::publish::{AccessArgs, LoginArgs};
use crate::runtime;

/// Push a chart's archive to an OCI registry
///
/// The chart goes below REMOTE under its own name and version; a `.prov` file beside the archive goes with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Archive, as `kpkg package` or `helm package` makes them
    archive: PathBuf,

    /// Where to, such as `oci://registry.example.com/charts`
    remote: String,

    /// Sign with this key of cosign's; COSIGN_PASSWORD unlocks it
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    login: LoginArgs,
}

/// Pushes, and prints where to and under which digest.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let parent: Reference = args.remote.parse()?;
    let bytes = std::fs::read(&args.archive).with_context(|| format!("cannot read {}", args.archive.display()))?;
    let mut beside = args.archive.clone().into_os_string();
    beside.push(".prov");
    let provenance = match std::fs::read(&beside) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", PathBuf::from(beside).display())),
    };
    let client = args.access.client(args.login.credentials())?;
    let password = std::env::var("COSIGN_PASSWORD").unwrap_or_default();
    // A key that cannot be used is found before anything is pushed.
    let key = args.sign_key.as_deref().map(|path| SigningKey::read(path, password.as_bytes())).transpose()?;
    let pushed = runtime::runtime()?.block_on(async {
        let registry = client.registry(&parent.host).await?;
        let pushed = chart::push(&registry, &parent, bytes, provenance).await?;
        if let Some(key) = &key {
            cosign::sign(&registry, &pushed.reference, &pushed.digest, key).await?;
        }
        Ok::<_, kpkg_registry::Error>(pushed)
    })?;
    printer.data(&format!("Pushed: {}\nDigest: {}\n", pushed.reference, pushed.digest))?;
    Ok(ExitCode::SUCCESS)
}
