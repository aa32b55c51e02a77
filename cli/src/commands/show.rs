//! `kpkg show`: what a chart says of itself.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_chart::description::{Part, describe};
use kpkg_chart::jsonpath::{self, JsonPathError};

use crate::printer::Printer;
use crate::publish::ChartArgs;
use crate::render;

/// Show what a chart says of itself
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Metadata, values, README and CRDs
    All(Reference),
    /// The metadata: Chart.yaml
    Chart(Reference),
    /// The default values: values.yaml, comments and all
    Values(Values),
    /// The README
    Readme(Reference),
    /// The custom resource definitions
    Crds(Reference),
}

#[derive(Debug, clap::Args)]
struct Values {
    #[command(flatten)]
    reference: Reference,

    /// Show what this template makes of the values, such as '{.image.tag}'
    #[arg(long, value_name = "TEMPLATE")]
    jsonpath: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Reference {
    /// Bundled chart's name, folder, archive, URL, `oci://...` or REPOSITORY/NAME
    chart: String,

    #[command(flatten)]
    source: ChartArgs,
}

/// Prints it.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let (part, Reference { chart, source }) = match args.what {
        What::All(reference) => (Part::All, reference),
        What::Chart(reference) => (Part::Metadata, reference),
        What::Values(Values { reference, jsonpath }) => match jsonpath.filter(|template| !template.is_empty()) {
            None => (Part::Values, reference),
            Some(template) => return answer(&reference, &template, printer),
        },
        What::Readme(reference) => (Part::Readme, reference),
        What::Crds(reference) => (Part::Crds, reference),
    };
    printer.data(&describe(&render::load_from(&chart, &source)?, part))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what a template makes of the values; where it does not fit them, nothing (Helm's rule), but not without a word.
fn answer(reference: &Reference, template: &str, printer: &Printer) -> Result<ExitCode> {
    let chart = render::load_from(&reference.chart, &reference.source)?;
    let values = kpkg_yaml::Value::Map((*chart.values).clone()).to_json();
    match jsonpath::evaluate(template, &values) {
        Err(error @ JsonPathError::Unanswered { .. }) => printer.warn(&error.to_string()),
        answer => printer.data(&answer?)?,
    }
    Ok(ExitCode::SUCCESS)
}
