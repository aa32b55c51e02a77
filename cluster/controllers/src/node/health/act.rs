//! Writes a node's conditions and taints, and takes its pods' readiness back.

use k8s_openapi::{
    api::core::v1::{Node, Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;
use serde_json::json;

use super::{
    Controller,
    decide::{self, Plan},
};
use crate::{Error, node::BY_NODE, runtime::Key};

impl Controller {
    pub(super) async fn act(&self, node: &Node, plan: Plan) -> Result<(), Error> {
        let (key, name) = (Key::of(node), node.name_any());
        if let Some(conditions) = plan.conditions {
            let patch = json!({"status": {"conditions": conditions}});
            self.context.patch_status::<Node>(&key, &patch).await?;
            let message = format!("Node {name} status is now: NodeNotReady");
            self.context.events().normal(node, "NodeNotReady", message);
        }
        if let Some(taints) = plan.taints {
            // Others write taints too, so the list must be the one that was read; a status that was
            // written above has changed the version.
            let Some(fresh) = self.context.get::<Node>(&key).await? else { return Ok(()) };
            let same = fresh.spec.as_ref().and_then(|spec| spec.taints.as_ref())
                == node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
            if same {
                let patch = json!({
                    "metadata": {"resourceVersion": fresh.metadata.resource_version}, "spec": {"taints": taints}});
                self.context.patch::<Node>(&key, &patch).await?;
            }
        }
        if plan.unready_pods {
            for pod in decide::falsely_ready(self.pods.indexed(BY_NODE, &name)) {
                self.unready(&pod).await?;
            }
        }
        Ok(())
    }

    /// Nobody on a lost node does it, and services must not send anybody there.
    async fn unready(&self, pod: &Pod) -> Result<(), Error> {
        let condition = json!({"type": "Ready", "status": "False", "lastTransitionTime": Time(self.context.now())});
        let patch = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}});
        match self.context.patch_status::<Pod>(&Key::of(pod), &patch).await {
            Err(error) if !error.is_race() => Err(error),
            _ => {
                self.context.events().warning(pod, "NodeNotReady", "Node is not ready");
                Ok(())
            }
        }
    }
}
