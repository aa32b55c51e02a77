//! What the controllers are told at start.

use std::{path::PathBuf, time::Duration};

/// Settings of all controllers.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster's certificate authority, published as `kube-root-ca.crt` in every namespace.
    pub ca_pem: String,
    /// The folder under which `kpkg.dev/local-path` makes its volumes. It is made when missing.
    pub volumes_dir: PathBuf,
    /// The storage class made at start, if its name is free; `None` makes none.
    pub storage_class: Option<String>,
    /// How long a node may stay silent before it counts as lost.
    pub node_grace: Duration,
    /// How many finished pods are kept before the oldest are removed.
    pub finished_pods: usize,
}

impl Config {
    /// Kubernetes' own defaults, and `local-path` as the default storage class.
    pub fn new(ca_pem: impl Into<String>, volumes_dir: impl Into<PathBuf>) -> Self {
        Self {
            ca_pem: ca_pem.into(),
            volumes_dir: volumes_dir.into(),
            storage_class: Some("local-path".to_owned()),
            node_grace: Duration::from_secs(50),
            finished_pods: 12_500,
        }
    }
}
