//! `kpkg image`: the images of the embedded cluster.

mod build;
mod load;
mod ls;
mod pull;
mod push;
mod rm;
mod save;

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use kpkg_runtime::image::{Credentials, ProgressEvent, PullOptions};

use crate::embedded::EmbeddedArgs;
use crate::printer::Printer;
use crate::progress::Live;
use crate::{images, runtime};

/// Manage the images of the embedded cluster
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    embedded: EmbeddedArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(visible_alias = "list")]
    Ls(ls::Args),
    Pull(pull::Args),
    Push(push::Args),
    Load(load::Args),
    Save(save::Args),
    Rm(rm::Args),
    Build(build::Args),
}

/// How to reach a registry.
#[derive(Debug, Clone, clap::Args)]
struct RegistryArgs {
    /// Speak HTTP without TLS
    #[arg(long)]
    plain_http: bool,

    /// User name; without it Docker's configuration file is asked
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,

    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

impl RegistryArgs {
    fn options(&self) -> anyhow::Result<PullOptions> {
        let credentials = match &self.username {
            None => None,
            Some(username) => {
                let password = std::io::read_to_string(std::io::stdin()).context("cannot read the password")?;
                let password = password.trim_end_matches(['\r', '\n']).to_owned();
                Some(Credentials::Basic { username: username.clone(), password })
            }
        };
        Ok(PullOptions { credentials, plain_http: self.plain_http })
    }
}

/// Runs one of the commands.
pub(crate) fn run(args: Args, printer: &Printer) -> anyhow::Result<ExitCode> {
    let root = args.embedded.image_root()?;
    let store = images::open(&root)?;
    runtime::runtime()?.block_on(async {
        match &args.command {
            Command::Ls(args) => ls::run(args, &store, printer),
            Command::Pull(args) => pull::run(args, &store, printer).await,
            Command::Push(args) => push::run(args, &store, printer).await,
            Command::Load(args) => load::run(args, &store, printer).await,
            Command::Save(args) => save::run(args, &store, printer).await,
            Command::Rm(args) => rm::run(args, &store, printer).await,
            Command::Build(args) => build::run(args, &store, printer).await,
        }
    })
}

/// Shows a transfer on the live line.
pub(crate) fn show(live: &Live, name: &str, event: &ProgressEvent) {
    match event {
        ProgressEvent::Resolving => live.tick(name),
        ProgressEvent::Transferred { done, total, .. } => {
            live.tick(&format!("{name}: {} of {} of a layer", size(*done), size(*total)));
        }
        ProgressEvent::Unpacking { .. } => live.tick(&format!("{name}: unpacking")),
        _ => {}
    }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes < 10.0 { format!("{megabytes:.2} MB") } else { format!("{megabytes:.0} MB") }
}
