//! The node's heartbeat: a Lease in `kube-node-lease`.

use jiff::Timestamp;
use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::RETRY;
use crate::{doors::chain, kubelet::Shared};

const NAMESPACE: &str = "kube-node-lease";
/// Heartbeats that may fail before the node counts as dead.
const LIVES: u64 = 4;

/// Renews the Lease for ever.
pub(super) async fn keep(shared: &Shared) {
    let leases: Api<Lease> = Api::namespaced(shared.objects.client().clone(), NAMESPACE);
    loop {
        let wait = match renew(shared, &leases).await {
            Ok(()) => shared.config.lease_interval,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot renew the node's lease");
                RETRY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn renew(shared: &Shared, leases: &Api<Lease>) -> kube::Result<()> {
    let name = &shared.config.node_name;
    let seconds = shared.config.lease_interval.as_secs().max(1) * LIVES;
    let spec = json!({
        "holderIdentity": name,
        "leaseDurationSeconds": seconds,
        "renewTime": MicroTime(Timestamp::now()),
    });
    match leases.patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await {
        Err(kube::Error::Api(answer)) if answer.code == 404 => {}
        other => return other.map(drop),
    }
    let lease: Lease =
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}))
            .map_err(kube::Error::SerdeError)?;
    leases.create(&PostParams::default(), &lease).await.map(drop)
}
