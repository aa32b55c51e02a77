//! Services and EndpointSlices become packet rules.
use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::{Error, NetworkConfig};

/// Keeps the kernel's service rules equal to what the API says, until `token` is cancelled.
pub async fn run(_client: Client, _config: NetworkConfig, _token: CancellationToken) -> Result<(), Error> {
    unimplemented!()
}
