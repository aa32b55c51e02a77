//! `kpkg uninstall`: removes a release and what it brought.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use kpkg_release::apply::{ApplySettings, Wait};
use kpkg_release::cluster::Cascade;
use kpkg_release::uninstall::Uninstalled;
use kpkg_release::{ReleaseError, Settings, uninstall};

use crate::holder::holder;
use crate::options;
use crate::printer::Printer;
use crate::progress::Live;
use crate::session::{PlaceArgs, Session};
use crate::{durations, runtime, show};

/// Uninstall releases
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The releases
    #[arg(required = true)]
    names: Vec<String>,

    /// Keep the record of the release
    #[arg(long)]
    keep_history: bool,

    /// Do not fail if there is no such release
    #[arg(long)]
    ignore_not_found: bool,

    /// What becomes of the dependents of deleted objects
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    cascade: CascadeArg,

    /// Do not run hooks
    #[arg(long)]
    no_hooks: bool,

    /// Wait until the objects are gone (`watcher`, `legacy`), or only for hooks (`hookOnly`)
    #[arg(long, value_name = "STRATEGY", default_value = "watcher", num_args = 0..=1, default_missing_value = "watcher",
          require_equals = true, value_parser = ["watcher", "hookOnly", "legacy", "true", "false"])]
    wait: String,

    /// How long to wait until the objects are gone
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = durations::parse)]
    timeout: Duration,

    /// What the record says, if it is kept
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum CascadeArg {
    /// They are deleted afterwards
    #[default]
    Background,
    /// They are deleted first
    Foreground,
    /// They stay
    Orphan,
}

/// Uninstalls each.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    runtime::runtime()?.block_on(async {
        let session = args.place.session().await?;
        for name in &args.names {
            match args.one(&session, name, printer).await {
                Err(error) if args.ignore_not_found && is_not_found(&error) => {
                    printer.say(&format!("release \"{name}\" is not installed"));
                }
                outcome => outcome?,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn is_not_found(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ReleaseError::NotFound { .. }))
}

impl Args {
    fn settings(&self, session: &Session) -> Settings {
        let cascade = match self.cascade {
            CascadeArg::Background => Cascade::Background,
            CascadeArg::Foreground => Cascade::Foreground,
            CascadeArg::Orphan => Cascade::Orphan,
        };
        let wait = if ["hookOnly", "false"].contains(&self.wait.as_str()) { Wait::HookOnly } else { Wait::Watcher };
        Settings {
            apply: ApplySettings { wait, cascade, ..options::patient(self.timeout) },
            hooks: !self.no_hooks,
            description: self.description.clone(),
            ..options::plain(session.driver)
        }
    }

    async fn one(&self, session: &Session, name: &str, printer: &Printer) -> Result<()> {
        if self.dry_run {
            let plan = uninstall::plan(&session.cluster, &session.history(name).await?, !self.no_hooks).await?;
            printer.data(&show::plan(&plan, printer.colours_data()))?;
            return Ok(());
        }
        let settings = self.settings(session);
        let live = Live::new(printer);
        let (cluster, namespace) = (&session.cluster, &session.namespace);
        let done = uninstall::uninstall(cluster, name, namespace, self.keep_history, &settings, &holder(), &live).await;
        live.finish();
        let Uninstalled { kept, lingering, .. } = done?;
        for id in &lingering {
            printer.warn(&format!("{id} still exists; something holds it back (its finalizers?)"));
        }
        if !kept.is_empty() {
            let kept: String = kept.iter().map(|id| format!("[{}] {}\n", id.kind, id.name)).collect();
            printer.data(&format!("These resources were kept due to the resource policy:\n{kept}\n"))?;
        }
        printer.data(&format!("release \"{name}\" uninstalled\n"))?;
        Ok(())
    }
}
