use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use serde_json::{Value, json};

use super::{
    decide::{Observed, Plan, decide},
    facts::{self, FINALIZER, INDEX, INDEX_FAILURES},
};

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn job(spec: Value, status: Value) -> Job {
    let mut job = json!({
        "metadata": {"name": "j", "namespace": "default", "uid": "u"},
        "spec": {"parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
            "podReplacementPolicy": "TerminatingOrFailed",
            "template": {"spec": {"restartPolicy": "Never", "containers": []}}},
        "status": {"startTime": "2026-01-01T00:59:00Z"},
    });
    kpkg_api::patch::merge(&mut job["spec"], &spec);
    kpkg_api::patch::merge(&mut job["status"], &status);
    serde_json::from_value(job).unwrap()
}

/// A pod that has its finalizer. `ago` is how many seconds ago it ended.
fn pod(name: &str, phase: &str, ago: i64) -> Value {
    let ended = (now() - SignedDuration::from_secs(ago)).to_string();
    let code = i32::from(phase == "Failed");
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": name, "finalizers": [FINALIZER],
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": []},
        "status": {"phase": phase, "containerStatuses": [{"name": "main", "image": "", "imageID": "", "ready": false,
            "restartCount": 0, "state": if phase == "Running" { json!({}) } else {
                json!({"terminated": {"exitCode": code, "finishedAt": ended}}) }}]},
    })
}

fn indexed(name: &str, phase: &str, index: i32, failures: i32) -> Value {
    let mut pod = pod(name, phase, 100);
    pod["metadata"]["annotations"] = json!({INDEX: index.to_string(), INDEX_FAILURES: failures.to_string()});
    pod
}

fn plan(job: &Job, pods: &[Value]) -> Plan {
    let pods: Vec<Arc<Pod>> =
        pods.iter().map(|pod| Arc::new(serde_json::from_value(pod.clone()).expect("a pod"))).collect();
    decide(&Observed { job, pods: &pods, tracked: &facts::is_tracked, may_manage: true, now: now() })
}

/// The true conditions and their reasons.
fn conditions(plan: &Plan) -> Vec<String> {
    let all = plan.status.conditions.iter().flatten().filter(|condition| condition.status == "True");
    all.map(|condition| format!("{} {}", condition.type_, condition.reason.clone().unwrap_or_default())).collect()
}

#[test]
fn pods_are_made_up_to_what_is_wanted() {
    let cases = [
        ("a first one", json!({}), vec![], 1, 0),
        ("as many as may run at once", json!({"completions": 5, "parallelism": 3}), vec![pod("a", "Running", 0)], 2, 0),
        ("no more than are left", json!({"completions": 2, "parallelism": 3}), vec![pod("a", "Succeeded", 9)], 1, 0),
        (
            "too many go",
            json!({"completions": 5, "parallelism": 1}),
            vec![pod("a", "Running", 0), pod("b", "Running", 0)],
            0,
            1,
        ),
        (
            "a queue makes no more once one is done",
            json!({"completions": null, "parallelism": 3}),
            vec![pod("a", "Succeeded", 9), pod("b", "Running", 0)],
            0,
            0,
        ),
        ("a failure holds the next back", json!({}), vec![pod("a", "Failed", 5)], 0, 0),
        ("but not for ever", json!({}), vec![pod("a", "Failed", 11)], 1, 0),
        ("two hold it back longer", json!({}), vec![pod("a", "Failed", 11), pod("b", "Failed", 60)], 0, 0),
        ("none while suspended", json!({"suspend": true}), vec![pod("a", "Running", 0)], 0, 1),
    ];
    for (name, spec, pods, create, delete) in cases {
        let plan = plan(&job(spec, json!({})), &pods);
        assert_eq!((plan.create.len(), plan.delete.len()), (create, delete), "{name}");
    }
}

