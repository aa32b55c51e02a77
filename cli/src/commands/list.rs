//! `kpkg list`: the releases of a cluster.

use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_release::Release;
use kpkg_release::record::Status;
use serde_json::Value;

use crate::format::Format;
use crate::printer::Printer;
use crate::session::PlaceArgs;
use crate::{runtime, show};

/// List releases
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,

    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    #[command(flatten)]
    statuses: StatusArgs,

    /// Only releases whose name matches this regular expression
    #[arg(short = 'f', long, value_name = "REGEX")]
    filter: Option<String>,

    /// Only releases whose record has these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    selector: String,

    /// By date, not by name
    #[arg(short, long)]
    date: bool,

    /// In reverse
    #[arg(short, long)]
    reverse: bool,

    /// How many to show at most (0: all)
    #[arg(short, long, value_name = "NUMBER", default_value_t = 256)]
    max: usize,

    /// How many to pass over
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    offset: usize,

    /// Names only
    #[arg(short = 'q', long)]
    short: bool,

    /// How times are written, in Go's layout, such as `2006-01-02 15:04:05Z0700`
    #[arg(long, value_name = "LAYOUT")]
    time_format: Option<String>,

    /// No headers
    #[arg(long)]
    no_headers: bool,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Which statuses are shown; without any, all.
#[derive(Debug, Clone, Copy, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of Helm's")]
struct StatusArgs {
    /// Only releases that are deployed
    #[arg(long)]
    deployed: bool,

    /// Only releases whose last operation failed
    #[arg(long)]
    failed: bool,

    /// Only releases that are being installed, upgraded or rolled back
    #[arg(long)]
    pending: bool,

    /// Only releases whose newest revision was superseded
    #[arg(long)]
    superseded: bool,

    /// Only releases that were uninstalled with their history kept
    #[arg(long)]
    uninstalled: bool,

    /// Only releases that are being uninstalled
    #[arg(long)]
    uninstalling: bool,

    /// All releases, as without any of these flags
    #[arg(short, long)]
    all: bool,
}

impl StatusArgs {
    fn wants(self, status: Status) -> bool {
        let Self { deployed, failed, pending, superseded, uninstalled, uninstalling, all } = self;
        if all || ![deployed, failed, pending, superseded, uninstalled, uninstalling].contains(&true) {
            return true;
        }
        match status {
            Status::Deployed => deployed,
            Status::Failed => failed,
            Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback => pending,
            Status::Superseded => superseded,
            Status::Uninstalled => uninstalled,
            Status::Uninstalling => uninstalling,
            Status::Unknown => false,
        }
    }
}

const HEADERS: [&str; 7] = ["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"];

/// Prints the newest revision of every release.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let (store, _) = args.place.records(args.all_namespaces).await?;
        let found = store.newest(&args.selector).await?;
        for (_, _, error) in &found.damaged {
            printer.warn(&error.to_string());
        }
        let releases = args.choose(found.releases)?;
        printer.data(&args.print(&releases)?)?;
        Ok(ExitCode::SUCCESS)
    })
}

impl Args {
    fn choose(&self, mut releases: Vec<Release>) -> Result<Vec<Release>> {
        releases.retain(|it| self.statuses.wants(it.info.status));
        if let Some(text) = &self.filter {
            let pattern = regex::Regex::new(text).with_context(|| format!("`{text}` is no regular expression"))?;
            releases.retain(|it| pattern.is_match(&it.name));
        }
        if self.date {
            releases.sort_by_key(|it| it.info.last_deployed);
        }
        if self.reverse {
            releases.reverse();
        }
        let max = if self.max == 0 { usize::MAX } else { self.max };
        Ok(releases.into_iter().skip(self.offset).take(max).collect())
    }

    fn print(&self, releases: &[Release]) -> Result<String> {
        if self.short {
            let names: Vec<Value> = releases.iter().map(|it| Value::from(it.name.clone())).collect();
            return self.output.many(&names, || releases.iter().map(|it| format!("{}\n", it.name)).collect());
        }
        let rows: Vec<Vec<String>> =
            releases.iter().map(|it| show::list_row(it, self.time_format.as_deref()).to_vec()).collect();
        let keys = HEADERS.map(|it| it.to_lowercase().replace(' ', "_"));
        let object = |row: &Vec<String>| keys.iter().cloned().zip(row.iter().cloned().map(Value::from)).collect();
        let objects: Vec<Value> = rows.iter().map(object).collect();
        self.output.many(&objects, || {
            let text = show::table(&HEADERS, &rows);
            if self.no_headers {
                text.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned())
            } else {
                text
            }
        })
    }
}
