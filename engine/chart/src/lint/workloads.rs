//! What pods should say: which image exactly, what they need, how to tell that they work.

use kpkg_yaml::{Map, Value};

/// Tags that point at something else tomorrow.
const MUTABLE: [&str; 10] =
    ["latest", "stable", "edge", "nightly", "dev", "devel", "main", "master", "current", "canary"];

/// What is wrong with a manifest: rule and text.
pub(super) fn check(object: &Map) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let Some(kind) = text(object, "kind") else { return found };
    let metadata = map(object, "metadata");
    let name = metadata.and_then(|it| text(it, "name")).unwrap_or_default();
    let is_hook = metadata.and_then(|it| map(it, "annotations")).is_some_and(|it| it.contains_key("helm.sh/hook"));
    let Some(pod) = pod(kind, object) else { return found };
    let of = format!("of {kind} `{name}`");
    for (field, is_init) in [("initContainers", true), ("containers", false)] {
        let Some(Value::List(containers)) = pod.get(field) else { continue };
        for container in containers {
            let Value::Map(container) = container else { continue };
            let shown = format!("container `{}` {of}", text(container, "name").unwrap_or_default());
            if let Some(problem) = text(container, "image").and_then(image) {
                found.push(("image-tag", format!("{shown}: {problem}")));
            }
            if !is_hook && !says_what_it_needs(container) {
                found.push(("resources", format!("{shown} has no resource requests or limits")));
            }
            let serves = ["Deployment", "StatefulSet", "DaemonSet"].contains(&kind) && !is_init;
            let has_probe = ["readinessProbe", "livenessProbe"].iter().any(|probe| container.contains_key(*probe));
            if serves && !is_hook && !has_probe {
                found.push(("probes", format!("{shown} has no readiness or liveness probe")));
            }
        }
    }
    found
}

/// The pod's specification inside an object.
fn pod<'a>(kind: &str, object: &'a Map) -> Option<&'a Map> {
    let spec = map(object, "spec")?;
    let template = |spec: &'a Map| map(map(spec, "template")?, "spec");
    match kind {
        "Pod" => Some(spec),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => template(spec),
        "CronJob" => template(map(map(spec, "jobTemplate")?, "spec")?),
        _ => None,
    }
}

/// What is wrong with an image reference.
fn image(reference: &str) -> Option<String> {
    if reference.contains('@') {
        return None;
    }
    let base = reference.rsplit('/').next().unwrap_or(reference);
    match base.split_once(':') {
        None | Some((_, "")) => Some(format!("image `{reference}` has no tag, which means `latest`")),
        Some((_, tag)) if MUTABLE.contains(&tag) => {
            Some(format!("the tag of image `{reference}` is not fixed: what it points at changes"))
        }
        Some(_) => None,
    }
}

fn says_what_it_needs(container: &Map) -> bool {
    let has = |resources: &Map, field| map(resources, field).is_some_and(|it| !it.is_empty());
    map(container, "resources").is_some_and(|it| has(it, "requests") || has(it, "limits"))
}

fn map<'a>(object: &'a Map, field: &str) -> Option<&'a Map> {
    match object.get(field) {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    }
}

fn text<'a>(object: &'a Map, field: &str) -> Option<&'a str> {
    match object.get(field) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        let cases = [
            ("nginx", false),
            ("nginx:latest", false),
            ("localhost:5000/nginx", false),
            ("nginx:1.27", true),
            ("r.example/a/b:v1", true),
            ("nginx@sha256:00", true),
        ];
        for (reference, is_good) in cases {
            assert_eq!(image(reference).is_none(), is_good, "{reference}");
        }
    }
}
