//! The pod network.
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Error, NetworkConfig};

/// A link-layer address, printed as `0a:58:0a:2a:00:05`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A pod's place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The pod it belongs to.
    pub pod_uid: String,
    /// The pinned network namespace, to be joined by the pod's sandbox.
    pub netns: PathBuf,
    /// The pod's address.
    pub ip: IpAddr,
    /// Its default gateway, the bridge's address.
    pub gateway: IpAddr,
    /// The link-layer address of the pod's `eth0`.
    pub mac: MacAddress,
}

/// The pod network of a running cluster.
#[derive(Debug)]
pub struct PodNetwork {
    config: NetworkConfig,
}

impl PodNetwork {
    /// Brings up bridge, routes and base packet rules, and takes up the leases on disk.
    pub async fn open(_config: NetworkConfig) -> Result<Arc<Self>, Error> {
        unimplemented!()
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// What was changed on the host, one sentence each, to be told to the user.
    pub fn notices(&self) -> Vec<String> {
        unimplemented!()
    }

    /// Gives the pod a namespace, an address and a way out. Calling it again gives the same.
    pub async fn attach(&self, _pod_uid: &str) -> Result<Attachment, Error> {
        unimplemented!()
    }

    /// Takes all of it away. Not being attached is fine.
    pub async fn detach(&self, _pod_uid: &str) -> Result<(), Error> {
        unimplemented!()
    }

    /// All pods that hold an address.
    pub fn list(&self) -> Vec<Attachment> {
        unimplemented!()
    }

    /// Removes every trace of a cluster's network, running or crashed.
    pub async fn teardown(_config: &NetworkConfig) -> Result<(), Error> {
        unimplemented!()
    }
}
