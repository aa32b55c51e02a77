//! A client that dies at any request, and two clients at once.

use kpkg_tests::Machine;
use kpkg_tests::cutter::{Cut, Cutter};

use super::{demo, field, names, statuses};

/// More requests than any of the operations sends.
const ENOUGH: usize = 200;

#[test]
fn a_client_that_dies_at_any_request_leaves_nothing_stuck() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let chart = demo(&machine);
    let cutter = Cutter::new(&machine);
    let install = ["install", "k", &chart];
    let cuts = each_request(&cutter, &install, &mut |_| {
        plain(&cutter, &install);
        check(&machine, "one", 3);
        plain(&cutter, &["uninstall", "k"]);
        assert_gone(&machine);
    });
    assert!(cuts > 15, "only {cuts} requests were cut");

    plain(&cutter, &install);
    let upgrade = ["upgrade", "k", &chart, "--set", "text=two,count=2"];
    let back = ["upgrade", "k", &chart, "--set", "text=one,count=3"];
    each_request(&cutter, &upgrade, &mut |number| {
        // Going on or going back: either is one command.
        if number % 2 == 0 {
            plain(&cutter, &upgrade);
            check(&machine, "two", 2);
            plain(&cutter, &back);
        } else {
            let deployed = statuses(&machine, "k").iter().rposition(|it| it == "deployed");
            assert!(deployed.is_some(), "nothing is deployed");
            plain(&cutter, &back);
        }
        check(&machine, "one", 3);
    });
    plain(&cutter, &upgrade);
    let newest = || statuses(&machine, "k").len();
    let revisions = newest();
    assert!(revisions <= 10, "{revisions} revisions");
    each_request(&cutter, &["rollback", "k"], &mut |_| {
        plain(&cutter, &upgrade);
        check(&machine, "two", 2);
        plain(&cutter, &back);
        plain(&cutter, &upgrade);
    });
    each_request(&cutter, &["uninstall", "k"], &mut |_| {
        plain(&cutter, &["uninstall", "k", "--ignore-not-found"]);
        assert_gone(&machine);
        plain(&cutter, &install);
    });
    drop(cutter);
    machine.delete_cluster();
}

/// Runs a command again and again, killed one request later each time, until it is not killed.
fn each_request(cutter: &Cutter, args: &[&str], then: &mut dyn FnMut(usize)) -> usize {
    for number in 1..ENOUGH {
        // Either side of a request in turn: both for all would take twice as long.
        let cut = if number % 2 == 0 { Cut::Before } else { Cut::After };
        match cutter.kpkg(args, number, cut) {
            Some(code) => {
                assert_eq!(code, 0, "{args:?}: {}", cutter.said());
                then(number);
                return number;
            }
            None => then(number),
        }
    }
    panic!("{args:?} sends more than {ENOUGH} requests");
}

#[track_caller]
fn plain(cutter: &Cutter, args: &[&str]) {
    let code = cutter.kpkg(args, usize::MAX, Cut::Before);
    assert_eq!(code, Some(0), "{args:?}: {}", cutter.said());
}

/// Exactly the objects of the newest revision are there.
#[track_caller]
fn check(machine: &Machine, text: &str, count: usize) {
    let list = machine.kubectl(&["get", "configmap,lease", "-o", "json"]).ok();
    let list: serde_json::Value = serde_json::from_str(&list).expect("kubectl prints JSON");
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let have = items.iter().filter(|it| it["metadata"]["name"] != "kube-root-ca.crt");
    let have: Vec<String> = have.map(|it| format!("{}: {}", it["metadata"]["name"], it["data"]["text"])).collect();
    let wanted: Vec<String> = (0..count).map(|number| format!("\"k-{number}\": \"{text}\"")).collect();
    assert_eq!(have, wanted, "configmaps and leases");
    let statuses = statuses(machine, "k");
    assert_eq!(statuses.iter().filter(|it| *it == "deployed").count(), 1, "{statuses:?}");
    assert!(!statuses.iter().any(|it| it.starts_with("pending")), "{statuses:?}");
}

#[track_caller]
fn assert_gone(machine: &Machine) {
    let left = names(machine, "configmap,secret,service,lease");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn of_two_clients_one_wins_and_the_other_is_told() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let chart = demo(&machine);
    machine.kpkg(&["install", "k", &chart]).ok();
    // One waits for a claim that is never bound, and holds the lease meanwhile.
    let slow = ["upgrade", "k", &chart, "--set", "broken=true", "--timeout", "8s"];
    let mut first = machine.kpkg_command(&slow).stderr(std::process::Stdio::null()).spawn().expect("nsenter runs");
    kpkg_tests::eventually("the lease is held", crate::LIMIT, || (!names(&machine, "lease").is_empty()).then_some(()));
    let told = machine.kpkg(&["upgrade", "k", &chart, "--set", "text=mine"]).failure();
    assert!(told.contains("is being changed by") && told.contains("the lease ends at"), "{told}");
    assert!(!first.wait().expect("it ends").success());
    machine.kpkg(&["upgrade", "k", &chart, "--set", "text=mine"]).ok();
    assert_eq!((field(&machine, "configmap", "k-0", "/data/text"), names(&machine, "pvc").len()), ("mine".into(), 0));
    machine.delete_cluster();
}
