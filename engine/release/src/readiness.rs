//! When an object counts as ready: the rules of kstatus, one kind at a time.
//!
//! Pure: from a live object to an answer. The rules are those of
//! `sigs.k8s.io/cli-utils/pkg/kstatus`, which Helm's `watcher` strategy uses.

use serde_json::Value;

/// Whether an object has reached what its spec asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It has.
    Ready,
    /// Not yet; what it waits for.
    Waiting(String),
    /// It will not without help; why.
    Failed(String),
}

use Readiness::{Failed, Ready, Waiting};

/// What counts as ready where opinions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// A Job is ready when it has completed, not when it runs.
    pub jobs_complete: bool,
    /// The rules of Helm 3: Deployments may lack as many pods as their strategy allows, and kinds
    /// without rules of their own are ready once they exist.
    pub legacy: bool,
}

/// Answers whether `live` is ready.
pub fn readiness(live: &Value, rules: Rules) -> Readiness {
    if live["metadata"]["deletionTimestamp"].is_string() {
        return Waiting("it is being deleted".to_owned());
    }
    let generation = live["metadata"]["generation"].as_i64().unwrap_or(0);
    if let Some(observed) = live["status"]["observedGeneration"].as_i64()
        && observed < generation
    {
        return Waiting("its newest spec has not been looked at".to_owned());
    }
    match live["kind"].as_str().unwrap_or_default() {
        "Deployment" => deployment(live, rules),
        "ReplicaSet" | "ReplicationController" => replicas(live, "readyReplicas", "ready"),
        "StatefulSet" => stateful_set(live),
        "DaemonSet" => daemon_set(live),
        "Job" => job(live, rules),
        "Pod" => pod(live),
        "PersistentVolumeClaim" => claim(live),
        "Service" => service(live),
        "CustomResourceDefinition" => definition(live),
        "ConfigMap" | "Secret" | "Namespace" | "ServiceAccount" | "Role" | "RoleBinding" => Ready,
        _ if rules.legacy => Ready,
        _ => by_conditions(live),
    }
}

fn number(live: &Value, path: &str) -> i64 {
    live.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

fn condition<'a>(live: &'a Value, kind: &str) -> Option<&'a Value> {
    live["status"]["conditions"].as_array()?.iter().find(|it| it["type"] == kind)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn deployment(live: &Value, rules: Rules) -> Readiness {
    if let Some(progressing) = condition(live, "Progressing")
        && text(progressing, "reason") == "ProgressDeadlineExceeded"
    {
        return Failed(text(progressing, "message").to_owned());
    }
    if live["spec"]["paused"] == true {
        return Ready;
    }
    let wanted = live["spec"]["replicas"].as_i64().unwrap_or(1);
    if rules.legacy {
        let wanted = wanted - max_unavailable(live, wanted);
        let have = number(live, "/status/readyReplicas");
        return if have < wanted { Waiting(format!("{have} of {wanted} replicas ready")) } else { Ready };
    }
    let steps = [
        (number(live, "/status/updatedReplicas"), "updated"),
        (number(live, "/status/readyReplicas"), "ready"),
        (number(live, "/status/availableReplicas"), "available"),
    ];
    if let Some((have, word)) = steps.into_iter().find(|(have, _)| *have < wanted) {
        return Waiting(format!("{have} of {wanted} replicas {word}"));
    }
    let old = number(live, "/status/replicas") - number(live, "/status/updatedReplicas");
    if old > 0 {
        return Waiting(format!("{old} old replicas still to go"));
    }
    Ready
}

/// How many of `wanted` pods a rolling update may lack, rounded down as Kubernetes does.
fn max_unavailable(live: &Value, wanted: i64) -> i64 {
    match &live["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] {
        Value::Number(number) => number.as_i64().unwrap_or(0).min(wanted),
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            wanted * percent / 100
        }
        _ => 0,
    }
}

fn replicas(live: &Value, field: &str, word: &str) -> Readiness {
    let wanted = live["spec"]["replicas"].as_i64().unwrap_or(1);
    let have = number(live, &format!("/status/{field}"));
    if have < wanted { Waiting(format!("{have} of {wanted} replicas {word}")) } else { Ready }
}

fn stateful_set(live: &Value) -> Readiness {
    if live["spec"]["updateStrategy"]["type"] == "OnDelete" {
        return Ready;
    }
    if let waiting @ Waiting(_) = replicas(live, "readyReplicas", "ready") {
        return waiting;
    }
    let wanted = live["spec"]["replicas"].as_i64().unwrap_or(1);
    let partition = number(live, "/spec/updateStrategy/rollingUpdate/partition");
    let updated = number(live, "/status/updatedReplicas");
    if partition == 0 && live["status"]["updateRevision"] != live["status"]["currentRevision"] && updated < wanted {
        return Waiting(format!("{updated} of {wanted} replicas updated"));
    }
    Ready
}

fn daemon_set(live: &Value) -> Readiness {
    let wanted = number(live, "/status/desiredNumberScheduled");
    let steps = [("/status/updatedNumberScheduled", "updated"), ("/status/numberReady", "ready")];
    for (path, word) in steps {
        let have = number(live, path);
        if have < wanted {
            return Waiting(format!("{have} of {wanted} pods {word}"));
        }
    }
    Ready
}

