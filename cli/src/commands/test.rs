//! `kpkg test`: runs the tests that a release's chart brings.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use kpkg_release::testing::{self, Filter};
use kpkg_release::{Settings, hooks};

use crate::format::Format;
use crate::holder::holder;
use crate::options;
use crate::printer::Printer;
use crate::progress::Live;
use crate::session::PlaceArgs;
use crate::{durations, runtime, show};

/// Run the tests of a release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release
    name: String,

    /// Print the tests' logs
    #[arg(long)]
    logs: bool,

    /// Which tests to run: `name=NAME`, or `!name=NAME` for all others
    #[arg(long, value_name = "FILTER", value_delimiter = ',')]
    filter: Vec<String>,

    /// How long each test may take
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = durations::parse)]
    timeout: Duration,

    #[command(flatten)]
    place: PlaceArgs,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Runs them and prints how they went.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let session = args.place.session().await?;
        let settings = Settings { apply: options::patient(args.timeout), ..options::plain(session.driver) };
        let filter = args.filters();
        let live = Live::new(printer);
        let (cluster, namespace) = (&session.cluster, &session.namespace);
        let tested = testing::test(cluster, &args.name, namespace, &filter, &settings, &holder(), &live).await;
        live.finish();
        let tested = tested?;
        printer.data(&args.output.one(&tested.release, || show::status(&tested.release, true))?)?;
        if args.logs {
            for id in &tested.objects {
                for (pod, container, text) in hooks::pod_logs(cluster, id).await {
                    printer.data(&format!("\nPOD LOGS: {pod} ({container})\n{text}\n"))?;
                }
            }
        }
        tested.outcome?;
        Ok(ExitCode::SUCCESS)
    })
}

impl Args {
    fn filters(&self) -> Filter {
        let mut filter = Filter::default();
        for text in &self.filter {
            if let Some(name) = text.strip_prefix("name=") {
                filter.include.push(name.to_owned());
            } else if let Some(name) = text.strip_prefix('!').and_then(|it| it.trim_start().strip_prefix("name=")) {
                filter.exclude.push(name.to_owned());
            }
        }
        filter
    }
}
