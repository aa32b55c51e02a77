//! Pods: the first status, and the class of service that follows from requests and limits.

use kpkg_api::resources;
use serde_json::{Value, json};

/// The status of a new pod.
pub(super) fn new_status(pod: &Value) -> Value {
    json!({"phase": "Pending", "qosClass": resources::qos_class(&pod["spec"]).as_str()})
}

/// A host pod's ports are ports of its host.
pub(super) fn create(pod: &mut Value) {
    if pod["spec"]["hostNetwork"] != true {
        return;
    }
    for list in ["/spec/containers", "/spec/initContainers"] {
        for container in list_mut(pod, list) {
            for port in list_mut(container, "/ports") {
                if port["hostPort"].as_i64().unwrap_or_default() == 0 {
                    port["hostPort"] = port["containerPort"].clone();
                }
            }
        }
    }
}

fn list_mut<'a>(object: &'a mut Value, path: &str) -> impl Iterator<Item = &'a mut Value> {
    object.pointer_mut(path).and_then(Value::as_array_mut).into_iter().flatten()
}
