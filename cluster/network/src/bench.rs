//! What `examples/services.rs` measures; not for use.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host::Addresses;
use crate::nft::{Backend, Claims, Frontend, Kernel, Layout, Protocol};
use crate::proxy::{Ours, Table};
use crate::services::ServiceKey;
use crate::{Error, NetworkConfig};

/// Times of one run.
#[derive(Debug, Default)]
pub struct Report {
    /// All services at once, into an empty table.
    pub all: Duration,
    /// Reading everything back and finding it right.
    pub resync: Duration,
    /// Asking whether somebody else changed anything.
    pub audit: Duration,
    /// One endpoint of one service replaced, sorted.
    pub endpoint: Vec<Duration>,
    /// One service scaled between two and three endpoints, sorted.
    pub scale: Vec<Duration>,
    /// One service added or removed, sorted.
    pub service: Vec<Duration>,
}

/// Fills a table with `count` services of three endpoints each, then changes single ones.
pub fn services(config: &NetworkConfig, count: u32, rounds: usize) -> Result<Report, Error> {
    let addresses = Addresses::of(config)?;
    let mut kernel = Kernel::open(Layout::new(config, &addresses))?;
    kernel.ensure_layout()?;
    let ours = Ours {
        pods: addresses.pods,
        services: addresses.services,
        dns: addresses.dns,
        node_ports: config.node_port_range.clone(),
    };
    let mut table = Table::new(kernel, ours);
    table.sync()?;
    let mut report = Report::default();
    for index in 0..count {
        table.desired().set(&key(index), claims(index, 3, 0));
    }
    report.all = time(|| table.sync().map(drop))?;
    report.audit = time(|| table.audit().map(drop))?;
    report.resync = time(|| table.resync().map(drop))?;
    for round in 0..rounds {
        let index = u32::try_from(round).unwrap_or(0) % count;
        let mut change = |claims: Claims| {
            time(|| {
                table.desired().set(&key(index), claims);
                table.sync().map(drop)
            })
        };
        report.endpoint.push(change(claims(index, 3, 7))?);
        report.scale.push(change(claims(index, 2, 7))?);
        report.scale.push(change(claims(index, 3, 7))?);
        report.service.push(change(Claims::new())?);
        report.service.push(change(claims(index, 3, 7))?);
    }
    for times in [&mut report.endpoint, &mut report.scale, &mut report.service] {
        times.sort();
    }
    Ok(report)
}

fn time(work: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn key(index: u32) -> ServiceKey {
    ServiceKey { namespace: "bench".to_owned(), name: format!("service-{index}") }
}

fn claims(index: u32, endpoints: u32, shift: u32) -> Claims {
    let address = |base: u32, offset: u32| Ipv4Addr::from(base + offset);
    let pods = u32::from(Ipv4Addr::new(10, 42, 1, 0));
    let services = u32::from(Ipv4Addr::new(10, 43, 1, 0));
    let endpoints = (0..endpoints).map(|n| SocketAddrV4::new(address(pods, index * 10 + n + shift), 8080)).collect();
    let frontend = Frontend { address: address(services, index), protocol: Protocol::Tcp, port: 80 };
    Claims::from([(frontend, Arc::new(Backend { endpoints, sticky: None }))])
}
