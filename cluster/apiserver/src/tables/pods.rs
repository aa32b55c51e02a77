//! Pods: the one kind whose status column is more than a field.

use serde_json::{Value, json};

use super::{Column, Columns, NAMED, age, age::since, items, text, text_or_none, wide};

const COLUMNS: &[Column] = &[
    text("Ready"),
    text("Status"),
    text("Restarts"),
    text("Age"),
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];

/// How pods are shown.
pub(super) const POD: Columns = Columns { columns: COLUMNS, cells, ..NAMED };

/// That this is a pod that has run to its end, as a condition of its row: clients may hide such rows.
pub(super) fn completion(object: &Value) -> Option<Value> {
    let message = match (object["kind"].as_str(), object["status"]["phase"].as_str()) {
        (Some("Pod"), Some("Succeeded")) => "The pod has completed successfully.",
        (Some("Pod"), Some("Failed")) => "The pod failed.",
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": object["status"]["phase"], "message": message}))
}

fn cells(pod: &Value) -> Vec<Value> {
    let summary = summary(pod);
    vec![
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        summary.restarts.into(),
        age(pod),
        text_or_none(pod, "/status/podIP"),
        text_or_none(pod, "/spec/nodeName"),
        text_or_none(pod, "/status/nominatedNodeName"),
        gates(pod),
    ]
}

struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: String,
}

/// What the STATUS column says, worked out as Kubernetes does.
fn summary(pod: &Value) -> Summary {
    let status = &pod["status"];
    let mut reason = status["reason"].as_str().or(status["phase"].as_str()).unwrap_or("Unknown").to_owned();
    let gated =
        items(status, "/conditions").any(|it| it["type"] == "PodScheduled" && it["reason"] == "SchedulingGated");
    if gated {
        "SchedulingGated".clone_into(&mut reason);
    }
    let sidecars = |name: &Value| {
        items(pod, "/spec/initContainers").any(|it| it["name"] == *name && it["restartPolicy"] == "Always")
    };
    let sidecar_count = items(pod, "/spec/initContainers").filter(|it| it["restartPolicy"] == "Always").count();
    let mut ready = 0;
    let mut restarts = Restarts::default();
    let mut sidecar_restarts = Restarts::default();
    let mut initializing = false;
    let inits: Vec<&Value> = items(status, "/initContainerStatuses").collect();
    for (index, container) in inits.iter().enumerate() {
        restarts.add(container);
        let is_sidecar = sidecars(&container["name"]);
        if is_sidecar {
            sidecar_restarts.add(container);
        }
        let terminated = &container["state"]["terminated"];
        if terminated["exitCode"] == 0 && terminated.is_object() {
            continue;
        }
        if is_sidecar && container["started"] == true {
            ready += usize::from(container["ready"] == true);
            continue;
        }
        let waiting = container["state"]["waiting"]["reason"].as_str().unwrap_or_default();
        reason = if terminated.is_object() {
            format!("Init:{}", ended(terminated, "ExitCode"))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            let total = items(pod, "/spec/initContainers").count();
            format!("Init:{index}/{total}")
        };
        initializing = true;
        break;
    }
    if !initializing {
        restarts = sidecar_restarts;
        let mut running = false;
        // From the last container to the first: the first one's reason wins.
        for container in items(status, "/containerStatuses").collect::<Vec<_>>().into_iter().rev() {
            restarts.add(container);
            let waiting = container["state"]["waiting"]["reason"].as_str().unwrap_or_default();
            let terminated = &container["state"]["terminated"];
            if !waiting.is_empty() {
                waiting.clone_into(&mut reason);
            } else if terminated.is_object() {
                reason = ended(terminated, "ExitCode");
            } else if container["ready"] == true && container["state"]["running"].is_object() {
                running = true;
                ready += 1;
            }
        }
        // Containers that have run to their end beside others that still run.
        if reason == "Completed" && running {
            let is_ready = items(status, "/conditions").any(|it| it["type"] == "Ready" && it["status"] == "True");
            reason = if is_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        let phase = status["phase"].as_str().unwrap_or_default();
        if status["reason"] == "NodeLost" {
            "Unknown".clone_into(&mut reason);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut reason);
        }
    }
    let total = items(pod, "/spec/containers").count() + sidecar_count;
    Summary { ready, total, reason, restarts: restarts.show() }
}

