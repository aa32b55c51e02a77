//! How long it takes to attach a pod, and to detach it.
//!
//! Run it as root in namespaces of its own:
//! `cargo build --release -p kpkg-network --example pods && unshare --net --mount
//! target/release/examples/pods [pods] [at a time]`

use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kpkg_network::{NetworkConfig, PodNetwork};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let at_a_time: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let (pods, services) = ("10.42.0.0/16".parse()?, "10.43.0.0/16".parse()?);
    let node = IpAddr::from([192, 0, 2, 1]);
    let mut config = NetworkConfig::new("bench", pods, services, &dir.path().join("net"), node)?;
    config.run_dir = dir.path().join("run");
    let start = Instant::now();
    let network = PodNetwork::open(config.clone()).await?;
    let mut lines = vec![format!("open    {:?}", start.elapsed())];
    for (name, attach) in [("attach", true), ("attach again", true), ("detach", false)] {
        let start = Instant::now();
        let timed = |index: usize| {
            let network = &network;
            async move {
                let start = Instant::now();
                let pod = format!("pod-{index}");
                if attach {
                    network.attach(&pod).await?;
                } else {
                    network.detach(&pod).await?;
                }
                Ok::<_, kpkg_network::Error>(start.elapsed())
            }
        };
        let all = futures::stream::iter(0..count).map(timed).buffer_unordered(at_a_time);
        let results: Vec<_> = all.collect().await;
        let mut times = results.into_iter().collect::<Result<Vec<Duration>, _>>()?;
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        let (p50, p99, all) = (at(50), at(99), start.elapsed());
        lines.push(format!("{name}: {count} pods in {all:?}, p50 {p50:?}, p99 {p99:?}"));
    }
    drop(network);
    PodNetwork::teardown(&config).await?;
    std::io::Write::write_all(&mut std::io::stdout(), (lines.join("\n") + "\n").as_bytes())?;
    Ok(())
}
