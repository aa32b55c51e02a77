//! `kpkg cluster status`.

use std::process::ExitCode;

use anyhow::Context;
use kpkg_server::{State, Status};

use super::{ClusterArgs, block_on, told};
use crate::printer::Printer;

/// Show how the cluster is. Fails if it is not ready.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,

    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Output {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<ExitCode> {
    let request = args.cluster.request();
    let status = block_on(async { kpkg_server::status(&request).await.map_err(told) })?;
    let text = match args.output {
        Output::Table => table(&status),
        Output::Json => serde_json::to_string_pretty(&status).context("cannot print the status")? + "\n",
    };
    printer.data(&text)?;
    Ok(if status.state == State::Ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(status: &Status) -> String {
    let state = match (status.state, status.pid) {
        (State::Ready, Some(pid)) => format!("ready (process {pid})"),
        (_, Some(pid)) => format!("not ready (process {pid})"),
        (_, None) => "stopped".to_owned(),
    };
    let mut rows = vec![("cluster", status.name.clone()), ("state", state)];
    rows.extend(status.version.clone().map(|version| ("version", version)));
    rows.extend(status.memory.map(|bytes| ("memory", format!("{} MB", bytes >> 20))));
    rows.extend([
        ("api server", status.server.clone()),
        ("kubeconfig", status.kubeconfig.display().to_string()),
        ("data", status.data_dir.display().to_string()),
        ("pod range", status.pod_cidr.clone()),
        ("service range", status.service_cidr.clone()),
    ]);
    if status.pid.is_some() {
        let ready = |ready| if ready { "ready" } else { "not ready" };
        rows.extend(status.nodes.iter().map(|node| ("node", format!("{} ({})", node.name, ready(node.ready)))));
        rows.push(("pods", format!("{} running of {}", status.pods.running, status.pods.total)));
    }
    rows.into_iter().map(|(name, value)| format!("{name:<15}{value}\n")).collect()
}
