//! `kpkg plan`: what an operation would do, shown and stored.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_release::{Planned, Settings, draft, operation};

use crate::commands::upgrade::ReuseArgs;
use crate::drafting::{self, Drafted, Ground, Request};
use crate::options::{ChangeArgs, OperationArgs};
use crate::overlay::OverlayArgs;
use crate::printer::Printer;
use crate::publish::ChartArgs;
use crate::render::ValuesArgs;
use crate::session::PlaceArgs;
use crate::{runtime, show};

/// Show what an operation would do, and store it for `kpkg apply`
///
/// Every write is rehearsed on the server. The stored plan holds whole objects, Secrets too, and is readable
/// by its owner only.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Plan an installation
    Install(Make),
    /// Plan an upgrade, or an installation if there is no such release
    Upgrade(Make),
    /// Plan a rollback
    Rollback(Back),
}

#[derive(Debug, clap::Args)]
struct Make {
    /// The release
    name: String,

    /// The chart: a bundled chart's name, a folder, an archive, `oci://...`, REPOSITORY/NAME or a URL; without it, the bundled chart of that name
    chart: Option<String>,

    #[command(flatten)]
    source: ChartArgs,

    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    overlay: OverlayArgs,

    #[command(flatten)]
    reuse: ReuseArgs,

    #[command(flatten)]
    change: ChangeArgs,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Back {
    /// The release
    name: String,

    /// The revision to go back to; without it, the one before the newest
    #[arg(default_value_t = 0, hide_default_value = true)]
    revision: i64,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    operation: OperationArgs,

    /// Where to store the plan
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Plans, shows, stores.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let (planned, common) = match &args.what {
            What::Install(make) => (make.plan(false, printer).await?, &make.common),
            What::Upgrade(make) => (make.plan(true, printer).await?, &make.common),
            What::Rollback(back) => (back.plan().await?, &back.common),
        };
        printer.data(&show::plan(&planned.plan, printer.colours_data()))?;
        if let Some(path) = &common.output {
            store(&planned, path).with_context(|| format!("cannot write {}", path.display()))?;
            printer.say(&format!("`kpkg apply {}` does exactly this", path.display()));
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes a plan for its owner only: it holds Secrets.
fn store(planned: &Planned, path: &std::path::Path) -> Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(&planned.to_file()?)?;
    Ok(())
}

impl Make {
    async fn plan(&self, upgrade: bool, printer: &Printer) -> Result<Planned> {
        let session = self.common.place.session().await?;
        let settings = self.common.operation.settings(session.driver, Some(&self.change));
        let history = session.history(&self.name).await?;
        let exists = !history.is_gone() && !history.is_attempt();
        let request = Request {
            name: &self.name,
            chart: self.change.rendering.load(self.chart.as_deref().unwrap_or(&self.name), &self.source)?,
            source: &self.source,
            values: &self.values,
            overlay: &self.overlay,
            change: &self.change,
            upgrade: (upgrade && exists).then(|| self.reuse.reuse()),
        };
        let Drafted { draft, history, .. } =
            drafting::draft(Ground::Cluster(&session), request, &settings, printer).await?;
        Ok(operation::plan(&session.cluster, draft, &history, &settings).await?)
    }
}

impl Back {
    async fn plan(&self) -> Result<Planned> {
        let session = self.common.place.session().await?;
        let settings: Settings = self.common.operation.settings(session.driver, None);
        let history = session.history(&self.name).await?;
        let draft = draft::rollback(self.revision, &history, &settings, &session.cluster)?;
        Ok(operation::plan(&session.cluster, draft, &history, &settings).await?)
    }
}