fn ended(terminated: &Value, word: &str) -> String {
    match (terminated["reason"].as_str().unwrap_or_default(), terminated["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("{word}:{}", terminated["exitCode"]),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// How often containers were restarted, and when last.
#[derive(Default)]
struct Restarts {
    count: i64,
    last: Option<String>,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += container["restartCount"].as_i64().unwrap_or(0);
        if let Some(at) = container["lastState"]["terminated"]["finishedAt"].as_str()
            && self.last.as_deref().is_none_or(|last| at > last)
        {
            self.last = Some(at.to_owned());
        }
    }

    fn show(&self) -> String {
        match &self.last {
            Some(at) if self.count > 0 => format!("{} ({} ago)", self.count, since(&Value::from(at.as_str()))),
            _ => self.count.to_string(),
        }
    }
}

fn gates(pod: &Value) -> Value {
    let gates: Vec<&Value> = items(pod, "/spec/readinessGates").collect();
    if gates.is_empty() {
        return "<none>".into();
    }
    let met = |gate: &&&Value| {
        items(pod, "/status/conditions").any(|it| it["type"] == gate["conditionType"] && it["status"] == "True")
    };
    format!("{}/{}", gates.iter().filter(met).count(), gates.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_column_says_what_holds_a_pod_up() {
        let waiting =
            |reason: &str| json!([{"name": "a", "restartCount": 0, "state": {"waiting": {"reason": reason}}}]);
        let cases = [
            ("just made", json!({"status": {"phase": "Pending"}}), "0/1", "Pending"),
            (
                "no image",
                json!({"status": {"phase": "Pending", "containerStatuses": waiting("ErrImagePull")}}),
                "0/1",
                "ErrImagePull",
            ),
            (
                "running",
                json!({"status": {"phase": "Running", "containerStatuses": [{"ready": true, "state": {"running": {}}}]}}),
                "1/1",
                "Running",
            ),
            (
                "an init container failed",
                json!({"status": {"phase": "Pending", "initContainerStatuses": [{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}}),
                "0/1",
                "Init:Error",
            ),
            (
                "init containers run",
                json!({"spec": {"containers": [{}], "initContainers": [{}, {}]},
                       "status": {"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]}}),
                "0/1",
                "Init:0/2",
            ),
            (
                "killed by a signal",
                json!({"status": {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 137, "signal": 9}}}]}}),
                "0/1",
                "Signal:9",
            ),
            (
                "going",
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
                       "status": {"phase": "Running", "containerStatuses": [{"ready": true, "state": {"running": {}}}]}}),
                "1/1",
                "Terminating",
            ),
        ];
        for (name, mut pod, ready, reason) in cases {
            if pod["spec"].is_null() {
                pod["spec"] = json!({"containers": [{"name": "a"}]});
            }
            let cells = cells(&pod);
            assert_eq!((cells[0].as_str(), cells[1].as_str()), (Some(ready), Some(reason)), "{name}");
        }
    }

    #[test]
    fn restarts_tell_when() {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(90);
        let pod = json!({"spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": [
            {"restartCount": 3, "state": {"running": {}}, "lastState": {"terminated": {"finishedAt": kpkg_api::time::seconds(at)}}}]}});
        let restarts = cells(&pod)[2].as_str().unwrap().to_owned();
        assert!(restarts.starts_with("3 (9") && restarts.ends_with("s ago)"), "{restarts}");
    }
}
