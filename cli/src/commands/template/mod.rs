//! `kpkg template`: what a chart writes, without a cluster.

mod helm;
mod name;
mod server;
mod write;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_chart::listing::{self, Listed, Part, Selection};
use kpkg_chart::provenance::FieldPath;
use kpkg_chart::values::{self, Checks};
use kpkg_chart::{Ambient, Chart, Clock, ClusterFacts, ReleaseInfo, RenderError, Rendered, Values};

use crate::embedded::EmbeddedArgs;
use crate::memory::Bound;
use crate::overlay::{self, OverlayArgs};
use crate::printer::Printer;
use crate::provenance::Run;
use crate::publish::ChartArgs;
use crate::render::{self, ValuesArgs};
use crate::target::TargetArgs;
use crate::{rendering, slices};

/// Render a chart's templates and print what they write
///
/// The output is that of `helm template`. No cluster is asked unless `--dry-run=server` says so: templates
/// see the versions that `--kube-version` and `--api-versions` give, and `lookup` finds nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the release and chart, or the chart alone
    #[arg(value_name = "[NAME] CHART", num_args = 1..=2, required = true)]
    names: Vec<String>,

    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    chart: ChartArgs,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    embedded: EmbeddedArgs,

    /// Only show manifests of these templates, such as `templates/service.yaml` (patterns allowed)
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with = "overlay")]
    show_only: Vec<String>,

    /// Write files into this folder instead of standard output
    #[arg(long, value_name = "DIR", conflicts_with = "overlay")]
    output_dir: Option<String>,

    /// Put the files of `--output-dir` into a folder named after the release
    #[arg(long)]
    release_name: bool,

    /// Also print what the charts' `crds/` hold
    #[arg(long)]
    include_crds: bool,

    /// Leave out hooks that are tests
    #[arg(long)]
    skip_tests: bool,

    /// Leave out all hooks
    #[arg(long)]
    no_hooks: bool,

    /// Version of Kubernetes that templates see
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,

    /// More API versions for templates to see, such as `cert-manager.io/v1`
    #[arg(short, long, value_name = "VERSION")]
    api_versions: Vec<String>,

    /// Render an upgrade, not an installation
    #[arg(long)]
    is_upgrade: bool,

    /// Do not check values against `values.schema.json`
    #[arg(long)]
    skip_schema_validation: bool,

    /// Allow `getHostByName` to ask DNS
    #[arg(long)]
    enable_dns: bool,

    /// Name the release by a template, such as `app-{{ randAlpha 5 | lower }}`
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,

    /// Accept that no name is given
    #[arg(short, long)]
    generate_name: bool,

    /// Fetch the chart's dependencies if they are missing
    #[arg(long)]
    dependency_update: bool,

    #[command(flatten)]
    overlay: OverlayArgs,

    /// Program that gets the manifests on standard input and writes those to use
    #[arg(long, value_name = "PROGRAM", conflicts_with = "output_dir")]
    post_renderer: Option<PathBuf>,

    /// Argument of the post-renderer
    #[arg(long, value_name = "ARGUMENT", requires = "post_renderer", allow_hyphen_values = true)]
    post_renderer_args: Vec<String>,

    /// `server` renders and checks against a cluster
    #[arg(long, value_name = "WHERE", default_value = "client", num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    dry_run: DryRun,

    /// As `--dry-run=server`
    #[arg(long, conflicts_with = "dry_run")]
    validate: bool,

    /// Draw random values from this seed, with a clock that stands still: the same output every time
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Where the clock stands, in seconds since 1970; with `--seed` alone, at 0
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH", hide_env_values = true)]
    clock: Option<i64>,

    /// Show what made a field instead: the template's line, and the value with its file
    #[arg(long, value_name = "KIND/NAME:PATH")]
    trace: Vec<FieldPath>,

    /// Print what templates wrote even if it is not YAML
    #[arg(long)]
    debug: bool,

    #[command(flatten)]
    ignored: helm::Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DryRun {
    #[value(alias = "true", alias = "unset")]
    Client,
    Server,
}

