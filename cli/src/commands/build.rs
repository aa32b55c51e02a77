//! `kpkg build`: a folder with a kustomization to manifests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use kpkg_overlay::{Built, Options};
use kpkg_yaml::node::{Node, node_text};

use crate::overlay::{Fetcher, LocalCharts, Programs};
use crate::printer::Printer;

/// Build a kustomization
///
/// Prints the resources that a folder's `kustomization.yaml` stands for, byte for byte as `kustomize build` prints
/// them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder, or the address of one in a repository
    #[arg(default_value = ".", value_name = "DIR|URL")]
    folder: String,

    /// Write to this file, or into this folder one file a resource
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Which files a kustomization may read besides other kustomizations
    #[arg(long, value_enum, default_value_t)]
    load_restrictor: LoadRestrictor,

    /// The order of resources, where the kustomization names none
    #[arg(long, value_enum, default_value_t)]
    reorder: Reorder,

    /// Label all resources with `app.kubernetes.io/managed-by`
    #[arg(long)]
    enable_managedby_label: bool,

    /// Render the charts that kustomizations name (`helmCharts`), with kpkg's own engine
    #[arg(long)]
    enable_helm: bool,

    /// API versions that charts may ask for
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    helm_api_versions: Vec<String>,

    /// The Kubernetes version that charts see
    #[arg(long, value_name = "VERSION")]
    helm_kube_version: Option<String>,

    /// Run the programs that generators and transformers name (`config.kubernetes.io/function`, `exec`)
    #[arg(long)]
    enable_exec: bool,

    /// Accepted for Kustomize's sake, without effect here
    #[arg(long, hide = true)]
    enable_alpha_plugins: bool,

    /// Fetch nothing: resources elsewhere are errors
    #[arg(long)]
    offline: bool,

    /// Fail if a patch changes nothing or the target of a patch matches nothing
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum LoadRestrictor {
    /// Those in its own folder or below
    #[default]
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// Any
    #[value(name = "LoadRestrictionsNone")]
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Reorder {
    /// Namespaces first, webhooks last
    #[default]
    Legacy,
    /// As they were read
    None,
}

/// Builds and prints.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let mut options = Options::default();
    options.unrestricted = args.load_restrictor == LoadRestrictor::None;
    options.keep_order = args.reorder == Reorder::None;
    options.managed_by_label = args.enable_managedby_label;
    options.strict = args.strict;
    let charts =
        LocalCharts { api_versions: args.helm_api_versions.clone(), kube_version: args.helm_kube_version.clone() };
    options.charts = if args.enable_helm { Some(&charts) } else { None };
    options.functions = if args.enable_exec { Some(&Programs) } else { None };
    let fetcher = Fetcher::new();
    options.remote = if args.offline { None } else { Some(&fetcher) };
    let built = kpkg_overlay::build(&args.folder, &options)?;
    built.warnings.iter().for_each(|warning| printer.say(warning));
    if !built.findings.is_empty() {
        built.findings.iter().for_each(|finding| printer.error(finding));
        return Ok(ExitCode::FAILURE);
    }
    match &args.output {
        None => printer.data(&built.text()?)?,
        Some(folder) if folder.is_dir() => write_files(folder, &built)?,
        Some(file) => {
            std::fs::write(file, built.text()?).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One file a resource, named by namespace, group, version, kind and name.
fn write_files(folder: &Path, built: &Built) -> Result<()> {
    for document in &built.documents {
        let path = folder.join(file_name(document));
        std::fs::write(&path, node_text(document)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn file_name(document: &Node) -> String {
    let text = |node: Option<&Node>| node.map_or(String::new(), |node| node.text().to_owned());
    let metadata = document.get("metadata");
    let api_version = text(document.get("apiVersion")).replace('/', "_");
    let name = text(metadata.and_then(|metadata| metadata.get("name")));
    let namespace = text(metadata.and_then(|metadata| metadata.get("namespace")));
    let file = format!("{api_version}_{}_{name}.yaml", text(document.get("kind"))).to_lowercase();
    let file = if namespace.is_empty() { file } else { format!("{namespace}_{file}") };
    file.replace(['/', '\\'], "-")
}
