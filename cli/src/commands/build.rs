//! `kpkg build`: a folder with a kustomization to manifests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kpkg_chart::provenance::FieldPath;
use kpkg_overlay::{Built, Field, Options, Reads};

use crate::failure;
use crate::overlay::{Fetcher, NamedCharts, Programs};
use crate::printer::Printer;

/// How often files are looked at for changes.
const PAUSE: Duration = Duration::from_millis(200);

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

    /// A variable for the programs of `--enable-exec`
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,

    #[command(flatten)]
    ignored: Ignored,

    /// Tell instead what made a field: files, patches, generators, transformers (`Deployment/web:spec.replicas`)
    #[arg(long, value_name = "KIND/NAME:PATH")]
    trace: Vec<FieldPath>,

    /// Build again whenever a file changes
    #[arg(short, long)]
    watch: bool,

    /// Fetch nothing: resources and charts elsewhere are errors
    #[arg(long)]
    offline: bool,

    /// Merge lists in custom resources by the keys (`x-kubernetes-list-map-keys`) that definitions among the
    /// resources declare; Kustomize replaces such lists
    #[arg(long)]
    crd_list_keys: bool,

    /// Fail if a patch changes nothing or the target of a patch matches nothing
    #[arg(long)]
    strict: bool,
}

/// Flags of Kustomize that mean nothing here: no container is run, and charts need no other program.
#[derive(Debug, clap::Args)]
struct Ignored {
    #[arg(long, hide = true)]
    enable_alpha_plugins: bool,
    #[arg(long, hide = true)]
    network: bool,
    #[arg(long, hide = true, value_name = "NAME")]
    network_name: Option<String>,
    #[arg(long, hide = true)]
    as_current_user: bool,
    #[arg(long, hide = true, value_name = "PROGRAM")]
    helm_command: Option<PathBuf>,
    #[arg(long, hide = true)]
    helm_debug: bool,
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

/// Builds and prints, once or again and again.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let mut options = Options::default();
    options.unrestricted = args.load_restrictor == LoadRestrictor::None;
    options.keep_order = args.reorder == Reorder::None;
    options.managed_by_label = args.enable_managedby_label || is_label_asked_for();
    options.strict = args.strict;
    options.list_keys = args.crd_list_keys;
    let charts = NamedCharts {
        offline: args.offline,
        api_versions: args.helm_api_versions.clone(),
        kube_version: args.helm_kube_version.clone(),
    };
    options.charts = if args.enable_helm { Some(&charts) } else { None };
    let programs = Programs { environment: args.env.clone() };
    options.functions = if args.enable_exec { Some(&programs) } else { None };
    let fetcher = Fetcher::new();
    options.remote = if args.offline { None } else { Some(&fetcher) };
    let fields = traced(&args.trace);
    options.trace = &fields;
    if !args.watch {
        return build(&args, &options, printer);
    }
    let reads = Reads::default();
    options.reads = Some(&reads);
    loop {
        reads.forget();
        if let Err(error) = build(&args, &options, printer) {
            failure::report(&error, printer);
        }
        while !reads.have_changed() {
            std::thread::sleep(PAUSE);
        }
    }
}

fn build(args: &Args, options: &Options<'_>, printer: &Printer) -> Result<ExitCode> {
    let built = kpkg_overlay::build(&args.folder, options)?;
    built.warnings.iter().for_each(|warning| printer.say(warning));
    if !built.findings.is_empty() {
        built.findings.iter().for_each(|finding| printer.error(finding));
        return Ok(ExitCode::FAILURE);
    }
    if !args.trace.is_empty() {
        return tell(&args.trace, &built, printer);
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

fn traced(asked: &[FieldPath]) -> Vec<Field> {
    let field = |it: &FieldPath| Field { kind: it.kind.clone(), name: it.name.clone(), path: it.path.clone() };
    asked.iter().map(field).collect()
}

/// Prints how the fields came to be: a line for each value they had.
fn tell(asked: &[FieldPath], built: &Built, printer: &Printer) -> Result<ExitCode> {
    for (at, field) in asked.iter().enumerate() {
        let mut stories = built.stories.iter().filter(|story| story.field == at && !story.steps.is_empty()).peekable();
        if stories.peek().is_none() {
            bail!("there is no field {} in a {}/{}", field.path.join("."), field.kind, field.name);
        }
        for story in stories {
            printer.data(&format!("{} {}\n", story.object, field.path.join(".")))?;
            for step in &story.steps {
                let line = step.line.map(|line| format!(":{line}")).unwrap_or_default();
                let value = step.value.as_deref().unwrap_or("(none)").replace('\n', "\n    ");
                printer.data(&format!("  {}{line}\n    {value}\n", step.by))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Kustomize's other way to ask for the label.
fn is_label_asked_for() -> bool {
    std::env::var_os("KUSTOMIZE_ENABLE_MANAGEDBY_LABEL").is_some_and(|value| value == "on")
}

/// One file a resource.
fn write_files(folder: &Path, built: &Built) -> Result<()> {
    for (name, text) in built.files()? {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
