//! Jobs, by their real containers: completions, indexes, limits, policies and their end.

use kpkg_tests::{Machine, eventually, images};
use serde_json::Value;

use crate::{LIMIT, busybox_machine};

/// A Job of one busybox container; `spec` are lines of the Job's own.
fn job(name: &str, spec: &str, script: &str) -> String {
    let lines: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec:\n{lines}  template:\n    spec:\n      restartPolicy: Never\n      terminationGracePeriodSeconds: 0\n      containers: [{{name: main, image: '{}', command: [sh, -c, '{script}']}}]\n",
        images::BUSYBOX
    )
}

#[test]
fn jobs_end_as_they_are_told() {
    let machine = busybox_machine();
    let policy = "backoffLimit: 6\npodFailurePolicy: {rules: [{action: FailJob, onExitCodes: {containerName: main, operator: In, values: [42]}}]}";
    let per_index = "completions: 3\nparallelism: 3\ncompletionMode: Indexed\nbackoffLimitPerIndex: 0";
    let jobs = [
        job("many", "completions: 5\nparallelism: 2", "sleep 1"),
        job("indexed", "completions: 3\nparallelism: 3\ncompletionMode: Indexed", "echo part $JOB_COMPLETION_INDEX"),
        job("retries", "backoffLimit: 1", "exit 3"),
        job("late", "activeDeadlineSeconds: 2", "sleep 600"),
        job("policy", policy, "exit 42"),
        job("by-index", per_index, "test $JOB_COMPLETION_INDEX != 1"),
        job("short", "ttlSecondsAfterFinished: 2", "true"),
        job("paused", "suspend: true", "true"),
    ];
    machine.apply(&jobs.concat());

    let done = ended(&machine, "many");
    assert_eq!((&done["succeeded"], condition(&done)), (&5.into(), ("Complete", "CompletionsReached")), "{done}");
    assert!(at_once(&machine, "many") <= 2, "more than two of `many` ran at once");

    let done = ended(&machine, "indexed");
    assert_eq!((done["completedIndexes"].as_str(), condition(&done).0), (Some("0-2"), "Complete"), "{done}");
    let said = machine.kubectl(&["logs", "-l", "batch.kubernetes.io/job-name=indexed", "--tail=-1"]).ok();
    let mut parts: Vec<&str> = said.lines().collect();
    parts.sort_unstable();
    assert_eq!(parts, ["part 0", "part 1", "part 2"]);

    let done = ended(&machine, "retries");
    assert_eq!((&done["failed"], condition(&done)), (&2.into(), ("Failed", "BackoffLimitExceeded")), "{done}");
    let done = ended(&machine, "late");
    assert_eq!(condition(&done), ("Failed", "DeadlineExceeded"), "{done}");
    eventually("the pods of `late` have ended", LIMIT, || {
        let pods = machine.pods("batch.kubernetes.io/job-name=late");
        pods.iter().all(|pod| pod["status"]["phase"] != "Running").then_some(())
    });
    let done = ended(&machine, "policy");
    assert_eq!((&done["failed"], condition(&done)), (&1.into(), ("Failed", "PodFailurePolicy")), "{done}");
    let done = ended(&machine, "by-index");
    assert_eq!((done["completedIndexes"].as_str(), done["failedIndexes"].as_str()), (Some("0,2"), Some("1")), "{done}");
    assert_eq!(condition(&done).0, "Failed", "{done}");

    eventually("`short` and its pods are gone", LIMIT, || {
        let gone =
            machine.get("job", "short").is_null() && machine.pods("batch.kubernetes.io/job-name=short").is_empty();
        gone.then_some(())
    });
    assert!(machine.pods("batch.kubernetes.io/job-name=paused").is_empty(), "a suspended Job has pods");
    machine.kubectl(&["patch", "job", "paused", "-p", r#"{"spec":{"suspend":false}}"#]).ok();
    assert_eq!(condition(&ended(&machine, "paused")).0, "Complete");
    machine.delete_cluster();
}

/// The status of a Job that has ended.
#[track_caller]
fn ended(machine: &Machine, name: &str) -> Value {
    eventually(&format!("the Job {name} has ended"), LIMIT, || {
        let status = machine.get("job", name)["status"].take();
        (!condition(&status).0.is_empty()).then_some(status)
    })
}

/// How a Job ended: the condition and its reason.
fn condition(status: &Value) -> (&str, &str) {
    let all = status["conditions"].as_array().into_iter().flatten();
    let mut ends = all.filter(|it| it["status"] == "True" && (it["type"] == "Complete" || it["type"] == "Failed"));
    ends.next()
        .map_or(("", ""), |it| (it["type"].as_str().unwrap_or_default(), it["reason"].as_str().unwrap_or_default()))
}

/// How many of a Job's containers ran at the same time at most.
fn at_once(machine: &Machine, name: &str) -> usize {
    let pods = machine.pods(&format!("batch.kubernetes.io/job-name={name}"));
    let run = |pod: &Value| {
        let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        let text = |key: &str| ended[key].as_str().unwrap_or_default().to_owned();
        (text("startedAt"), text("finishedAt"))
    };
    let runs: Vec<(String, String)> = pods.iter().map(run).collect();
    // Times have whole seconds: who ends in the second in which another begins is taken to have gone before.
    runs.iter().map(|(at, _)| runs.iter().filter(|(from, to)| from <= at && at < to).count()).max().unwrap_or_default()
}
