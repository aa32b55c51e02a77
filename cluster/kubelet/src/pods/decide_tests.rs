use std::collections::BTreeMap;

use kpkg_runtime::{SandboxConfig, SandboxId, SandboxState, SandboxStatus};
use serde_json::json;

use super::*;
use crate::probe::Board;

fn pod(spec: serde_json::Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p", "uid": "u"}, "spec": spec})).unwrap()
}

fn id(number: u32) -> String {
    format!("{number:064x}")
}

fn sandbox(number: u32, ready: bool) -> SandboxStatus {
    SandboxStatus {
        id: id(number).parse::<SandboxId>().unwrap(),
        config: SandboxConfig { attempt: number, ..SandboxConfig::default() },
        state: if ready { SandboxState::Ready } else { SandboxState::NotReady },
        created_at: jiff::Timestamp::from_second(i64::from(number)).unwrap(),
    }
}

/// A container in sandbox `in_sandbox`: `r` running, `c` created, `u` unknown, or an exit code.
fn container(number: u32, in_sandbox: u32, name: &str, state: &str) -> ContainerStatus {
    let (state, exit_code) = match state {
        "r" => (ContainerState::Running, None),
        "c" => (ContainerState::Created, None),
        "u" => (ContainerState::Unknown, None),
        code => (ContainerState::Exited, Some(code.parse().unwrap())),
    };
    let spec = Container { name: name.to_owned(), image: Some("i".to_owned()), ..Container::default() };
    ContainerStatus {
        id: id(number).parse().unwrap(),
        sandbox: id(in_sandbox).parse().unwrap(),
        name: name.to_owned(),
        attempt: 0,
        state,
        created_at: jiff::Timestamp::from_second(i64::from(number)).unwrap(),
        started_at: None,
        finished_at: None,
        exit_code,
        signal: None,
        reason: String::new(),
        message: String::new(),
        image: "i".to_owned(),
        image_id: String::new(),
        image_ref: String::new(),
        log_path: None,
        pid: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::from([(annotation::HASH.to_owned(), spec_hash(&spec))]),
        resources: kpkg_runtime::Resources::default(),
    }
}

fn spec(restart: &str) -> serde_json::Value {
    json!({
        "restartPolicy": restart,
        "initContainers": [
            {"name": "first", "image": "i"},
            {"name": "side", "image": "i", "restartPolicy": "Always"},
            {"name": "last", "image": "i"},
        ],
        "containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}],
    })
}

/// One word per step.
fn steps(actions: &Actions) -> String {
    let mut out = Vec::new();
    if actions.kill_pod {
        out.push("kill-pod".to_owned());
    }
    out.extend(actions.create_sandbox.map(|attempt| format!("sandbox{attempt}")));
    out.extend(actions.kill.iter().map(|kill| format!("kill:{}", kill.name)));
    out.extend(actions.start_init.iter().map(|index| format!("init{index}")));
    out.extend(actions.start.iter().map(|index| format!("app{index}")));
    out.join(" ")
}

