//! `kpkg lint`: what is wrong with a chart, or could be better.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use kpkg_chart::lint::{self, Report, Settings, Severity};

use crate::memory::Bound;
use crate::printer::Printer;
use crate::render::ValuesArgs;
use crate::{rendering, target};

/// Check charts for mistakes
///
/// The rules are Helm's, in Helm's words, and kpkg's own, whose messages end with the rule's name. A rule is
/// switched off by `--disable NAME`, for a whole chart by the annotation `kpkg/lint-disable: NAME,...` in
/// its Chart.yaml, and for one file by a comment in it: `kpkg-lint: disable=NAME,...`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders or archives of charts
    #[arg(value_name = "CHART", default_value = ".")]
    charts: Vec<PathBuf>,

    #[command(flatten)]
    values: ValuesArgs,

    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,

    /// Print only warnings and errors
    #[arg(long)]
    quiet: bool,

    /// Check the charts in `charts/`, too
    #[arg(long)]
    with_subcharts: bool,

    /// Do not check values against `values.schema.json`
    #[arg(long)]
    skip_schema_validation: bool,

    /// Version of Kubernetes that templates see, and that decides what is deprecated
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,

    /// Namespace that templates see
    #[arg(short, long, value_name = "NAME", env = target::NAMESPACE, hide_env = true)]
    namespace: Option<String>,

    /// Switch rules off; `own` stands for all that Helm does not have
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    disable: Vec<String>,

    /// Switch rules on again that an earlier `--disable` names
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    enable: Vec<String>,

    /// List the rules
    #[arg(long)]
    list_rules: bool,
}

/// Checks, and prints as Helm does.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    if args.list_rules {
        printer.data(&rules())?;
        return Ok(ExitCode::SUCCESS);
    }
    let inputs = args.values.inputs()?;
    kpkg_chart::values::supplied(&inputs)?;
    let disabled = disabled(&args)?;
    let given = args.namespace.clone().filter(|name| !name.is_empty());
    let namespace = given.unwrap_or_else(|| target::context_namespace(None, None));
    let settings = Settings {
        inputs: &inputs,
        namespace: &namespace,
        kube_version: rendering::kube_version(args.kube_version.as_ref())?,
        skip_schema: args.skip_schema_validation,
        strict_values: args.values.strict_values,
        disabled: &disabled,
    };
    let mut charts = args.charts.clone();
    if args.with_subcharts {
        args.charts.iter().for_each(|chart| subcharts(&chart.join("charts"), 0, &mut charts));
    }
    let least = if args.strict { Severity::Warning } else { Severity::Error };
    let (mut text, mut failed, mut noted) = (String::new(), 0, 0);
    for chart in &charts {
        let _bound = Bound::for_any();
        let report = lint::lint(chart, &settings);
        let is_noted = report.has(Severity::Warning);
        noted += usize::from(is_noted);
        failed += usize::from(report.has(least));
        if is_noted || !args.quiet {
            text.push_str(&shown(chart, &report, args.quiet));
        }
    }
    let summary = format!("{} chart(s) linted, {failed} chart(s) failed", charts.len());
    if failed > 0 {
        printer.data(&text)?;
        bail!(summary);
    }
    if noted > 0 || !args.quiet {
        text.push_str(&format!("{summary}\n"));
    }
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn shown(chart: &Path, report: &Report, quiet: bool) -> String {
    let mut text = format!("==> Linting {}\n", chart.display());
    if let Some(problem) = &report.refused {
        text.push_str(&format!("Error {problem}\n"));
    }
    for message in report.messages.iter().filter(|message| !quiet || message.severity > Severity::Info) {
        text.push_str(&format!("{message}\n"));
    }
    text.push('\n');
    text
}

/// The rules to leave out.
fn disabled(args: &Args) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in &args.disable {
        match name.as_str() {
            "own" => names.extend(lint::rules().iter().filter(|rule| !rule.is_helms).map(|rule| rule.name.to_owned())),
            _ => names.push(name.clone()),
        }
    }
    if let Some(unknown) = names.iter().chain(&args.enable).find(|name| !is_rule(name)) {
        bail!("there is no rule `{unknown}`: `kpkg lint --list-rules` names them");
    }
    names.retain(|name| !args.enable.contains(name));
    Ok(names)
}

fn is_rule(name: &str) -> bool {
    lint::rules().iter().any(|rule| rule.name == name)
}

fn rules() -> String {
    let rows = lint::rules().iter().map(|rule| {
        let origin = if rule.is_helms { "helm" } else { "own" };
        vec![rule.name.to_owned(), origin.to_owned(), rule.about.to_owned()]
    });
    crate::show::table(&["RULE", "ORIGIN", "ASKS THAT"], &rows.collect::<Vec<_>>())
}

/// How deep charts are looked for in charts.
const MAX_DEPTH: usize = 32;

/// Folders with a `Chart.yaml`, and archives, in the order of their names.
fn subcharts(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|_| depth < MAX_DEPTH) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name == "Chart.yaml" {
            found.push(folder.to_owned());
        } else if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
            found.push(path.clone());
        } else if path.is_dir() {
            subcharts(path, depth + 1, found);
        }
    }
}
