//! The scheduler: chooses a node for each pod that has none, and binds it there.
//!
//! ```text
//! watches -> Snapshot ─┐
//!         -> Queue ──► cycle: filter, score ──► assume in the snapshot ──► bind beside the loop
//!              ▲                                                             │ failed
//!              └─────────── a change that may help ◄───────── undo ◄─────────┘
//! ```
//!
//! One task owns all state, so a cycle reads it without locks, and a change costs what it touches.
//! Where a pod can go and where it should rather go is decided by [`plugins`], each in a file of
//! its own behind the traits of [`framework`]; weights, sampling and messages are Kubernetes' own.
//!
//! - [`model`]: pods and nodes, parsed once
//! - [`snapshot`]: the cluster, with running counts of pods by place
//! - [`queue`]: who is next, and who waits for what
//! - [`cycle`]: from pod and snapshot to a node: start here
//!
//! ```no_run
//! # async fn example(client: kube::Client) -> Result<(), kpkg_scheduler::Error> {
//! use tokio_util::sync::CancellationToken;
//! kpkg_scheduler::run(client, kpkg_scheduler::Config::default(), CancellationToken::new()).await
//! # }
//! ```
//!
//! It does not preempt: a pod of high priority goes first, and waits for room like any other.

mod config;
pub mod cycle;
pub mod diagnosis;
mod door;
mod feed;
pub mod framework;
pub mod model;
pub mod plugins;
pub mod queue;
mod service;
pub mod snapshot;
#[cfg(test)]
mod testing;

pub use config::Config;
use kube::Client;
use tokio_util::sync::CancellationToken;

/// Why the scheduler ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A watch ended, and with it the knowledge of the cluster.
    #[error("a watch of the scheduler ended")]
    WatchEnded,
}

/// Schedules until `token` is cancelled.
pub async fn run(client: Client, config: Config, token: CancellationToken) -> Result<(), Error> {
    service::run(client, config, token).await
}
