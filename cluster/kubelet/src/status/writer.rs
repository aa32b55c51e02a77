//! Writes pods' statuses, one writer task per pod, the newest status winning.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

/// Takes statuses of one pod; writing happens behind its back.
#[derive(Clone)]
pub(crate) struct Writer {
    wanted: Arc<watch::Sender<Option<PodStatus>>>,
    written: watch::Receiver<u64>,
}

/// How long to wait after a failed write.
const RETRY: std::time::Duration = std::time::Duration::from_millis(500);

impl Writer {
    /// Starts the writer of a pod; it ends when the last handle is dropped.
    pub(crate) fn start(client: Client, pod: &Pod) -> Self {
        let (wanted, incoming) = watch::channel(None);
        let (done, written) = watch::channel(0);
        let task = Task {
            api: Api::namespaced(client, pod.metadata.namespace.as_deref().unwrap_or_default()),
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            last: pod.status.clone().unwrap_or_default(),
        };
        tokio::spawn(task.run(incoming, done));
        Self { wanted: Arc::new(wanted), written }
    }

    /// Asks for this status to be written.
    pub(crate) fn set(&self, status: PodStatus) {
        self.wanted.send_if_modified(|wanted| {
            let changed = wanted.as_ref() != Some(&status);
            if changed {
                *wanted = Some(status);
            }
            changed
        });
    }

    /// Asks for this status and waits until it, or a newer one, is in the API (or cannot be written any more).
    pub(crate) async fn flush(&mut self, status: PodStatus) {
        let before = *self.written.borrow_and_update();
        self.wanted.send_replace(Some(status));
        while *self.written.borrow_and_update() == before {
            if self.written.changed().await.is_err() {
                return;
            }
        }
    }
}

struct Task {
    api: Api<Pod>,
    name: String,
    uid: String,
    last: PodStatus,
}

impl Task {
    async fn run(mut self, mut wanted: watch::Receiver<Option<PodStatus>>, done: watch::Sender<u64>) {
        while wanted.changed().await.is_ok() {
            loop {
                let status = wanted.borrow_and_update().clone();
                let Some(status) = status else { break };
                match self.write(status).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::warn!(pod = %self.name, error = %crate::doors::chain(&error), "cannot write the pod's status");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
            done.send_modify(|count| *count += 1);
        }
    }

    async fn write(&mut self, status: PodStatus) -> kube::Result<()> {
        let Some(difference) = difference(&self.last, &status) else { return Ok(()) };
        let patch = json!({"metadata": {"uid": self.uid}, "status": difference});
        match self.api.patch_status(&self.name, &PatchParams::default(), &Patch::Strategic(patch)).await {
            Ok(_) => {}
            // Gone, or another pod of that name: nobody wants this status.
            Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => {}
            Err(error) => return Err(error),
        }
        self.last = status;
        Ok(())
    }
}

/// Fields that changed, as a strategic merge patch; `None` if nothing did.
fn difference(old: &PodStatus, new: &PodStatus) -> Option<Value> {
    let (Ok(Value::Object(old)), Ok(Value::Object(mut new))) = (serde_json::to_value(old), serde_json::to_value(new))
    else {
        return None;
    };
    let mut out = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        out.insert(key.clone(), Value::Null);
    }
    // Merged by type: only the changed ones are sent, so that others' conditions are not touched.
    if let Some(Value::Array(conditions)) = new.remove("conditions") {
        let before = old.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let changed: Vec<Value> = conditions.into_iter().filter(|condition| !before.contains(condition)).collect();
        if !changed.is_empty() {
            out.insert("conditions".to_owned(), Value::Array(changed));
        }
    }
    for (key, value) in new {
        if old.get(&key) == Some(&value) {
            continue;
        }
        let value = match (key.as_str(), value) {
            // Merged by address: an old address would stay without being told to go.
            ("podIPs", Value::Array(mut list)) if old.contains_key("podIPs") => {
                list.insert(0, json!({"$patch": "replace"}));
                Value::Array(list)
            }
            (_, value) => value,
        };
        out.insert(key, value);
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(value: Value) -> PodStatus {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_changes_are_sent() {
        let old = status(
            json!({"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}, {"type": "Other", "status": "True"}], "message": "m"}),
        );
        assert_eq!(difference(&old, &old), None);
        let new = status(
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "True"}], "podIPs": [{"ip": "1.2.3.4"}]}),
        );
        let want = json!({"phase": "Running", "message": null, "conditions": [{"type": "Ready", "status": "True"}], "podIPs": [{"ip": "1.2.3.4"}]});
        assert_eq!(difference(&old, &new), Some(want));
        let moved = status(json!({"podIPs": [{"ip": "5.6.7.8"}]}));
        assert_eq!(difference(&new, &moved).unwrap()["podIPs"], json!([{"$patch": "replace"}, {"ip": "5.6.7.8"}]));
    }
}
