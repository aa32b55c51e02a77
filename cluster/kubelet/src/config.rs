//! What a kubelet must be told about its node and its cluster.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

/// Settings of one kubelet; made by the server, never changed afterwards.
#[derive(Debug, Clone)]
pub struct KubeletConfig {
    /// Name of the Node object.
    pub node_name: String,
    /// Where pods' volumes, logs and notes are kept (`<data-dir>/kubelet`).
    pub root_dir: PathBuf,
    /// Parent of all pod cgroups, relative to the mount point of a hierarchy (`kpkg-<cluster>`).
    pub cgroup_root: String,
    /// Address of the cluster's DNS service, written to pods' `resolv.conf`.
    pub cluster_dns: IpAddr,
    /// DNS domain of the cluster, without a dot at either end.
    pub cluster_domain: String,
    /// Address under which the node is known: `status.hostIP`, address of `hostNetwork` pods.
    pub node_ip: IpAddr,
    /// Port of the kubelet's HTTP API, announced in the Node's `daemonEndpoints`; 0 when it is only reached in process.
    pub port: u16,
    /// Pod range of this node, announced as `spec.podCIDR`.
    pub pod_cidr: Option<String>,
    /// Most pods that the node takes.
    pub max_pods: u32,
    /// Resources kept from pods: allocatable is capacity less these (`cpu`, `memory`, `ephemeral-storage`).
    pub reserved: BTreeMap<String, String>,
    /// Labels added to the Node on registration.
    pub node_labels: BTreeMap<String, String>,
    /// Version announced in `nodeInfo.kubeletVersion`.
    pub version: String,
    /// How many images are pulled at once.
    pub max_parallel_pulls: usize,
    /// How often the node's Lease is renewed.
    pub lease_interval: Duration,
    /// How often an unchanged Node status is written all the same.
    pub status_interval: Duration,
}

impl KubeletConfig {
    /// Kubernetes' defaults around the facts that have none.
    pub fn new(
        node_name: impl Into<String>,
        root_dir: impl Into<PathBuf>,
        node_ip: IpAddr,
        cluster_dns: IpAddr,
    ) -> Self {
        Self {
            node_name: node_name.into(),
            root_dir: root_dir.into(),
            cgroup_root: "kpkg".to_owned(),
            cluster_dns,
            cluster_domain: "cluster.local".to_owned(),
            node_ip,
            port: 0,
            pod_cidr: None,
            max_pods: 110,
            reserved: BTreeMap::new(),
            node_labels: BTreeMap::new(),
            version: "v1.37.0".to_owned(),
            max_parallel_pulls: 3,
            lease_interval: Duration::from_secs(10),
            status_interval: Duration::from_secs(300),
        }
    }

    pub(crate) fn pods_dir(&self) -> PathBuf {
        self.root_dir.join("pods")
    }

    pub(crate) fn pod_dir(&self, uid: &str) -> PathBuf {
        self.pods_dir().join(uid)
    }

    /// Logs of one pod: `<root>/logs/<namespace>_<name>_<uid>`, as `/var/log/pods` is laid out.
    pub(crate) fn pod_log_dir(&self, namespace: &str, name: &str, uid: &str) -> PathBuf {
        self.root_dir.join("logs").join(format!("{namespace}_{name}_{uid}"))
    }
}