#[test]
fn every_pod_is_counted_once() {
    let spec = json!({"completions": 3, "parallelism": 1});
    // Noted, and let go of.
    let first = plan(&job(spec.clone(), json!({})), &[pod("a", "Succeeded", 9), pod("b", "Failed", 99)]);
    let notes = first.status.uncounted_terminated_pods.clone().unwrap();
    assert_eq!((notes.succeeded, notes.failed), (Some(vec!["a".to_owned()]), Some(vec!["b".to_owned()])));
    assert_eq!((first.status.succeeded, first.release.len()), (None, 2));
    // Still held: nothing changes, however often it is looked at.
    let status = serde_json::to_value(&first.status).unwrap();
    let second = plan(&job(spec.clone(), status.clone()), &[pod("a", "Succeeded", 9), pod("b", "Failed", 99)]);
    assert_eq!(second.status.uncounted_terminated_pods, first.status.uncounted_terminated_pods);
    // One has lost its finalizer, one is gone: both are counted.
    let mut freed = pod("a", "Succeeded", 9);
    freed["metadata"]["finalizers"] = json!([]);
    let third = plan(&job(spec, status), &[freed]);
    assert_eq!((third.status.succeeded, third.status.failed), (Some(1), Some(1)));
    let notes = third.status.uncounted_terminated_pods.unwrap();
    assert_eq!((notes.succeeded, notes.failed), (None, None));
}

#[test]
fn jobs_end_for_a_reason() {
    let failed = |count: i64| json!({"failed": count});
    let cases = [
        (
            "enough",
            json!({}),
            json!({"succeeded": 1}),
            vec![],
            vec!["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"],
        ),
        (
            "enough, one still runs",
            json!({}),
            json!({"succeeded": 1}),
            vec![pod("a", "Running", 0)],
            vec!["SuccessCriteriaMet CompletionsReached"],
        ),
        (
            "too many failures",
            json!({"backoffLimit": 2}),
            failed(3),
            vec![],
            vec!["FailureTarget BackoffLimitExceeded", "Failed BackoffLimitExceeded"],
        ),
        ("as many as allowed", json!({"backoffLimit": 3}), failed(3), vec![], vec![]),
        (
            "too long",
            json!({"activeDeadlineSeconds": 60}),
            json!({}),
            vec![],
            vec!["FailureTarget DeadlineExceeded", "Failed DeadlineExceeded"],
        ),
        ("not yet", json!({"activeDeadlineSeconds": 61}), json!({}), vec![], vec![]),
        (
            "nothing to do",
            json!({"completions": 0}),
            json!({}),
            vec![],
            vec!["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"],
        ),
        (
            "a queue",
            json!({"completions": null}),
            json!({"succeeded": 2}),
            vec![],
            vec!["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"],
        ),
        ("suspended", json!({"suspend": true}), json!({}), vec![], vec!["Suspended JobSuspended"]),
    ];
    for (name, spec, status, pods, want) in cases {
        let plan = plan(&job(spec, status), &pods);
        assert_eq!(conditions(&plan), want, "{name}");
    }
}

/// A pod that was made, and that the cache does not show yet, would outlive its job.
#[test]
fn no_job_ends_before_its_pods_are_seen() {
    let job = job(json!({"activeDeadlineSeconds": 60}), json!({}));
    let observed = Observed { job: &job, pods: &[], tracked: &facts::is_tracked, may_manage: false, now: now() };
    assert_eq!(conditions(&decide(&observed)), ["FailureTarget DeadlineExceeded"]);
}

#[test]
fn restarts_in_place_count_as_failures() {
    let mut running = pod("a", "Running", 0);
    running["status"]["containerStatuses"][0]["restartCount"] = json!(2);
    let template = json!({"spec": {"restartPolicy": "OnFailure"}});
    let ended = plan(&job(json!({"backoffLimit": 2, "template": template}), json!({})), &[running.clone()]);
    assert_eq!(conditions(&ended), ["FailureTarget BackoffLimitExceeded"]);
    let not = plan(&job(json!({"backoffLimit": 3, "template": template}), json!({})), &[running]);
    assert!(conditions(&not).is_empty());
}

