//! How long a change of services takes to reach the kernel.
//!
//! Run it as root in a network namespace of its own:
//! `cargo build --release -p kpkg-network --example services && unshare --net
//! target/release/examples/services [services] [rounds]`

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use kpkg_network::{NetworkConfig, bench};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(5_000), |text| text.parse())?;
    let rounds = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let config = NetworkConfig::new(
        "bench",
        "10.42.0.0/16".parse()?,
        "10.43.0.0/16".parse()?,
        Path::new("/nonexistent"),
        IpAddr::from([192, 0, 2, 1]),
    )?;
    let report = bench::services(&config, count, rounds)?;
    let mut lines = vec![
        format!("{count} services of 3 endpoints, {rounds} rounds"),
        format!("all at once        {:?}", report.all),
        format!("audit, untouched   {:?}", report.audit),
        format!("read and compare   {:?}", report.resync),
    ];
    for (name, times) in [
        ("endpoint replaced ", &report.endpoint),
        ("scaled 2 <-> 3    ", &report.scale),
        ("service +/-       ", &report.service),
    ] {
        let at = |share: usize| times.get(times.len() * share / 100).copied();
        let at = |share| at(share).unwrap_or(Duration::ZERO);
        lines.push(format!("{name} p50 {:?}  p99 {:?}", at(50), at(99)));
    }
    std::io::Write::write_all(&mut std::io::stdout(), (lines.join("\n") + "\n").as_bytes())?;
    Ok(())
}
