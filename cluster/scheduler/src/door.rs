//! What the scheduler writes: bindings, chosen nodes on claims, and why a pod waits.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Binding, ObjectReference, PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kpkg_events::{Recorder, Severity};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::model::{Key, PodInfo, SELECTED_NODE};

/// Requests under way at once.
const AT_ONCE: usize = 64;

/// How a write ended that the scheduler waits for.
#[derive(Debug)]
pub(crate) enum Written {
    /// The pod is bound.
    Bound(Key),
    /// It is not.
    NotBound(Key, kube::Error),
    /// A claim could not be told the node.
    NotSelected(Key, kube::Error),
}

/// The door to the API. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    client: Client,
    events: Recorder,
    permits: Arc<Semaphore>,
    outcomes: mpsc::UnboundedSender<Written>,
}

impl Door {
    pub(crate) fn new(client: Client, events: Recorder) -> (Self, mpsc::UnboundedReceiver<Written>) {
        let (outcomes, receiver) = mpsc::unbounded_channel();
        (Self { client, events, permits: Arc::new(Semaphore::new(AT_ONCE)), outcomes }, receiver)
    }

    /// Binds a pod; the outcome comes back as [`Written`].
    pub(crate) fn bind(&self, pod: Arc<PodInfo>, node: Arc<str>) {
        let door = self.clone();
        tokio::spawn(async move {
            let _permit = door.permits.acquire().await;
            let written = match door.post_binding(&pod, &node).await {
                Ok(()) => {
                    let message = format!("Successfully assigned {} to {node}", pod.key);
                    door.events.record(reference(&pod), Severity::Normal, "Scheduled", message);
                    Written::Bound(pod.key.clone())
                }
                Err(error) => Written::NotBound(pod.key.clone(), error),
            };
            // The scheduler is gone, and with it whoever waits.
            let _ = door.outcomes.send(written);
        });
    }

    async fn post_binding(&self, pod: &PodInfo, node: &str) -> Result<(), kube::Error> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &pod.key.namespace);
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(pod.key.name.to_string()),
                namespace: Some(pod.key.namespace.to_string()),
                uid: Some(pod.uid.to_string()),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..ObjectReference::default()
            },
        };
        pods.create_subresource::<_, Value>("binding", &pod.key.name, &PostParams::default(), &binding).await.map(drop)
    }

    /// Tells the provisioners of claims where a pod goes.
    pub(crate) fn select_node(&self, pod: Key, claims: Vec<Key>, node: Arc<str>) {
        let door = self.clone();
        tokio::spawn(async move {
            let _permit = door.permits.acquire().await;
            let patch = Patch::Merge(json!({"metadata": {"annotations": {SELECTED_NODE: &*node}}}));
            for claim in claims {
                let api = Api::<PersistentVolumeClaim>::namespaced(door.client.clone(), &claim.namespace);
                if let Err(error) = api.patch(&claim.name, &PatchParams::default(), &patch).await {
                    let _ = door.outcomes.send(Written::NotSelected(pod, error));
                    return;
                }
            }
        });
    }

    /// Says why a pod has no node: in an event, and in its status unless that says so already.
    pub(crate) fn explain(&self, pod: &Arc<PodInfo>, reason: &'static str, message: String) {
        self.events.record(reference(pod), Severity::Warning, "FailedScheduling", message.clone());
        let wanted = ("False".to_owned(), reason.to_owned(), message);
        if pod.scheduled.as_ref() == Some(&wanted) {
            return;
        }
        let (door, pod) = (self.clone(), pod.clone());
        tokio::spawn(async move {
            let _permit = door.permits.acquire().await;
            let mut condition =
                json!({"type": "PodScheduled", "status": "False", "reason": wanted.1, "message": wanted.2});
            if pod.scheduled.as_ref().is_none_or(|(status, ..)| status != "False") {
                condition["lastTransitionTime"] = json!(Time(Timestamp::now()));
            }
            let patch = Patch::Strategic(json!({
                "metadata": {"uid": &*pod.uid}, "status": {"conditions": [condition]}}));
            let pods = Api::<Pod>::namespaced(door.client.clone(), &pod.key.namespace);
            if let Err(error) = pods.patch_status(&pod.key.name, &PatchParams::default(), &patch).await {
                tracing::debug!(pod = %pod.key, %error, "condition not written");
            }
        });
    }
}

fn reference(pod: &PodInfo) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.key.namespace.to_string()),
        name: Some(pod.key.name.to_string()),
        uid: Some(pod.uid.to_string()),
        ..ObjectReference::default()
    }
}
