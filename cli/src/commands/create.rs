//! `kpkg create`: a new chart.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use kpkg_chart::starter::{self, Starter};

use crate::failure::Hint;
use crate::printer::Printer;

/// Make a new chart
///
/// The chart runs one web application: a Deployment with probes and resources, a Service, and as values switch
/// them on an Ingress, an HTTPRoute, an autoscaler and a service account. Folders on the way are made; files that are
/// there already are replaced, others stay.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chart's folder, whose last part is its name
    #[arg(value_name = "NAME")]
    path: PathBuf,

    /// Write Jinja templates instead of Go's
    #[arg(long)]
    jinja: bool,

    /// Begin with a chart of your own: a path, or the name of one of Helm's starters
    #[arg(short = 'p', long, value_name = "CHART", conflicts_with = "jinja")]
    starter: Option<PathBuf>,
}

/// Makes it.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let starter = match (&args.starter, args.jinja) {
        (Some(path), _) => Starter::Chart(located(path)?),
        (None, true) => Starter::Jinja,
        (None, false) => Starter::Go,
    };
    printer.data(&format!("Creating {}\n", args.path.display()))?;
    for path in starter::create(&args.path, &starter)? {
        let path = std::path::absolute(&path).unwrap_or(path);
        printer.data(&format!("WARNING: File {:?} already exists. Overwriting.\n", path.display().to_string()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A starter's path: in the folder where Helm keeps starters, else as given if that leads somewhere.
fn located(path: &Path) -> Result<PathBuf> {
    let folder = starters(|name| std::env::var_os(name));
    let found = [folder.as_ref().map(|folder| folder.join(path)), Some(path.to_owned())];
    let found = found.into_iter().flatten().find(|path| path.exists());
    found.ok_or_else(|| {
        let shown = folder.map_or_else(|| "Helm's starters".to_owned(), |folder| folder.display().to_string());
        let hint = Hint(format!("give the path of a chart, or the name of one in {shown}"));
        anyhow::anyhow!("there is no starter `{}`", path.display()).context(hint)
    })
}

/// Where Helm keeps starters.
fn starters(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("HELM_DATA_HOME")
        .or_else(|| Some(set("XDG_DATA_HOME")?.join("helm")))
        .or_else(|| Some(set("HOME")?.join(".local/share/helm")));
    Some(data?.join("starters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starters_are_where_helm_keeps_them() {
        let with = |given: &'static str| {
            starters(move |name| (name == given).then(|| OsString::from("/x"))).map(|path| path.display().to_string())
        };
        assert_eq!(with("HELM_DATA_HOME").as_deref(), Some("/x/starters"));
        assert_eq!(with("XDG_DATA_HOME").as_deref(), Some("/x/helm/starters"));
        assert_eq!(with("HOME").as_deref(), Some("/x/.local/share/helm/starters"));
        assert_eq!(with("NONE"), None);
    }
}