#[test]
fn indexes_are_each_done_once() {
    let spec = json!({"completionMode": "Indexed", "completions": 5, "parallelism": 3});
    let pods = [indexed("a", "Succeeded", 0, 0), indexed("b", "Running", 2, 0), indexed("c", "Failed", 1, 0)];
    let plan = plan(&job(spec, json!({"completedIndexes": "4"})), &pods);
    let made: Vec<i32> = plan.create.iter().filter_map(|birth| birth.index).map(|(index, _)| index).collect();
    assert_eq!(made, [1, 3]);
    assert_eq!((plan.status.completed_indexes.as_deref(), plan.status.succeeded), (Some("0,4"), Some(2)));
}

#[test]
fn each_index_has_a_limit_of_its_own() {
    let spec = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimit": i32::MAX, "backoffLimitPerIndex": 1});
    let once = plan(&job(spec.clone(), json!({})), &[indexed("a", "Failed", 0, 0)]);
    let made: Vec<_> = once.create.iter().filter_map(|birth| birth.index).collect();
    assert_eq!(made, [(0, 1), (1, 0)]);
    let pods = [indexed("a", "Failed", 0, 0), indexed("b", "Failed", 0, 1), indexed("c", "Succeeded", 1, 0)];
    let twice = plan(&job(spec.clone(), json!({})), &pods);
    assert_eq!(twice.status.failed_indexes.as_deref(), Some("0"));
    assert_eq!(conditions(&twice), ["FailureTarget FailedIndexes"]);
    let mut strict = spec;
    strict["maxFailedIndexes"] = json!(0);
    let over = plan(&job(strict, json!({})), &[indexed("b", "Failed", 0, 1)]);
    assert_eq!(conditions(&over), ["FailureTarget MaxFailedIndexesExceeded"]);
}

#[test]
fn policies_judge_failures_and_success() {
    let rule = |action: &str| {
        json!({"podFailurePolicy": {"rules": [
            {"action": action, "onExitCodes": {"operator": "In", "values": [1]}}]}})
    };
    let failed = [pod("a", "Failed", 100)];
    let fatal = plan(&job(rule("FailJob"), json!({})), &failed);
    assert_eq!(conditions(&fatal), ["FailureTarget PodFailurePolicy"]);
    let message = fatal.status.conditions.unwrap()[0].message.clone();
    assert_eq!(
        message.as_deref(),
        Some("Container main for pod default/a failed with exit code 1 matching FailJob rule at index 0")
    );
    let ignored = plan(&job(rule("Ignore"), json!({})), &failed);
    assert_eq!(ignored.status.uncounted_terminated_pods.unwrap().failed, None);
    assert_eq!(ignored.release.len(), 1);
    let counted = plan(&job(rule("Count"), json!({})), &failed);
    assert!(counted.status.uncounted_terminated_pods.unwrap().failed.is_some());
    let success = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3,
        "successPolicy": {"rules": [{"succeededIndexes": "0,2", "succeededCount": 1}]}});
    let other = plan(&job(success.clone(), json!({"completedIndexes": "1"})), &[]);
    assert!(conditions(&other).is_empty());
    let met = plan(&job(success, json!({"completedIndexes": "2"})), &[indexed("b", "Running", 0, 0)]);
    assert_eq!((conditions(&met), met.delete.len()), (vec!["SuccessCriteriaMet SuccessPolicy".to_owned()], 1));
}

#[test]
fn a_finished_job_is_removed_in_time() {
    let done = |ago: i64| {
        let at = (now() - SignedDuration::from_secs(ago)).to_string();
        json!({"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": at}]})
    };
    let spec = json!({"ttlSecondsAfterFinished": 10});
    let early = plan(&job(spec.clone(), done(4)), &[pod("a", "Succeeded", 4)]);
    assert_eq!(
        (early.remove, early.look_again, early.release.len()),
        (false, Some(std::time::Duration::from_secs(6)), 1)
    );
    assert!(plan(&job(spec, done(10)), &[]).remove);
    assert!(!plan(&job(json!({}), done(1000)), &[]).remove);
}
