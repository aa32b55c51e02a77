//! The unmodified kubectl against kpkg's cluster: the daily verbs.

use std::io::Read;
use std::process::Stdio;

use kpkg_tests::{eventually, images::BUSYBOX};

use crate::{LIMIT, busybox_machine, wait_ready};

#[test]
fn the_daily_verbs_work_unchanged() {
    let machine = busybox_machine();
    let kubectl = |args: &[&str]| machine.kubectl(args).ok();

    assert!(kubectl(&["version"]).contains("Server Version: v1.37"));
    let resources = kubectl(&["api-resources"]);
    for line in ["pods", "deployments", "statefulsets", "persistentvolumeclaims", "storageclasses", "leases"] {
        assert!(resources.contains(line), "no {line} in\n{resources}");
    }

    // create speaks protobuf, apply and patch speak JSON.
    kubectl(&[
        "create",
        "deployment",
        "web",
        "--image",
        BUSYBOX,
        "--replicas=2",
        "--",
        "sh",
        "-c",
        "echo hello from $HOSTNAME; sleep 1000",
    ]);
    kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    kubectl(&["create", "configmap", "settings", "--from-literal=a=1"]);
    assert_eq!(kubectl(&["get", "configmap", "settings", "-o", "jsonpath={.data.a}"]), "1");

    let table = kubectl(&["get", "deployment", "web", "-o", "wide"]);
    assert!(table.starts_with("NAME   READY   UP-TO-DATE   AVAILABLE   AGE"), "{table}");
    assert!(table.contains("2/2"), "{table}");
    assert!(kubectl(&["get", "pods", "-A", "-o", "wide"]).contains("NOMINATED NODE"));
    assert!(kubectl(&["get", "pods", "-l", "app=web", "-o", "name"]).lines().count() == 2);
    assert!(kubectl(&["get", "pods", "--field-selector", "status.phase=Failed", "-o", "name"]).is_empty());
    assert!(kubectl(&["get", "deployment", "web", "-o", "yaml"]).contains("kind: Deployment"));
    assert!(kubectl(&["explain", "pods.spec.containers"]).contains("image"));
    assert!(kubectl(&["describe", "deployment", "web"]).contains("ScalingReplicaSet"));
    assert!(kubectl(&["describe", "node"]).contains("Ready"));

    // exec, logs, cp-like input.
    let pod = kubectl(&["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}"]);
    assert_eq!(kubectl(&["logs", &pod]), format!("hello from {pod}\n"));
    assert_eq!(kubectl(&["exec", &pod, "--", "sh", "-c", "echo out; echo err >&2"]), "out\n");
    assert_eq!(machine.kubectl(&["exec", &pod, "--", "sh", "-c", "exit 42"]).code, 42);

    // scale, restart, undo by delete.
    kubectl(&["scale", "deployment/web", "--replicas=3"]);
    kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    kubectl(&["rollout", "restart", "deployment/web"]);
    kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    assert!(kubectl(&["rollout", "history", "deployment/web"]).contains('2'));

    // What the server refuses, kubectl tells in Kubernetes' words.
    let refused = machine.kubectl(&["create", "deployment", "Bad_Name", "--image", BUSYBOX]).failure();
    assert!(
        refused.contains("The Deployment \"Bad_Name\" is invalid") || refused.contains("is invalid: metadata.name"),
        "{refused}"
    );
    let unknown = machine.kubectl(&["get", "pod", "nobody"]).failure();
    assert_eq!(unknown.trim(), "Error from server (NotFound): pods \"nobody\" not found");

    kubectl(&["delete", "deployment", "web", "--cascade=foreground", "--timeout=120s"]);
    assert!(kubectl(&["get", "pods", "-l", "app=web", "-o", "name"]).is_empty());
    machine.delete_cluster();
}

#[test]
fn streams_flow_both_ways() {
    let machine = busybox_machine();
    machine.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: echo}}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  - name: app\n    image: {BUSYBOX}\n    command: [sh, -c, \"mkdir -p /www; echo served > /www/index.html; httpd -p 8080 -h /www; while true; do date; sleep 0.2; done\"]\n"
    ));
    wait_ready(&machine, "echo");

    // exec -i: standard input reaches the container, its end too.
    let mut child = machine.kubectl_command(&["exec", "-i", "echo", "--", "wc", "-c"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("kubectl starts");
    let megabyte = vec![b'x'; 1 << 20];
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), &megabyte).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1048576");

    // exec -it under a terminal that `script` makes. As in Kubernetes, its size arrives a moment after the start. `script`
    // may end before it has shown what was written last, so nothing is.
    let kubeconfig = machine.data_dir().join("kubeconfig");
    let shell = format!(
        "kubectl --kubeconfig {} exec -it echo -- sh -c 'test -t 0 && echo terminal; until stty size 2>/dev/null | grep .; do sleep 0.1; done; sleep 2'",
        kubeconfig.display()
    );
    let typed = machine.run("script", &["-qec", &format!("stty rows 33 cols 77; {shell}"), "/dev/null"]).ok();
    assert!(typed.contains("terminal") && typed.contains("33 77"), "{typed}");

    // logs -f follows.
    let mut follow =
        machine.kubectl_command(&["logs", "-f", "echo"]).stdout(Stdio::piped()).spawn().expect("kubectl starts");
    let mut lines = [0; 60];
    follow.stdout.as_mut().expect("piped").read_exact(&mut lines).expect("lines keep coming");
    follow.kill().and_then(|()| follow.wait()).expect("kubectl can be ended");

    // port-forward: several connections through one tunnel.
    let mut forward =
        machine.kubectl_command(&["port-forward", "pod/echo", "18080:8080"]).spawn().expect("kubectl starts");
    let served =
        eventually("the forwarded port answers", LIMIT, || machine.http(&["http://127.0.0.1:18080/index.html"]));
    assert_eq!(served, "served\n");
    for _ in 0..5 {
        assert_eq!(machine.http(&["http://127.0.0.1:18080/index.html"]).as_deref(), Some("served\n"));
    }
    forward.kill().and_then(|()| forward.wait()).expect("kubectl can be ended");
    machine.delete_cluster();
}
