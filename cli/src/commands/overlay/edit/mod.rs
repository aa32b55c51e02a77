//! `kpkg overlay edit`: changes to the kustomization file of the current folder.

mod add;
mod fix;
mod remove;
mod set;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use kpkg_overlay::edit::{DataKind, Edit, PatchArgs, edit};

use crate::overlay::Fetcher;
use crate::printer::Printer;

/// Edit the kustomization file of the current folder
///
/// Fields keep their places and the comments before them, as with `kustomize edit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add something to the kustomization
    #[command(subcommand)]
    Add(add::Command),
    /// Set the value of a field
    #[command(subcommand)]
    Set(set::Command),
    /// Remove something from the kustomization
    #[command(subcommand)]
    Remove(remove::Command),
    Fix(fix::Args),
}

pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let change = match args.command {
        Command::Add(command) => Edit::Add(command.into()),
        Command::Set(command) => Edit::Set(command.into()),
        Command::Remove(command) => Edit::Remove(command.into()),
        Command::Fix(args) => return fix::run(&args, printer),
    };
    let notes = edit(Path::new("."), &change, Some(&Fetcher::new()))?;
    notes.iter().for_each(|note| printer.say(note));
    Ok(ExitCode::SUCCESS)
}

/// Entries of a list.
#[derive(Debug, clap::Args)]
struct Paths {
    /// Paths or patterns; for resources and components, addresses too
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
}

/// Options of a build.
#[derive(Debug, clap::Args)]
struct BuildOptions {
    /// originAnnotations, transformerAnnotations, managedByLabel; with commas between them
    #[arg(value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Labels or annotations.
#[derive(Debug, clap::Args)]
struct Pairs {
    /// `key:value`
    #[arg(value_name = "PAIR")]
    pairs: Vec<String>,
}

/// The parts of a patch.
#[derive(Debug, clap::Args)]
struct Patch {
    /// The file of the patch
    #[arg(long, default_value = "")]
    path: String,

    /// The patch itself
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    patch: String,

    /// The API group of what it is applied to
    #[arg(long, default_value = "")]
    group: String,

    /// The API version of what it is applied to
    #[arg(long, default_value = "")]
    version: String,

    /// The kind of what it is applied to
    #[arg(long, default_value = "")]
    kind: String,

    /// The name of what it is applied to
    #[arg(long, default_value = "")]
    name: String,

    /// The namespace of what it is applied to
    #[arg(long, default_value = "")]
    namespace: String,

    /// Annotations of what it is applied to
    #[arg(long, default_value = "", value_name = "SELECTOR")]
    annotation_selector: String,

    /// Labels of what it is applied to
    #[arg(long, default_value = "", value_name = "SELECTOR")]
    label_selector: String,
}

impl From<Patch> for PatchArgs {
    fn from(args: Patch) -> Self {
        let target = vec![
            ("group", args.group),
            ("version", args.version),
            ("kind", args.kind),
            ("name", args.name),
            ("namespace", args.namespace),
            ("annotationSelector", args.annotation_selector),
            ("labelSelector", args.label_selector),
        ];
        Self { path: args.path, patch: args.patch, target }
    }
}
