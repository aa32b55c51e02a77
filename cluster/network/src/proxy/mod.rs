//! Services and EndpointSlices become packet rules.
//!
//! `decide` says what one service asks for; `table` brings the kernel in step, one
//! transaction for all that changed since the last; `listener` serves node ports on the host's
//! loopback, where the kernel cannot.

mod decide;
mod listener;
mod stale;
mod table;

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::error::as_dyn;
use crate::host::{self, Addresses};
use crate::netlink::route::Router;
use crate::nft::{Kernel, Layout, Replaced};
use crate::pod::blocking;
use crate::services::{Feed, ServiceKey};
use crate::{Error, NetworkConfig};

use listener::Listeners;
pub(crate) use stale::Ours;
use table::Synced;
pub(crate) use table::Table;

/// How often the kernel is asked whether somebody else changed its rules: one small message.
const AUDIT: Duration = Duration::from_secs(5);

/// Keeps the kernel's service rules equal to what the API says, until `token` is cancelled.
/// The rules stay when it ends: services go on while kpkg restarts.
pub async fn run(client: Client, config: NetworkConfig, token: CancellationToken) -> Result<(), Error> {
    let addresses = Addresses::of(&config)?;
    let layout = Layout::new(&config, &addresses);
    let kernel = blocking("open the packet rules", move || Kernel::open(layout)).await?;
    let ours = Ours {
        pods: addresses.pods,
        services: addresses.services,
        dns: addresses.dns,
        node_ports: config.node_port_range.clone(),
    };
    let mut proxy = Proxy {
        table: Some(Table::new(kernel, ours)),
        feed: Feed::new(client),
        listeners: Listeners::default(),
        pending: Pending::Everything,
        config,
        addresses,
    };
    token.run_until_cancelled(proxy.serve()).await.unwrap_or(Ok(()))
}

/// What the kernel may still remember wrongly, because a step failed or was not yet taken.
#[derive(Debug)]
enum Pending {
    Everything,
    These(Vec<Replaced>),
}

struct Proxy {
    /// Taken only while a blocking thread works on it.
    table: Option<Table>,
    feed: Feed,
    listeners: Listeners,
    pending: Pending,
    config: NetworkConfig,
    addresses: Addresses,
}

impl Proxy {
    async fn serve(&mut self) -> Result<(), Error> {
        let mut audit = interval(AUDIT);
        audit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listed = false;
        loop {
            let touched = tokio::select! {
                touched = self.feed.next() => Some(touched),
                _ = audit.tick(), if listed => None,
            };
            listed = true;
            let looking = touched.is_none();
            self.take_up(touched.unwrap_or_default());
            if let Err(error) = self.sync(looking).await {
                if self.table.is_none() {
                    return Err(error);
                }
                tracing::warn!(error = as_dyn(&error), "the packet rules are behind; trying again");
            }
            if looking && let Err(error) = keep_forwarding(self.config.clone()).await {
                tracing::warn!(error = as_dyn(&error), "cannot keep IPv4 forwarding on");
            }
        }
    }

    fn take_up(&mut self, touched: BTreeSet<ServiceKey>) {
        let Some(table) = &mut self.table else { return };
        let model = self.feed.model();
        for key in touched {
            let slices: Vec<_> = model.slices(&key).collect();
            let claims = decide::decide(model.service(&key), &slices, self.addresses.dns);
            let replaced = table.desired().set(&key, claims);
            for one in replaced.iter().filter(|one| one.frontend.is_node_port()) {
                let backend = table.desired().backend(one.frontend).cloned();
                self.listeners.set(one.frontend.protocol, one.frontend.port, backend);
            }
            if let Pending::These(pending) = &mut self.pending {
                pending.extend(replaced);
            }
        }
    }

    /// One transaction, then what the kernel should forget. What fails is left for next time.
    async fn sync(&mut self, looking: bool) -> Result<(), Error> {
        let Some(mut table) = self.table.take() else { return Ok(()) };
        let pending = std::mem::replace(&mut self.pending, Pending::These(Vec::new()));
        let (table, pending, result) = blocking("change the packet rules", move || {
            let result = step(&mut table, &pending, looking);
            Ok((table, pending, result))
        })
        .await?;
        self.table = Some(table);
        match result {
            Ok(synced) => {
                if looking && synced != Synced::Changed {
                    tracing::warn!("somebody else changed the packet rules; mended");
                }
                Ok(())
            }
            Err(error) => {
                self.pending = pending;
                Err(error)
            }
        }
    }
}

/// Interfaces come and go, and other programs turn the switch off.
async fn keep_forwarding(config: NetworkConfig) -> Result<(), Error> {
    blocking("turn on forwarding", move || {
        let mut router = Router::open()?;
        for interface in host::hold_forwarding(&mut router, &config)? {
            tracing::info!(interface, "turned on IPv4 forwarding");
        }
        Ok(())
    })
    .await
}

fn step(table: &mut Table, pending: &Pending, looking: bool) -> Result<Synced, Error> {
    let synced = if looking { table.audit()? } else { table.sync()? };
    match pending {
        Pending::Everything => table.forget_all()?,
        Pending::These(replaced) => table.forget(replaced)?,
    }
    Ok(synced)
}
