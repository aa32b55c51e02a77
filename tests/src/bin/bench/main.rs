//! The benchmarks of the cluster (start, memory, API rates, pods) and of releases. Prints one line a figure.
//!
//! Run by `cargo xtask bench [releases]` as root. Times are of this machine at this moment: quote ratios.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod api;
mod pods;
mod releases;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kpkg_tests::{Machine, images};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [word, kubeconfig] = args.as_slice()
        && word == "inside"
    {
        return inside(kubeconfig);
    }
    if let [word, charts @ ..] = args.as_slice()
        && word == "releases"
    {
        return releases::run(charts.first().map(std::path::Path::new));
    }
    let size = std::fs::metadata(kpkg_tests::kpkg())?.len();
    println!("size of the binary: {:.1} MB", size as f64 / 1e6);

    let machine = Machine::new();
    let begun = Instant::now();
    machine.kpkg(&["cluster", "start"]).ok();
    println!("first start to Ready: {}", show(begun.elapsed()));
    machine.kpkg(&["cluster", "stop"]).ok();
    let begun = Instant::now();
    machine.kpkg(&["cluster", "start"]).ok();
    println!("start to Ready: {}", show(begun.elapsed()));
    machine.kpkg(&["image", "load", &images::busybox().display().to_string()]).ok();
    std::thread::sleep(Duration::from_secs(5));
    println!("memory of the idle cluster: {:.1} MB resident", resident(&machine)? as f64 / 1e6);

    let kubeconfig = machine.data_dir().join("kubeconfig");
    let program = std::env::current_exe()?;
    let status = machine.command(program).arg("inside").arg(kubeconfig).status()?;
    anyhow::ensure!(status.success(), "the benchmarks inside failed");
    println!("memory after the benchmarks: {:.1} MB resident", resident(&machine)? as f64 / 1e6);
    machine.delete_cluster();
    Ok(())
}

/// What runs in the machine's namespaces, against its cluster.
fn inside(kubeconfig: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig)?;
        let config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?;
        let client = kube::Client::try_from(config)?;
        api::run(client.clone()).await?;
        pods::run(client).await
    })
}

/// The resident memory of the server, in bytes.
fn resident(machine: &Machine) -> Result<u64> {
    let status: serde_json::Value = serde_json::from_str(&machine.kpkg(&["cluster", "status", "-o", "json"]).ok())?;
    let text = machine.run("cat", &[&format!("/proc/{}/status", status["pid"])]).ok();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the server has memory")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

/// A duration for people.
fn show(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The value below which `share` of the times lie.
fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort();
    #[expect(clippy::cast_possible_truncation, reason = "an index into the slice")]
    let index = ((times.len().saturating_sub(1)) as f64 * share).round() as usize;
    times.get(index).copied().unwrap_or_default()
}
