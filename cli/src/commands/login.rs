//! `kpkg login`: a login that is tried, and then kept.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use kpkg_registry::Credentials;

use crate::printer::Printer;
use crate::publish::AccessArgs;
use crate::runtime;

/// Log in to an OCI registry
///
/// The login is tried first and kept in Docker's configuration file, or by the helper that it names.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Host of the registry
    host: String,

    /// Name to log in with
    #[arg(short, long, value_name = "NAME")]
    username: String,

    /// Password to log in with (better: `--password-stdin`)
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,

    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,

    #[command(flatten)]
    access: AccessArgs,
}

/// Tries the login and keeps it.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let password = match (args.password, args.password_stdin) {
        (Some(password), _) => password,
        (None, true) => {
            let text = std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?;
            text.trim_end_matches(['\n', '\r']).to_owned()
        }
        (None, false) => bail!("give the password by --password-stdin or --password"),
    };
    let host = host(&args.host)?;
    let login = Credentials::Basic { username: args.username.clone(), password: password.clone() };
    let client = args.access.client(Some(login))?;
    runtime::runtime()?.block_on(async {
        client.registry(host).await?.check_login().await?;
        client.logins.store(host, &args.username, &password).await?;
        Ok::<_, kpkg_registry::Error>(())
    })?;
    printer.say("Login Succeeded");
    Ok(ExitCode::SUCCESS)
}

/// The host alone, without the scheme that people put before it.
pub(super) fn host(text: &str) -> Result<&str> {
    let host = text.strip_prefix("oci://").unwrap_or(text).trim_end_matches('/');
    if host.is_empty() || host.contains('/') || host.contains('@') {
        bail!("give the registry's host alone, such as `registry.example.com:5000`");
    }
    Ok(host)
}
