//! The Node object: registration, status, Lease.

mod lease;
mod machine;
mod status;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(crate) use machine::Machine;

use crate::{doors::chain, kubelet::Shared};

/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// How long to wait after the API refused.
const RETRY: Duration = Duration::from_millis(200);

/// Registers the node and keeps it fresh until cancelled.
pub(crate) async fn run(shared: Arc<Shared>, shutdown: CancellationToken) {
    tokio::select! {
        () = keep(&shared) => {}
        () = shutdown.cancelled() => {}
    }
}

async fn keep(shared: &Shared) {
    let nodes: Api<Node> = Api::all(shared.objects.client().clone());
    let mut node = loop {
        match register(shared, &nodes).await {
            Ok(node) => break node,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot register the node; it is tried again");
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    shared.recorder.record(reference(shared), kpkg_events::Severity::Normal, "Starting", "Starting kubelet.");
    let mut written = tokio::time::Instant::now();
    let status = async {
        loop {
            let wanted = status::status(shared, node.status.as_ref());
            let changed = status::differs(node.status.as_ref(), &wanted);
            if changed || written.elapsed() >= shared.config.status_interval {
                match write(shared, &nodes, &wanted).await {
                    Ok(()) => {
                        node.status = Some(wanted);
                        written = tokio::time::Instant::now();
                    }
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "cannot write the node's status");
                        tokio::time::sleep(RETRY).await;
                        continue;
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::join!(status, lease::keep(shared));
}

/// How events name the node: by its name for a uid, as Kubernetes' kubelet does.
fn reference(shared: &Shared) -> k8s_openapi::api::core::v1::ObjectReference {
    k8s_openapi::api::core::v1::ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Node".to_owned()),
        name: Some(shared.config.node_name.clone()),
        uid: Some(shared.config.node_name.clone()),
        ..Default::default()
    }
}

/// Makes the Node, or brings the labels of one that exists up to date.
async fn register(shared: &Shared, nodes: &Api<Node>) -> kube::Result<Node> {
    let wanted = status::node(shared);
    match nodes.create(&PostParams::default(), &wanted).await {
        Ok(mut node) => {
            // The status given on creation counts for a Node, but not every server keeps it.
            node.status = None;
            Ok(node)
        }
        Err(kube::Error::Api(answer)) if answer.code == 409 => {
            let patch = json!({"metadata": {"labels": wanted.metadata.labels}, "spec": wanted.spec});
            nodes.patch(&shared.config.node_name, &PatchParams::default(), &Patch::Merge(patch)).await
        }
        Err(error) => Err(error),
    }
}

async fn write(
    shared: &Shared,
    nodes: &Api<Node>,
    status: &k8s_openapi::api::core::v1::NodeStatus,
) -> kube::Result<()> {
    let patch = json!({"status": status});
    match nodes.patch_status(&shared.config.node_name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        // Somebody deleted the Node: it is registered again.
        Err(kube::Error::Api(answer)) if answer.code == 404 => register(shared, nodes).await.map(drop),
        Err(error) => Err(error),
    }
}