fn job(live: &Value, rules: Rules) -> Readiness {
    if let Some(failed) = condition(live, "Failed")
        && text(failed, "status") == "True"
    {
        return Failed(format!("{}: {}", text(failed, "reason"), text(failed, "message")));
    }
    match condition(live, "Complete") {
        Some(complete) if text(complete, "status") == "True" => Ready,
        _ if rules.jobs_complete => {
            let (have, wanted) = (number(live, "/status/succeeded"), live["spec"]["completions"].as_i64().unwrap_or(1));
            Waiting(format!("{have} of {wanted} pods have completed"))
        }
        // kstatus: a Job that runs is current; who wants its end waits for jobs.
        _ if number(live, "/status/active") > 0 || live["status"]["startTime"].is_string() => Ready,
        _ => Waiting("it has not started".to_owned()),
    }
}

fn pod(live: &Value) -> Readiness {
    match text(&live["status"], "phase") {
        "Succeeded" => Ready,
        "Failed" => Failed(match text(&live["status"], "message") {
            "" => "its containers failed".to_owned(),
            message => message.to_owned(),
        }),
        _ if condition(live, "Ready").is_some_and(|it| text(it, "status") == "True") => Ready,
        _ => Waiting(pod_trouble(live).unwrap_or_else(|| "its containers are not ready".to_owned())),
    }
}

/// What holds a pod up, as `kubectl get pods` would say it, if anything is known.
pub fn pod_trouble(live: &Value) -> Option<String> {
    let status = &live["status"];
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in status[list].as_array().into_iter().flatten() {
            let waiting = &container["state"]["waiting"];
            let reason = text(waiting, "reason");
            if !reason.is_empty() && reason != "PodInitializing" {
                return Some(match text(waiting, "message") {
                    "" => format!("container {}: {reason}", text(container, "name")),
                    message => {
                        format!("container {}: {reason}: {message}", text(container, "name"))
                    }
                });
            }
        }
    }
    let scheduled = condition(live, "PodScheduled")?;
    (text(scheduled, "status") == "False").then(|| text(scheduled, "message").to_owned())
}

fn claim(live: &Value) -> Readiness {
    match text(&live["status"], "phase") {
        "Bound" => Ready,
        "Lost" => Failed("its volume is lost".to_owned()),
        _ => Waiting("no volume is bound to it".to_owned()),
    }
}

fn service(live: &Value) -> Readiness {
    let ingress = live["status"]["loadBalancer"]["ingress"].as_array().is_some_and(|list| !list.is_empty());
    if live["spec"]["type"] == "LoadBalancer" && !ingress {
        return Waiting("it has no load-balancer address".to_owned());
    }
    Ready
}

fn definition(live: &Value) -> Readiness {
    if let Some(names) = condition(live, "NamesAccepted")
        && text(names, "status") == "False"
    {
        return Failed(text(names, "message").to_owned());
    }
    match condition(live, "Established") {
        Some(established) if text(established, "status") == "True" => Ready,
        _ => Waiting("it is not established".to_owned()),
    }
}

/// Kinds without rules of their own: `Ready` decides where it is reported.
fn by_conditions(live: &Value) -> Readiness {
    for (kind, status) in [("Stalled", "True"), ("Ready", "False")] {
        if let Some(found) = condition(live, kind)
            && text(found, "status") == status
        {
            let why = format!("{}: {}", text(found, "reason"), text(found, "message"));
            return if kind == "Stalled" { Failed(why) } else { Waiting(why) };
        }
    }
    Ready
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_judged_by_their_own_rules() {
        struct Case {
            name: &'static str,
            live: Value,
            want: Readiness,
        }
        let waiting = |text: &str| Waiting(text.to_owned());
        let cases = [
            Case {
                name: "a stale status",
                live: json!({"kind": "Deployment", "metadata": {"generation": 2}, "status": {"observedGeneration": 1}}),
                want: waiting("its newest spec has not been looked at"),
            },
            Case {
                name: "a deployment half-way",
                live: json!({"kind": "Deployment", "spec": {"replicas": 3},
                             "status": {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 1}}),
                want: waiting("1 of 3 replicas ready"),
            },
            Case {
                name: "a deployment with an old pod",
                live: json!({"kind": "Deployment", "spec": {"replicas": 1},
                             "status": {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2}}),
                want: waiting("1 old replicas still to go"),
            },
            Case {
                name: "a deployment past its deadline",
                live: json!({"kind": "Deployment", "status": {"conditions": [
                    {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow"}]}}),
                want: Failed("too slow".into()),
            },
            Case {
                name: "a stateful set in place",
                live: json!({"kind": "StatefulSet", "spec": {"replicas": 1},
                             "status": {"readyReplicas": 1, "updatedReplicas": 1, "updateRevision": "a", "currentRevision": "a"}}),
                want: Ready,
            },
            Case {
                name: "a pod whose image cannot be had",
                live: json!({"kind": "Pod", "status": {"phase": "Pending", "containerStatuses": [
                    {"name": "app", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}]}}),
                want: waiting("container app: ErrImagePull: no such host"),
            },
            Case {
                name: "a pod that does not fit",
                live: json!({"kind": "Pod", "status": {"phase": "Pending", "conditions": [
                    {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]}}),
                want: waiting("0/1 nodes are available"),
            },
            Case {
                name: "a claim",
                live: json!({"kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}),
                want: waiting("no volume is bound to it"),
            },
            Case { name: "a secret", live: json!({"kind": "Secret"}), want: Ready },
            Case {
                name: "a custom resource",
                live: json!({"kind": "Widget", "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "A", "message": "b"}]}}),
                want: waiting("A: b"),
            },
            Case {
                name: "anything going away",
                live: json!({"kind": "Secret", "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
                want: waiting("it is being deleted"),
            },
        ];
        for case in cases {
            assert_eq!(readiness(&case.live, Rules::default()), case.want, "{}", case.name);
        }
    }
}
