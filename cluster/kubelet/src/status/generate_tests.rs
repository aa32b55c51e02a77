use kpkg_runtime::{ContainerState, ContainerStatus as Seen, SandboxConfig, SandboxState, SandboxStatus};
use serde_json::{Value, json};

use super::*;
use crate::{probe::Board, status::StartFailure};

fn seen(number: u32, name: &str, exit: Option<i32>) -> Seen {
    Seen {
        id: format!("{number:064x}").parse().unwrap(),
        sandbox: format!("{:064x}", 0).parse().unwrap(),
        name: name.to_owned(),
        attempt: 0,
        state: if exit.is_some() { ContainerState::Exited } else { ContainerState::Running },
        created_at: Timestamp::from_second(i64::from(number)).unwrap(),
        started_at: Timestamp::from_second(i64::from(number)).ok(),
        finished_at: exit.and_then(|_| Timestamp::from_second(i64::from(number) + 5).ok()),
        exit_code: exit,
        signal: None,
        reason: match exit {
            None => "",
            Some(0) => "Completed",
            Some(137) => "OOMKilled",
            Some(_) => "Error",
        }
        .to_owned(),
        message: String::new(),
        image: "i".to_owned(),
        image_id: "sha256:1".to_owned(),
        image_ref: String::new(),
        log_path: None,
        pid: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::from([("io.kubernetes.container.restartCount".to_owned(), number.to_string())]),
        resources: kpkg_runtime::Resources::default(),
    }
}

fn make(pod: Value, containers: Vec<Seen>, errors: &[(&str, &str)], terminal: bool) -> Value {
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let sandbox = SandboxStatus {
        id: format!("{:064x}", 0).parse().unwrap(),
        config: SandboxConfig::default(),
        state: SandboxState::Ready,
        created_at: Timestamp::UNIX_EPOCH,
    };
    let start_errors = errors
        .iter()
        .map(|(name, reason)| {
            ((*name).to_owned(), StartFailure { reason: (*reason).to_owned(), message: "m".to_owned() })
        })
        .collect();
    let status = generate(&Input {
        pod: &pod,
        observed: &Observed::new(vec![sandbox], containers),
        verdicts: &Board::default(),
        start_errors: &start_errors,
        host_ip: "10.0.0.1".parse().unwrap(),
        pod_ip: "10.1.0.2".parse().ok(),
        terminal,
        failed: None,
        now: Timestamp::UNIX_EPOCH,
    });
    serde_json::to_value(status).unwrap()
}

fn pod(restart: &str) -> Value {
    json!({"metadata": {"name": "p", "generation": 3}, "spec": {"restartPolicy": restart, "containers": [{"name": "a", "image": "i"}]}})
}

fn condition<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["conditions"].as_array().unwrap().iter().find(|condition| condition["type"] == name).unwrap()
}

#[test]
fn phases_follow_containers() {
    type Case<'a> = (&'a str, &'a str, Vec<Seen>, &'a [(&'a str, &'a str)], bool, &'a str);
    let cases: [Case<'_>; 9] = [
        ("nothing yet", "Always", vec![], &[], false, "Pending"),
        ("runs", "Always", vec![seen(1, "a", None)], &[], false, "Running"),
        ("crashed once", "Always", vec![seen(1, "a", Some(1))], &[("a", "CrashLoopBackOff")], false, "Running"),
        ("cannot be pulled", "Always", vec![], &[("a", "ErrImagePull")], false, "Pending"),
        ("done", "Never", vec![seen(1, "a", Some(0))], &[], false, "Succeeded"),
        ("failed", "Never", vec![seen(1, "a", Some(2))], &[], false, "Failed"),
        ("failed, tried again", "OnFailure", vec![seen(1, "a", Some(2))], &[], false, "Running"),
        ("ended in good order", "Always", vec![seen(1, "a", Some(0))], &[], true, "Succeeded"),
        ("ended by force", "Always", vec![seen(1, "a", Some(137))], &[], true, "Failed"),
    ];
    for (name, restart, containers, errors, terminal, want) in cases {
        assert_eq!(make(pod(restart), containers, errors, terminal)["phase"], want, "{name}");
    }
}

#[test]
fn a_crash_loop_reads_as_in_kubectl() {
    let status =
        make(pod("Always"), vec![seen(4, "a", Some(137)), seen(3, "a", Some(1))], &[("a", "CrashLoopBackOff")], false);
    let container = &status["containerStatuses"][0];
    assert_eq!(container["state"], json!({"waiting": {"reason": "CrashLoopBackOff", "message": "m"}}));
    assert_eq!(container["lastState"]["terminated"]["reason"], "OOMKilled");
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 137);
    assert_eq!(container["restartCount"], 4);
    assert_eq!(condition(&status, "Ready")["message"], "containers with unready status: [a]");
    assert_eq!(condition(&status, "Ready")["observedGeneration"], 3);
}

#[test]
fn readiness_gates_and_foreign_conditions_count() {
    let mut pod = pod("Always");
    pod["spec"]["readinessGates"] = json!([{"conditionType": "example.com/ok"}]);
    let waiting = make(pod.clone(), vec![seen(1, "a", None)], &[], false);
    assert_eq!(condition(&waiting, "ContainersReady")["status"], "True");
    assert_eq!(condition(&waiting, "Ready")["reason"], "ReadinessGatesNotReady");
    pod["status"] = json!({"conditions": [{"type": "example.com/ok", "status": "True"}]});
    let ready = make(pod, vec![seen(1, "a", None)], &[], false);
    assert_eq!(condition(&ready, "Ready")["status"], "True");
    assert_eq!(condition(&ready, "example.com/ok")["status"], "True");
}

#[test]
fn initialization_shows() {
    let pod = json!({"metadata": {"name": "p"}, "spec": {"initContainers": [{"name": "i", "image": "i"}], "containers": [{"name": "a", "image": "i"}]}});
    let before = make(pod.clone(), vec![seen(1, "i", None)], &[], false);
    assert_eq!(before["phase"], "Pending");
    assert_eq!(before["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    assert_eq!(condition(&before, "Initialized")["message"], "containers with incomplete status: [i]");
    let after = make(pod, vec![seen(2, "a", None), seen(1, "i", Some(0))], &[], false);
    assert_eq!(after["phase"], "Running");
    assert_eq!(after["initContainerStatuses"][0]["ready"], true);
    assert_eq!(condition(&after, "Initialized")["status"], "True");
}
