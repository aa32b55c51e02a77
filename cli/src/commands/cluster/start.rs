//! `kpkg cluster start`: in the background.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::Context;
use kpkg_server::{Request, Started, kubeconfig};

use super::{ClusterArgs, SettingArgs, block_on, told};
use crate::{printer::Printer, progress::Live};

/// Start the cluster in the background; returns when its node is ready.
///
/// A cluster that runs already is left alone. Access to it is written to `kubeconfig` in the data
/// directory, and merged into your kubeconfig as context `kpkg` (`kpkg-NAME` for other names).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    settings: SettingArgs,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let started = block_on(start(&args.settings.request(&args.cluster), printer))?;
    let name = &started.settings.name;
    if started.was_running {
        printer.say(&format!("cluster `{name}` is running already"));
    } else {
        printer.say(&format!("cluster `{name}` is ready after {:.2} s", begun.elapsed().as_secs_f64()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the cluster, and gives the user access to it.
pub(crate) async fn start(request: &Request, printer: &Printer) -> anyhow::Result<Started> {
    let exe = std::env::current_exe().context("cannot find this program's file")?;
    let live = Live::new(printer);
    let started = kpkg_server::start(request, &exe, |step| live.now(step)).await.map_err(told)?;
    live.finish();
    merge_kubeconfig(&started, printer);
    Ok(started)
}

/// Merges access to the cluster into the user's kubeconfig. Failing is worth a warning only: the
/// cluster runs, and its own kubeconfig is there.
fn merge_kubeconfig(started: &Started, printer: &Printer) {
    let Some(path) = user_kubeconfig() else { return };
    match kubeconfig::install(&started.layout, &started.settings, &path) {
        Ok(true) => printer.say(&format!("context `{}` is in {}", started.settings.context(), path.display())),
        Ok(false) => {}
        Err(error) => {
            let own = started.layout.kubeconfig();
            printer.warn(&format!("{error}; use `kubectl --kubeconfig {}`", own.display()));
        }
    }
}

/// The kubeconfig that the user's tools write to.
pub(super) fn user_kubeconfig() -> Option<PathBuf> {
    let home = std::env::home_dir();
    kubeconfig::user_path(std::env::var_os("KUBECONFIG").as_deref(), home.as_deref())
}
