//! The server dies; nothing that it looks after notices.

use kpkg_tests::{eventually, images::BUSYBOX};

use crate::{LIMIT, busybox_machine, wait_ready};

#[test]
fn a_killed_server_restarts_no_container_and_loses_no_line() {
    let machine = busybox_machine();
    machine.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: count}}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  - name: app\n    image: {BUSYBOX}\n    command: [sh, -c, \"i=0; while true; do echo $i; i=$((i+1)); sleep 0.05; done\"]\n"
    ));
    machine.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: brief}}\nspec:\n  restartPolicy: Never\n  containers:\n  - name: app\n    image: {BUSYBOX}\n    command: [sh, -c, \"while [ ! -e /go/now ]; do sleep 0.1; done; echo bye; exit 5\"]\n    volumeMounts: [{{name: go, mountPath: /go}}]\n  volumes: [{{name: go, hostPath: {{path: {}/go, type: DirectoryOrCreate}}}}]\n",
        machine.dir().display()
    ));
    wait_ready(&machine, "count");
    wait_ready(&machine, "brief");
    let before = machine.get("pod", "count")["status"]["containerStatuses"][0].clone();

    for _ in 0..3 {
        let status = machine.kpkg(&["cluster", "status", "-o", "json"]).ok();
        let status: serde_json::Value = serde_json::from_str(&status).expect("status prints JSON");
        let pid = status["pid"].as_u64().expect("the server has a process").to_string();
        machine.run("kill", &["-9", &pid]).ok();
        // A container that ends while nobody looks still has its exit code and last words.
        std::fs::write(machine.dir().join("go/now"), "").expect("the folder is shared");
        machine.kpkg(&["cluster", "start"]).ok();
    }
    let after = machine.get("pod", "count")["status"]["containerStatuses"][0].clone();
    assert_eq!(after["containerID"], before["containerID"]);
    assert_eq!(after["restartCount"], 0);

    let brief = eventually("the pod `brief` has ended", LIMIT, || {
        let pod = machine.get("pod", "brief");
        (pod["status"]["phase"] == "Failed").then_some(pod)
    });
    assert_eq!(brief["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 5);
    assert_eq!(machine.kubectl(&["logs", "brief"]).ok(), "bye\n");

    let lines = machine.kubectl(&["logs", "count"]).ok();
    for (index, line) in lines.lines().enumerate() {
        assert_eq!(line, index.to_string(), "a line is lost");
    }
    machine.delete_cluster();
}
