//! `kpkg overlay create`: a new kustomization file.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use kpkg_overlay::edit::{Draft, create};

use crate::overlay::Fetcher;

/// Create a kustomization file in the current folder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Resources to name in it: files, folders, patterns or addresses, with commas between them
    #[arg(long, default_value = "", value_name = "PATHS")]
    resources: String,

    /// Name all files of the folder that hold resources
    #[arg(long)]
    autodetect: bool,

    /// Look through folders too
    #[arg(long)]
    recursive: bool,

    /// The namespace of all resources
    #[arg(long, default_value = "", value_name = "NAME")]
    namespace: String,

    /// What the names of all resources begin with
    #[arg(long, default_value = "", value_name = "PREFIX")]
    nameprefix: String,

    /// What the names of all resources end with
    #[arg(long, default_value = "", value_name = "SUFFIX")]
    namesuffix: String,

    /// Labels for all resources (`key:value,key:value`)
    #[arg(long, default_value = "", value_name = "PAIRS")]
    labels: String,

    /// Annotations for all resources (`key:value,key:value`)
    #[arg(long, default_value = "", value_name = "PAIRS")]
    annotations: String,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let draft = Draft {
        resources: args.resources,
        namespace: args.namespace,
        annotations: args.annotations,
        labels: args.labels,
        name_prefix: args.nameprefix,
        name_suffix: args.namesuffix,
        autodetect: args.autodetect,
        recursive: args.recursive,
    };
    create(Path::new("."), &draft, Some(&Fetcher::new()))?;
    Ok(ExitCode::SUCCESS)
}
