//! Binds pods to nodes.
pub mod framework;
pub mod model;
pub mod plugins;
pub mod snapshot;
#[cfg(test)]
mod testing;

/// Settings of the scheduler.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pods that ask for this scheduler, or for none, are its own.
    pub scheduler_name: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { scheduler_name: "default-scheduler".to_owned() }
    }
}

/// Why the scheduler could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {}

/// Binds pods until `token` is cancelled.
pub async fn run(
    client: kube::Client,
    config: Config,
    token: tokio_util::sync::CancellationToken,
) -> Result<(), Error> {
    let _ = (client, config);
    token.cancelled().await;
    Ok(())
}
