//! Why an object is not ready: its pods' states, events and last log lines, in a few lines of text.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::object::ObjectId;
use crate::readiness::pod_trouble;

/// How many pods, events and log lines are shown: enough to see why, not a dump.
const MAX_PODS: usize = 3;
const MAX_EVENTS: usize = 5;
const LOG_LINES: i64 = 10;

/// What is known about `id`, oldest first. Never fails: what cannot be read is left out.
pub(crate) async fn explain(cluster: &Cluster, id: &ObjectId) -> Vec<String> {
    let Ok(Some(live)) = cluster.get(id).await else {
        return Vec::new();
    };
    let mut lines = events(cluster, &id.namespace, &live).await;
    for pod in pods(cluster, id, &live).await {
        lines.extend(explain_pod(cluster, &id.namespace, &pod).await);
    }
    lines
}

/// The pods behind an object that are not ready, or the object itself if it is a pod.
async fn pods(cluster: &Cluster, id: &ObjectId, live: &Value) -> Vec<Value> {
    if id.kind == "Pod" {
        return vec![live.clone()];
    }
    let Some(labels) = live["spec"]["selector"]["matchLabels"].as_object() else {
        return Vec::new();
    };
    let selector: Vec<String> =
        labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    let mut found = cluster.list("v1", "Pod", &id.namespace, &selector.join(",")).await.unwrap_or_default();
    found.retain(|pod| !is_ready(pod));
    found.truncate(MAX_PODS);
    found
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"]
        .as_array()
        .is_some_and(|list| list.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
}

async fn explain_pod(cluster: &Cluster, namespace: &str, pod: &Value) -> Vec<String> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let mut lines = Vec::new();
    if let Some(trouble) = pod_trouble(pod) {
        lines.push(format!("Pod/{name}: {trouble}"));
    }
    lines.extend(events(cluster, namespace, pod).await);
    for list in ["initContainerStatuses", "containerStatuses"] {
        for status in pod["status"][list].as_array().into_iter().flatten() {
            lines.extend(explain_container(cluster, namespace, name, status).await);
        }
    }
    lines
}

/// How a container ended, and the last lines of the run that did.
async fn explain_container(cluster: &Cluster, namespace: &str, pod: &str, status: &Value) -> Vec<String> {
    let container = status["name"].as_str().unwrap_or_default();
    let (ended, previous) = match (&status["state"]["terminated"], &status["lastState"]["terminated"]) {
        (now, _) if now.is_object() => (now, false),
        (_, before) if before.is_object() => (before, true),
        _ if status["ready"] == Value::Bool(false) && status["state"]["running"].is_object() => (&Value::Null, false),
        _ => return Vec::new(),
    };
    let mut lines = Vec::new();
    if ended.is_object() {
        if ended["exitCode"] == 0 {
            return lines;
        }
        let reason = ended["reason"].as_str().unwrap_or("Error");
        let mut line = format!("Pod/{pod}: container {container} ended: {reason}, exit code {}", ended["exitCode"]);
        if let Some(message) = ended["message"].as_str() {
            line.push_str(&format!(": {message}"));
        }
        lines.push(line);
    }
    let log = cluster.log_tail(namespace, pod, container, previous, LOG_LINES).await;
    if !log.is_empty() {
        lines.push(format!("Pod/{pod}: last lines of container {container}:"));
        lines.extend(log.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// The newest warnings about an object.
async fn events(cluster: &Cluster, namespace: &str, live: &Value) -> Vec<String> {
    let uid = &live["metadata"]["uid"];
    let mut found = cluster.list("v1", "Event", namespace, "").await.unwrap_or_default();
    found.retain(|event| event["involvedObject"]["uid"] == *uid && event["type"] == "Warning");
    found.sort_by_key(|event| event["lastTimestamp"].as_str().unwrap_or_default().to_owned());
    let skip = found.len().saturating_sub(MAX_EVENTS);
    found.iter().skip(skip).map(|event| describe(live, event)).collect()
}

fn describe(live: &Value, event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let times = match event["count"].as_i64() {
        Some(count) if count > 1 => format!(" (x{count})"),
        _ => String::new(),
    };
    let (kind, name) = (text(&live["kind"]), text(&live["metadata"]["name"]));
    format!("{kind}/{name}: {}{times}: {}", text(&event["reason"]), text(&event["message"]))
}
