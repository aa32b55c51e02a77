//! The controllers of a Kubernetes cluster.
mod config;
mod deployment;
mod endpointslice;
mod error;
mod objects;
mod replicaset;
pub mod runtime;
mod serviceaccount;
mod statefulset;
pub use config::Config;
pub use error::Error;

/// Runs all controllers until `token` is cancelled.
pub async fn run(
    client: kube::Client,
    config: Config,
    token: tokio_util::sync::CancellationToken,
) -> Result<(), Error> {
    let _ = (client, config);
    token.cancelled().await;
    Ok(())
}