#[test]
fn a_pod_goes_through_its_life() {
    struct Case {
        name: &'static str,
        restart: &'static str,
        sandboxes: &'static [(u32, bool)],
        containers: &'static [(u32, &'static str, &'static str)],
        want: &'static str,
    }
    let case = |name, restart, sandboxes, containers, want| Case { name, restart, sandboxes, containers, want };
    let cases = [
        case("new", "Always", &[], &[], "kill-pod sandbox0 init0"),
        case("sandbox made", "Always", &[(0, true)], &[], "init0"),
        case("first runs", "Always", &[(0, true)], &[(0, "first", "r")], ""),
        case("first created", "Always", &[(0, true)], &[(0, "first", "c")], "init0"),
        case("first done", "Always", &[(0, true)], &[(0, "first", "0")], "init1"),
        case("first failed", "OnFailure", &[(0, true)], &[(0, "first", "1")], "init0"),
        case("first failed for good", "Never", &[(0, true)], &[(0, "first", "1")], "kill-pod"),
        case("sidecar runs", "Always", &[(0, true)], &[(0, "first", "0"), (0, "side", "r")], "init2"),
        case("sidecar fell", "Always", &[(0, true)], &[(0, "first", "0"), (0, "side", "1"), (0, "last", "r")], "init1"),
        case("all init done", "Always", &[(0, true)], &[(0, "side", "r"), (0, "last", "0")], "app0 app1"),
        case("one app runs", "Always", &[(0, true)], &[(0, "side", "r"), (0, "last", "0"), (0, "a", "r")], "app1"),
        case(
            "all run",
            "Always",
            &[(0, true)],
            &[(0, "side", "r"), (0, "last", "0"), (0, "a", "r"), (0, "b", "r")],
            "",
        ),
        case("init cleaned away", "Always", &[(0, true)], &[(0, "side", "r"), (0, "a", "r"), (0, "b", "r")], ""),
        case("app fell", "Always", &[(0, true)], &[(0, "side", "r"), (0, "a", "1"), (0, "b", "r")], "app0"),
        case("app fell, never", "Never", &[(0, true)], &[(0, "side", "r"), (0, "a", "1"), (0, "b", "r")], ""),
        case(
            "app done, on failure",
            "OnFailure",
            &[(0, true)],
            &[(0, "side", "r"), (0, "a", "0"), (0, "b", "1")],
            "app1",
        ),
        case("all done", "OnFailure", &[(0, true)], &[(0, "side", "r"), (0, "a", "0"), (0, "b", "0")], "kill-pod"),
        case("unknown", "Always", &[(0, true)], &[(0, "side", "r"), (0, "a", "u"), (0, "b", "r")], "kill:a app0"),
        case("sandbox died", "Always", &[(0, false)], &[(0, "a", "137"), (0, "b", "137")], "kill-pod sandbox1 init0"),
        case("sandbox died, never", "Never", &[(0, false)], &[(0, "a", "137"), (0, "b", "137")], "kill-pod"),
        case("sandbox died when done", "OnFailure", &[(0, false)], &[(0, "a", "0"), (0, "b", "0")], "kill-pod"),
        case(
            "second sandbox",
            "Always",
            &[(1, true), (0, false)],
            &[(0, "a", "137"), (0, "b", "137"), (1, "first", "r")],
            "",
        ),
        case(
            "second sandbox, initialized",
            "Always",
            &[(1, true), (0, false)],
            &[(0, "a", "137"), (1, "side", "r"), (1, "last", "0")],
            "app0 app1",
        ),
    ];
    for case in cases {
        let sandboxes = case.sandboxes.iter().map(|(number, ready)| sandbox(*number, *ready)).collect();
        let containers = case
            .containers
            .iter()
            .zip(100..)
            .map(|((home, name, state), number)| container(number, *home, name, state))
            .collect();
        let actions = decide(&pod(spec(case.restart)), &Observed::new(sandboxes, containers), &Board::default());
        assert_eq!(steps(&actions), case.want, "{}", case.name);
    }
}

#[test]
fn probes_condemn_containers() {
    let pod = pod(json!({"restartPolicy": "Always", "containers": [{"name": "a", "image": "i"}]}));
    let running = container(7, 0, "a", "r");
    let observed = Observed::new(vec![sandbox(0, true)], vec![running.clone()]);
    let board = Board::default();
    board.set(&running.id, ProbeKind::Liveness, Verdict::Success);
    assert_eq!(steps(&decide(&pod, &observed, &board)), "");
    board.set(&running.id, ProbeKind::Liveness, Verdict::Failure);
    let actions = decide(&pod, &observed, &board);
    assert_eq!(steps(&actions), "kill:a app0");
    assert_eq!(actions.kill[0].message, "Container a failed liveness probe, will be restarted");
}

#[test]
fn another_image_asks_for_another_container() {
    let pod = pod(json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "other"}]}));
    let observed = Observed::new(vec![sandbox(0, true)], vec![container(7, 0, "a", "r")]);
    let actions = decide(&pod, &observed, &Board::default());
    assert_eq!(steps(&actions), "kill:a app0");
    assert_eq!(actions.kill[0].message, "Container a definition changed, will be restarted");
}
