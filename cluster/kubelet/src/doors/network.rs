//! The pod network as the kubelet sees it.

use std::{io, net::IpAddr, path::PathBuf, sync::Arc};

use futures::future::BoxFuture;
use kpkg_network::PodNetwork;

use super::chain;

/// A pod's place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached {
    /// The pinned network namespace.
    pub(crate) netns: PathBuf,
    /// The pod's address.
    pub(crate) ip: IpAddr,
}

/// Gives pods their network namespace and address.
pub(crate) trait PodNet: Send + Sync + 'static {
    /// Creates the namespace and address of a pod, or finds them again.
    fn attach<'a>(&'a self, pod_uid: &'a str) -> BoxFuture<'a, io::Result<Attached>>;
    /// Removes them; no error if there are none.
    fn detach<'a>(&'a self, pod_uid: &'a str) -> BoxFuture<'a, io::Result<()>>;
    /// Where a pod is, if it is attached.
    fn find(&self, pod_uid: &str) -> Option<Attached>;
    /// Uids of all pods attached.
    fn attached(&self) -> Vec<String>;
}

impl PodNet for Arc<PodNetwork> {
    fn attach<'a>(&'a self, pod_uid: &'a str) -> BoxFuture<'a, io::Result<Attached>> {
        Box::pin(async move {
            let place = PodNetwork::attach(self, pod_uid).await.map_err(|error| io::Error::other(chain(&error)))?;
            Ok(Attached { netns: place.netns, ip: place.ip })
        })
    }

    fn detach<'a>(&'a self, pod_uid: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(
            async move { PodNetwork::detach(self, pod_uid).await.map_err(|error| io::Error::other(chain(&error))) },
        )
    }

    fn find(&self, pod_uid: &str) -> Option<Attached> {
        let place = self.list().into_iter().find(|place| place.pod_uid == pod_uid)?;
        Some(Attached { netns: place.netns, ip: place.ip })
    }

    fn attached(&self) -> Vec<String> {
        self.list().into_iter().map(|place| place.pod_uid).collect()
    }
}
