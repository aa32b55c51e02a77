//! `kpkg cluster`: the embedded Kubernetes.

mod delete;
mod run;
mod start;
mod status;
mod stop;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use kpkg_server::{IpNet, Request};

use crate::{failure::Hint, printer::Printer};

pub(crate) use start::start;

/// Start, look at, stop and delete the embedded Kubernetes cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Start(start::Args),
    Run(run::Args),
    Status(status::Args),
    Stop(stop::Args),
    Delete(delete::Args),
}

/// Which cluster of this machine.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ClusterArgs {
    /// Name of the cluster; several can run side by side
    #[arg(long, env = "KPKG_CLUSTER", value_name = "NAME")]
    name: Option<String>,

    /// Where the cluster keeps its things [default: /var/lib/kpkg/NAME]
    #[arg(long, env = "KPKG_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// What is chosen at the first start and kept.
#[derive(Debug, Clone, Default, clap::Args)]
struct SettingArgs {
    /// Addresses for pods [default: a range that nobody uses, 10.42.0.0/16 if it is free]
    #[arg(long, value_name = "RANGE")]
    pod_cidr: Option<IpNet>,

    /// Addresses for services [default: a range that nobody uses, 10.43.0.0/16 if it is free]
    #[arg(long, value_name = "RANGE")]
    service_cidr: Option<IpNet>,

    /// Port of the API server [default: 6443; for clusters with another name than `default` the next free one]
    #[arg(long, value_name = "PORT")]
    api_port: Option<u16>,
}

/// Runs one of the commands.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        Command::Start(args) => start::run(&args, printer),
        Command::Run(args) => run::run(&args),
        Command::Status(args) => status::run(&args, printer),
        Command::Stop(args) => stop::run(&args, printer),
        Command::Delete(args) => delete::run(&args, printer),
    }
}

impl ClusterArgs {
    /// What the engine of the cluster is asked for.
    pub(crate) fn request(&self) -> Request {
        Request { name: self.name.clone(), data_dir: self.data_dir.clone(), ..Request::default() }
    }
}

impl SettingArgs {
    fn request(&self, cluster: &ClusterArgs) -> Request {
        Request {
            pod_cidr: self.pod_cidr,
            service_cidr: self.service_cidr,
            api_port: self.api_port,
            ..cluster.request()
        }
    }
}

/// The error with its advice.
pub(crate) fn told(error: kpkg_server::Error) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::Error::new(error).context(Hint(hint)),
        None => error.into(),
    }
}

/// Runs a command's future to its end.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(future)
}
