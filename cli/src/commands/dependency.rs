//! `kpkg dependency`: the charts that a chart needs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kpkg_registry::dependency::{self, Outcome};

use crate::printer::Printer;
use crate::publish::{AccessArgs, LoginArgs};
use crate::{runtime, show};

/// List, update or build the dependencies of a chart
///
/// `update` chooses versions and writes `Chart.lock`; `build` brings what the lock names, and holds the digests
/// in it against what comes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List what `Chart.yaml` declares, and how it stands
    #[command(visible_alias = "ls")]
    List {
        /// Folder of the chart
        #[arg(default_value = ".")]
        chart: PathBuf,
    },
    /// Choose versions anew, fetch them, write `Chart.lock`
    #[command(visible_alias = "up")]
    Update(Box<FetchArgs>),
    /// Fetch what `Chart.lock` names
    Build(Box<FetchArgs>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct FetchArgs {
    /// Folder of the chart
    #[arg(default_value = ".")]
    chart: PathBuf,

    /// Use repositories' indexes as they were kept
    #[arg(long)]
    skip_refresh: bool,

    /// Time to note in the lock, in seconds since 1970; now if left out
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH", hide_env_values = true)]
    time: Option<i64>,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    login: LoginArgs,
}

/// Does what was asked.
pub(crate) fn run(command: Command, printer: &Printer) -> Result<ExitCode> {
    let (outcome, chart) = match command {
        Command::List { chart } => {
            list(&chart, printer)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Update(args) => (fetch(&args, true)?, args.chart),
        Command::Build(args) => (fetch(&args, false)?, args.chart),
    };
    for one in &outcome.charts {
        printer.say(&format!("{}: {one}", chart.join("charts").display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(args: &FetchArgs, update: bool) -> Result<Outcome> {
    let client = args.access.client(args.login.credentials())?;
    let time = match args.time {
        Some(seconds) => Timestamp::from_second(seconds).context("cannot note this time")?,
        None => Timestamp::now(),
    };
    let refresh = !args.skip_refresh;
    let outcome = runtime::runtime()?.block_on(async {
        if update {
            dependency::update(&client, &args.chart, refresh, time).await
        } else {
            dependency::build(&client, &args.chart, refresh, time).await
        }
    })?;
    Ok(outcome)
}

fn list(chart: &std::path::Path, printer: &Printer) -> Result<()> {
    let rows: Vec<Vec<String>> = dependency::list(chart)?
        .into_iter()
        .map(|it| vec![it.name, it.version, it.repository, it.status.to_owned()])
        .collect();
    if rows.is_empty() {
        printer.warn(&format!("no dependencies at {}", chart.join("charts").display()));
        return Ok(());
    }
    Ok(printer.data(&show::table(&["NAME", "VERSION", "REPOSITORY", "STATUS"], &rows))?)
}
