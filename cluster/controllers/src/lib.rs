//! The controllers of a Kubernetes cluster: each brings one kind of object to the state that its
//! spec asks for, through the API and nothing else.
//!
//! A controller is a folder of three files: `mod.rs` says what is watched and which keys a change
//! wakes, `decide.rs` is a pure function from what was observed to what to do, `act.rs` does it.
//! All run on one small machine ([`runtime`]), in which a kind is watched once however many
//! controllers read it. Deletion is seen as absence; whatever is left undone by a crash is done by
//! the next reconcile, because every decision starts from the state of the world.
//!
//! - `deployment`, `replicaset`, `statefulset`, `daemonset`: pods from templates
//! - `job`, `cronjob`: pods that come to an end, once or at the times of a schedule
//! - `endpointslice`, `endpoints`: the addresses behind services
//! - `volume`: claims, volumes, and local volumes made on demand
//! - `serviceaccount`, `namespace`: what every namespace starts with, and how it ends
//! - `garbage`: what owners leave behind
//! - `node`, `pod_cleanup`: nodes that fall silent, and pods that are left over
//!
//! ```no_run
//! # async fn example(client: kube::Client, ca_pem: String) -> Result<(), kpkg_controllers::Error> {
//! let config = kpkg_controllers::Config::new(ca_pem, "/var/lib/kpkg/volumes");
//! kpkg_controllers::run(client, config, tokio_util::sync::CancellationToken::new()).await
//! # }
//! ```
//!
//! Start at [`runtime`], then `replicaset`. There is no leader election: one process runs the
//! controllers of a cluster.

mod config;
mod cronjob;
mod daemonset;
mod deployment;
mod endpoints;
mod endpointslice;
mod error;
mod garbage;
mod job;
mod namespace;
mod node;
mod objects;
mod owned_pods;
mod pod_cleanup;
mod replicaset;
pub mod runtime;
mod serviceaccount;
mod statefulset;
mod volume;

pub use config::Config;
pub use error::Error;
use kube::Client;
use runtime::{Clock, Context, Machine, Served};
use tokio_util::sync::CancellationToken;

/// Runs all controllers until `token` is cancelled. Waits for the API to answer first. Fails if a
/// part ends before it is told to; all others have ended then, and everything can be run anew.
pub async fn run(client: Client, config: Config, token: CancellationToken) -> Result<(), Error> {
    let Some(served) = Served::wait(&client, &token).await else { return Ok(()) };
    let (recorder, publisher) = kpkg_events::recorder("controller-manager");
    let context = Context::new(client.clone(), recorder, Clock::System);
    let mut machine = Machine::new(context, served, token.clone());
    machine.add(publisher.run(client, token));
    deployment::start(&mut machine);
    replicaset::start(&mut machine);
    statefulset::start(&mut machine);
    daemonset::start(&mut machine);
    job::start(&mut machine);
    cronjob::start(&mut machine);
    endpointslice::start(&mut machine);
    if machine.served.has("", "Endpoints") {
        endpoints::start(&mut machine);
    }
    serviceaccount::start(&mut machine, &config.ca_pem);
    volume::start(&mut machine, &config.volumes_dir, config.storage_class.as_deref());
    namespace::start(&mut machine);
    garbage::start(&mut machine);
    node::start(&mut machine, config.node_grace);
    pod_cleanup::start(&mut machine, config.finished_pods);
    machine.run().await
}
