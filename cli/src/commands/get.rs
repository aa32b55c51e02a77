//! `kpkg get`: what the record of a release holds.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_release::{Release, values};
use serde_json::{Value, json};

use crate::format::{self, Format};
use crate::printer::Printer;
use crate::session::PlaceArgs;
use crate::{runtime, show};

/// Show what is recorded of a release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Everything
    All(AllOf),
    /// Its hooks
    Hooks(One),
    /// Its rendered objects
    Manifest(One),
    /// Its metadata
    Metadata(Formatted),
    /// Its notes
    Notes(One),
    /// Its values
    Values(ValuesOf),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The release
    name: String,

    /// This revision instead of the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    revision: i64,

    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, clap::Args)]
struct AllOf {
    #[command(flatten)]
    one: One,

    /// Print what this Go template makes of it, such as `{{.Release.Name}}`
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Formatted {
    #[command(flatten)]
    one: One,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, clap::Args)]
struct ValuesOf {
    #[command(flatten)]
    formatted: Formatted,

    /// With the chart's own values
    #[arg(short, long)]
    all: bool,
}

/// Prints it.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let text = runtime::runtime()?.block_on(args.what.text())?;
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl What {
    async fn text(&self) -> Result<String> {
        match self {
            Self::All(AllOf { one, template }) => {
                let release = one.release().await?;
                match template {
                    Some(template) => show::by_template(&release, template),
                    None => show::everything(&release),
                }
            }
            Self::Hooks(one) => Ok(show::hooks(&one.release().await?)),
            Self::Manifest(one) => Ok(format!("{}\n", one.release().await?.manifest)),
            Self::Notes(one) => {
                let notes = one.release().await?.info.notes;
                Ok(if notes.is_empty() { notes } else { format!("NOTES:\n{notes}\n") })
            }
            Self::Metadata(Formatted { one, output }) => {
                let release = one.release().await?;
                output.value(&metadata(&release), || show::metadata(&release))
            }
            Self::Values(ValuesOf { formatted: Formatted { one, output }, all }) => {
                let release = one.release().await?;
                let (title, values) = if *all {
                    ("COMPUTED VALUES:", kpkg_yaml::Value::Map(values::computed(&release)?).to_json())
                } else {
                    ("USER-SUPPLIED VALUES:", release.config.clone())
                };
                output.value(&values, || format!("{title}\n{}", format::yaml(&values)))
            }
        }
    }
}

impl One {
    async fn release(&self) -> Result<Release> {
        Ok(self.place.history(&self.name).await?.revision(self.revision)?.clone())
    }
}

fn metadata(release: &Release) -> Value {
    let mut all = json!({
        "name": release.name,
        "chart": release.chart_metadata("name"),
        "version": release.chart_metadata("version"),
        "appVersion": release.chart_metadata("appVersion"),
        "namespace": release.namespace,
        "revision": release.version,
        "status": release.info.status,
        "deployedAt": release.info.last_deployed.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    });
    let chart = &release.chart["metadata"];
    let optional = [
        ("annotations", chart["annotations"].clone()),
        ("dependencies", chart["dependencies"].clone()),
        ("labels", json!(release.labels)),
        ("applyMethod", Value::from(release.apply_method.clone())),
    ];
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    for (key, value) in optional.into_iter().filter(|(_, value)| !empty(value)) {
        all[key] = value;
    }
    all
}
