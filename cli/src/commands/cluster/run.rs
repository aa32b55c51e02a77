//! `kpkg cluster run`: in the foreground.

use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{ClusterArgs, SettingArgs, told};

/// Files that the server may have open.
const OPEN_FILES: u64 = 65_536;

/// Run the cluster in the foreground, for a service manager.
///
/// Speaks systemd's notify protocol (`Type=notify`). SIGTERM and SIGINT stop the server; containers
/// go on and are taken up again by the next start (`KillMode=process` in a systemd unit).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    settings: SettingArgs,

    /// Leave the session of the terminal
    #[arg(long, hide = true)]
    detached: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.detached {
        // It fails only where we lead a session already.
        let _ = rustix::process::setsid();
    }
    prepare_process();
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.clamp(2, 4))
        .thread_name("kpkg")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(args))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes this process fit to run pods, whatever shell started it.
fn prepare_process() {
    // Volumes have the modes that pods expect.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Each pod, watch and connection takes files; shells allow a thousand.
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::warn!(%error, "cannot raise the limit of open files");
        }
    }
}

async fn serve(args: &Args) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    cancel_on_signals(shutdown.clone()).context("cannot listen for signals")?;
    let prepared = kpkg_server::prepare(&args.settings.request(&args.cluster)).await;
    let (layout, settings) = prepared.inspect_err(kpkg_server::report_failure).map_err(told)?;
    kpkg_server::run(layout, settings, shutdown).await.map_err(told)
}

fn cancel_on_signals(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
