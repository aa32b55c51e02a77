//! Pods: priority, and for how long they stay on a node that is lost.

use kpkg_api::meta;
use serde_json::{Value, json};

/// How long a pod tolerates a node that is not ready or not reachable, if it does not say.
const TOLERATION_SECONDS: i64 = 300;
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// The priority classes that always exist, and their values.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// Admits a new pod.
pub(super) fn admit(pod: &mut Value) {
    prioritize(pod);
    tolerate(pod);
}

/// Admits a changed pod.
pub(super) fn admit_update(pod: &mut Value) {
    tolerate(pod);
}

fn prioritize(pod: &mut Value) {
    let class = pod["spec"]["priorityClassName"].as_str().unwrap_or_default();
    let value = SYSTEM_CLASSES.iter().find(|(name, _)| *name == class).map_or(0, |(_, value)| *value);
    let spec = meta::child_mut(pod, "spec");
    spec.insert("priority".to_owned(), json!(value));
    spec.entry("preemptionPolicy").or_insert_with(|| json!("PreemptLowerPriority"));
}

fn tolerate(pod: &mut Value) {
    let spec = meta::child_mut(pod, "spec");
    let Some(tolerations) = spec.entry("tolerations").or_insert_with(|| json!([])).as_array_mut() else { return };
    for key in [NOT_READY, UNREACHABLE] {
        let covers = |toleration: &Value| {
            let own = toleration["key"].as_str().unwrap_or_default();
            let effect = toleration["effect"].as_str().unwrap_or_default();
            (own == key || own.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        };
        if !tolerations.iter().any(covers) {
            tolerations.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": TOLERATION_SECONDS,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations_are_added_unless_covered() {
        let mut pod = json!({"spec": {}});
        admit(&mut pod);
        admit_update(&mut pod);
        assert_eq!(pod["spec"]["tolerations"].as_array().map(Vec::len), Some(2));
        assert_eq!(pod["spec"]["priority"], 0);
        let mut pod = json!({"spec": {"tolerations": [{"operator": "Exists"}]}});
        admit(&mut pod);
        assert_eq!(pod["spec"]["tolerations"], json!([{"operator": "Exists"}]));
    }
}
