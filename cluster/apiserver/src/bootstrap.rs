//! What every cluster has from the start: the system's namespaces, and the Service of the API itself.

use crate::{
    ApiServer, custom, expire,
    failure::Result,
    registry::{Context, Make, Part, well_known},
};
use kpkg_api::status::{Reason, Status};
use serde_json::{Value, json};
use std::sync::Arc;

/// The classes of what the cluster cannot do without.
const PRIORITIES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];
const PRIORITY_TEXT: &str = "For what the cluster cannot do without.";

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

impl ApiServer {
    /// Makes what every cluster has, as far as it is not there yet, and begins to clear away old Events. To be called once,
    /// before the server is used.
    pub async fn bootstrap(self: &Arc<Self>) -> Result<(), Status> {
        for name in NAMESPACES {
            self.ensure("", "Namespace", None, json!({"metadata": {"name": name}})).await?;
        }
        for (name, value) in PRIORITIES {
            let class = json!({"metadata": {"name": name}, "value": value, "description": PRIORITY_TEXT});
            self.ensure("scheduling.k8s.io", "PriorityClass", None, class).await?;
        }
        self.ensure("", "Service", Some("default"), self.kubernetes_service()).await?;
        if let Some(slice) = self.kubernetes_endpoints() {
            self.ensure("discovery.k8s.io", "EndpointSlice", Some("default"), slice).await?;
        }
        self.serve_customs().await?;
        custom::start_cleanup(self, self.running.clone());
        expire::start(self, self.running.clone());
        Ok(())
    }

    /// The first address of the range is the API's.
    fn kubernetes_service(&self) -> Value {
        let port = self.config.advertise.map_or(6443, |address| address.port());
        json!({
            "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {
                "clusterIP": self.config.service_cidr.at(1).to_string(),
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
            },
        })
    }

    fn kubernetes_endpoints(&self) -> Option<Value> {
        let address = self.config.advertise?;
        Some(json!({
            "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": if address.is_ipv4() { "IPv4" } else { "IPv6" },
            "endpoints": [{"addresses": [address.ip().to_string()], "conditions": {"ready": true}}],
            "ports": [{"name": "https", "port": address.port(), "protocol": "TCP"}],
        }))
    }

    /// Makes an object, or brings the fields named in `wanted` up to date.
    async fn ensure(&self, group: &str, kind: &str, namespace: Option<&str>, wanted: Value) -> Result<()> {
        let kind = well_known(group, kind);
        let mut context = Context::own();
        let decoded = crate::body::Decoded { value: wanted.clone(), duplicates: Vec::new() };
        match self.create(&mut context, kind, namespace, decoded).await {
            Err(status) if status.reason() == Reason::AlreadyExists => {}
            result => return result.map(drop),
        }
        let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
        let change = |old: &Value| {
            let mut new = old.clone();
            kpkg_api::patch::merge(&mut new, &wanted);
            Ok(new)
        };
        self.change(&context, kind, namespace, name, Part::Main, Make::Update(&change)).await.map(drop)
    }
}
