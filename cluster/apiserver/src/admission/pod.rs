//! Pods: priority, and for how long they stay on a node that is lost.

use crate::{ApiServer, failure::Result, registry::well_known};
use kpkg_api::{meta, status::Status};
use serde_json::{Value, json};

/// How long a pod tolerates a node that is not ready or not reachable, if it does not say.
const TOLERATION_SECONDS: i64 = 300;
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// The priority classes that always exist, and their values.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// What a priority class says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    name: String,
    value: i64,
    preemption: Option<String>,
}

/// Admits a new pod.
pub(super) async fn admit(server: &ApiServer, pod: &mut Value) -> Result<()> {
    let class = class(server, pod).await?;
    prioritize(pod, class);
    tolerate(pod);
    Ok(())
}

/// The class that a pod names, or the default one.
async fn class(server: &ApiServer, pod: &Value) -> Result<Option<Class>> {
    let name = pod["spec"]["priorityClassName"].as_str().unwrap_or_default();
    if let Some((name, value)) = SYSTEM_CLASSES.into_iter().find(|(system, _)| *system == name) {
        return Ok(Some(Class { name: name.to_owned(), value, preemption: None }));
    }
    let kind = well_known("scheduling.k8s.io", "PriorityClass");
    let read = |object: &Value| Class {
        name: meta::name(object).to_owned(),
        value: object["value"].as_i64().unwrap_or_default(),
        preemption: object["preemptionPolicy"].as_str().map(str::to_owned),
    };
    if name.is_empty() {
        let all = server.shelf(kind).all(None).await?;
        let defaults = all.iter().filter(|object| object.value["globalDefault"] == true);
        return Ok(defaults.map(|object| read(&object.value)).min_by_key(|class| class.value));
    }
    match server.find(kind, None, name).await? {
        Some(object) => Ok(Some(read(&object.value))),
        None => {
            let why = format!("no PriorityClass with name {name} was found");
            Err(Status::forbidden("", "pods", meta::name(pod), &why))
        }
    }
}

/// Admits a changed pod.
pub(super) fn admit_update(pod: &mut Value) {
    tolerate(pod);
}

fn prioritize(pod: &mut Value, class: Option<Class>) {
    let spec = meta::child_mut(pod, "spec");
    spec.insert("priority".to_owned(), json!(class.as_ref().map_or(0, |class| class.value)));
    let preemption = class.as_ref().and_then(|class| class.preemption.clone());
    if let Some(class) = class {
        spec.insert("priorityClassName".to_owned(), class.name.into());
    }
    spec.entry("preemptionPolicy")
        .or_insert_with(|| preemption.unwrap_or_else(|| "PreemptLowerPriority".to_owned()).into());
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
        prioritize(&mut pod, None);
        admit_update(&mut pod);
        admit_update(&mut pod);
        assert_eq!(pod["spec"]["tolerations"].as_array().map(Vec::len), Some(2));
        assert_eq!(pod["spec"]["priority"], 0);
        let mut pod = json!({"spec": {"tolerations": [{"operator": "Exists"}]}});
        admit_update(&mut pod);
        assert_eq!(pod["spec"]["tolerations"], json!([{"operator": "Exists"}]));
    }
}