/// Renders, and prints or writes.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let ambient = ambient(&args)?;
    let (name, reference) = name::of(&args, &ambient)?;
    let chart = load(reference, &args, printer)?;
    let inputs = args.values.inputs()?;
    let values = values::merge_with(&chart, &inputs, Checks { schema: !args.skip_schema_validation })?;
    let namespace = args.target.namespace_to_render();
    let release = ReleaseInfo { name, namespace, revision: 1, is_upgrade: args.is_upgrade };
    let _bound = Bound::for_chart(&chart);
    let facts = facts(&args)?;
    let run = Run { values: &values, inputs: &inputs, release: &release, facts: &facts, ambient: &ambient };
    let asks_cluster = args.dry_run == DryRun::Server || args.validate;
    if !args.trace.is_empty() && asks_cluster {
        anyhow::bail!("--trace follows what templates do without a cluster: leave out --dry-run=server and --validate");
    }
    let rendered = if asks_cluster {
        server::render(&args, &chart, &values, release.clone(), &ambient)?
    } else {
        kpkg_chart::render(&chart, &values, &release, &facts, &ambient)
            .map_err(|error| failed(error, &args, printer, &run))?
    };
    if !args.trace.is_empty() {
        printer.data(&run.trace(&args.trace)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.values.strict_values {
        run.check_values()?;
    }
    let rendered = args.chart.pin(rendered)?;
    print(&args, &release, &values, &rendered, printer)?;
    // The process is about to end: taking all this apart first would cost as much as a small chart's rendering.
    std::mem::forget((chart, values, rendered));
    Ok(ExitCode::SUCCESS)
}

fn load(reference: &str, args: &Args, printer: &Printer) -> Result<Chart> {
    let chart = rendering::load_complete(reference, &args.chart, args.dependency_update, render::load_to_render)?;
    if chart.is_library() {
        // Helm's engine renders them to nothing, its command line refuses them.
        printer.warn("library charts are not installable: their templates print nothing themselves");
    }
    if chart.metadata.deprecated {
        printer.warn("this chart is deprecated");
    }
    Ok(chart)
}

/// Chance and time: the system's, or what the user fixed.
fn ambient(args: &Args) -> Result<Ambient> {
    let clock = match (args.clock, args.seed) {
        (None, None) => Clock::system(),
        (clock, _) => {
            let at = jiff::Timestamp::from_second(clock.unwrap_or(0)).context("cannot set the clock")?;
            at.to_zoned(jiff::tz::TimeZone::UTC).into()
        }
    };
    Ok(match args.seed {
        Some(seed) => Ambient::seeded(seed, clock),
        None => Ambient::new(rand::random(), clock),
    })
}

/// What templates may know without a cluster.
fn facts(args: &Args) -> Result<ClusterFacts> {
    let mut facts = ClusterFacts::default();
    if let Some(version) = rendering::kube_version(args.kube_version.as_ref())? {
        facts.kube_version = version;
    }
    facts.api_versions.extend(slices::items("-a, --api-versions", &args.api_versions)?);
    if args.enable_dns {
        facts.resolver = Some(crate::naming::resolve_host);
    }
    Ok(facts)
}

/// The failure to report; with `--debug`, what templates wrote is printed all the same.
fn failed(error: RenderError, args: &Args, printer: &Printer, run: &Run<'_>) -> anyhow::Error {
    if !matches!(error, RenderError::Manifest { .. }) {
        return run.explained(error, None);
    }
    if !args.debug && !helm::is_debugging() {
        return run.explained(error, Some("`--debug` prints what the templates wrote"));
    }
    let files = kpkg_chart::render_files(run.values, run.release, run.facts, run.ambient);
    let shown = files.map_err(anyhow::Error::from).and_then(|(files, _)| {
        let written = files.iter().filter(|(path, text)| !text.trim().is_empty() && !path.ends_with("NOTES.txt"));
        let text: String = written.map(|(path, text)| format!("---\n# Source: {path}\n{text}\n")).collect();
        Ok(printer.data(&text)?)
    });
    shown.err().unwrap_or_else(|| run.explained(error, None))
}

fn print(args: &Args, release: &ReleaseInfo, values: &Values, rendered: &Rendered, printer: &Printer) -> Result<()> {
    let selection = Selection { crds: args.include_crds, hooks: !args.no_hooks, tests: !args.skip_tests };
    let crds = if selection.crds { listing::crds(values) } else { Vec::new() };
    values.chart().check_read()?;
    let listed = listing::list(&crds, rendered, selection);
    if let Some(folder) = args.output_dir.as_ref().filter(|folder| !folder.is_empty()) {
        write::files(folder, args.release_name.then_some(release.name.as_str()), &listed, printer)?;
        // All is in files by now, and nothing is left to show (Helm's rule).
        let pattern = args.show_only.first().cloned();
        return pattern.map_or(Ok(()), |pattern| Err(listing::NotFound { pattern }.into()));
    }
    if args.post_renderer.is_none() && args.overlay.folder().is_none() && args.show_only.is_empty() {
        return Ok(printer.write_data(|mut out| listing::write(&listed, &mut out))?);
    }
    let manifests = listing::manifest_text(&listed);
    let manifests = match &args.post_renderer {
        None => manifests,
        Some(program) => crate::post_render::run(program, &args.post_renderer_args, &manifests)?,
    };
    if let Some(folder) = args.overlay.folder() {
        return overlaid(folder, args.post_renderer.as_ref().map(|_| manifests), &listed, printer);
    }
    let text = listing::text(&manifests, &listed);
    let shown = if args.show_only.is_empty() { text } else { listing::show_only(&text, &args.show_only)? };
    Ok(printer.data(&shown)?)
}

/// Applies an overlay to the documents and prints what comes out; a post-renderer may have made other ones of them.
fn overlaid(folder: &Path, manifests: Option<String>, listed: &[Listed<'_>], printer: &Printer) -> Result<()> {
    let built = match manifests {
        None => overlay::overlay(folder, listed, printer)?,
        Some(text) => {
            let hooks = listed.iter().filter(|it| it.part == Part::Hook).cloned();
            let made = Listed { part: Part::Manifest, source: "", text: &text };
            overlay::overlay(folder, &std::iter::once(made).chain(hooks).collect::<Vec<_>>(), printer)?
        }
    };
    Ok(printer.data(&built.text()?)?)
}
