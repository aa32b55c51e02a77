//! What pods do when things go wrong: the phases, reasons, events and texts that users know.

use serde_json::Value;

use kpkg_tests::{eventually, images::BUSYBOX};

use crate::{LIMIT, busybox_machine};

fn pod(name: &str, rest: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n{rest}")
}

/// The events of an object, as `reason: message`.
fn events(machine: &kpkg_tests::Machine, name: &str) -> String {
    let selector = format!("involvedObject.name={name}");
    let text = machine.kubectl(&["get", "events", "--field-selector", &selector, "-o", "json"]).ok();
    let list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
    let all = list["items"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|it| format!("{}: {}\n", it["reason"].as_str().unwrap_or(""), it["message"].as_str().unwrap_or("")))
        .collect()
}

#[test]
fn troubles_are_told_as_kubernetes_tells_them() {
    let machine = busybox_machine();

    machine.apply(&pod("oom", &format!(
        "  containers:\n  - name: eat\n    image: {BUSYBOX}\n    command: [sh, -c, \"x=a; while true; do x=$x$x; done\"]\n    resources: {{limits: {{memory: 32Mi}}}}\n  restartPolicy: Never\n"
    )));
    machine.apply(&pod(
        "loop",
        &format!(
            "  containers:\n  - name: die\n    image: {BUSYBOX}\n    command: [sh, -c, \"echo last words; exit 3\"]\n"
        ),
    ));
    machine.apply(&pod("init", &format!(
        "  initContainers:\n  - name: first\n    image: {BUSYBOX}\n    command: [sh, -c, \"exit 7\"]\n  containers:\n  - name: app\n    image: {BUSYBOX}\n    command: [sleep, \"1000\"]\n  restartPolicy: Never\n"
    )));
    machine.apply(&pod("pull", "  containers:\n  - name: app\n    image: 127.0.0.1:1/nothing:here\n"));
    machine.apply(&pod(
        "big",
        &format!(
            "  containers:\n  - name: app\n    image: {BUSYBOX}\n    resources: {{requests: {{memory: 100Ti}}}}\n"
        ),
    ));

    // Memory over its limit is killed and reported as such.
    let oom = eventually("the pod `oom` fails", LIMIT, || {
        let pod = machine.get("pod", "oom");
        (pod["status"]["phase"] == "Failed").then_some(pod)
    });
    let ended = &oom["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["reason"], &ended["exitCode"]), (&"OOMKilled".into(), &137.into()), "{ended}");

    // A crash loop: restarts counted, the last run's log and exit code kept.
    let looping = eventually("the pod `loop` waits in CrashLoopBackOff", LIMIT, || {
        let pod = machine.get("pod", "loop");
        let status = pod["status"]["containerStatuses"][0].clone();
        (status["state"]["waiting"]["reason"] == "CrashLoopBackOff").then_some(status)
    });
    assert_eq!(looping["lastState"]["terminated"]["exitCode"], 3, "{looping}");
    assert!(looping["restartCount"].as_i64() >= Some(1), "{looping}");
    assert_eq!(machine.kubectl(&["logs", "loop", "--previous"]).ok(), "last words\n");
    assert!(events(&machine, "loop").contains("BackOff: Back-off restarting failed container die in pod loop"));

    // A failing init container fails the pod before the app starts.
    let init = eventually("the pod `init` fails", LIMIT, || {
        let pod = machine.get("pod", "init");
        (pod["status"]["phase"] == "Failed").then_some(pod)
    });
    assert_eq!(init["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"], 7);
    assert_eq!(init["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    let table = machine.kubectl(&["get", "pod", "init"]).ok();
    assert!(table.contains("Init:Error") && table.contains("0/1"), "{table}");

    // An image that cannot be had.
    eventually("the pod `pull` waits for its image", LIMIT, || {
        let reason = machine.get("pod", "pull")["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
        (reason == "ImagePullBackOff" || reason == "ErrImagePull").then_some(())
    });
    let told = events(&machine, "pull");
    assert!(told.contains("Pulling: Pulling image \"127.0.0.1:1/nothing:here\""), "{told}");
    assert!(told.contains("Failed: Failed to pull image \"127.0.0.1:1/nothing:here\""), "{told}");

    // A pod that fits nowhere.
    let big = eventually("the pod `big` is told not to fit", LIMIT, || {
        let pod = machine.get("pod", "big");
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|it| it["type"] == "PodScheduled" && it["reason"] == "Unschedulable")
    });
    assert!(
        big["message"].as_str().is_some_and(|it| it.starts_with("0/1 nodes are available: 1 Insufficient memory.")),
        "{big}"
    );
    let described = machine.kubectl(&["describe", "pod", "big"]).ok();
    for text in ["Status:           Pending", "Warning  FailedScheduling", "Insufficient memory"] {
        assert!(described.contains(text), "no `{text}` in\n{described}");
    }
    machine.delete_cluster();
}

#[test]
fn pods_get_what_their_spec_says() {
    let machine = busybox_machine();
    machine.apply(&format!(
        r#"
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{colour: green, "app.conf": "level=1"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: hidden}}
stringData: {{key: s3cret}}
---
apiVersion: v1
kind: Pod
metadata: {{name: full, labels: {{app: full}}}}
spec:
  restartPolicy: Never
  hostname: myhost
  terminationGracePeriodSeconds: 1
  initContainers:
  - {{name: one, image: {BUSYBOX}, command: [sh, -c, "echo one >> /shared/order"], volumeMounts: [{{name: shared, mountPath: /shared}}]}}
  - {{name: two, image: {BUSYBOX}, command: [sh, -c, "echo two >> /shared/order"], volumeMounts: [{{name: shared, mountPath: /shared}}]}}
  containers:
  - name: app
    image: {BUSYBOX}
    command: [sh, -c, "while [ ! -e /tmp/done ]; do sleep 0.1; done"]
    readinessProbe: {{exec: {{command: [cat, /shared/order]}}, periodSeconds: 1}}
    env:
    - {{name: COLOUR, valueFrom: {{configMapKeyRef: {{name: settings, key: colour}}}}}}
    - {{name: KEY, valueFrom: {{secretKeyRef: {{name: hidden, key: key}}}}}}
    - {{name: IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}
    - {{name: BOTH, value: "$(COLOUR)-$(KEY)"}}
    resources: {{requests: {{cpu: 10m, memory: 8Mi}}, limits: {{cpu: 100m, memory: 64Mi}}}}
    volumeMounts:
    - {{name: shared, mountPath: /shared}}
    - {{name: memory, mountPath: /memory}}
    - {{name: settings, mountPath: /settings}}
    - {{name: hidden, mountPath: /hidden, readOnly: true}}
    - {{name: settings, mountPath: /one/app.conf, subPath: app.conf}}
  volumes:
  - {{name: shared, emptyDir: {{}}}}
  - {{name: memory, emptyDir: {{medium: Memory, sizeLimit: 4Mi}}}}
  - {{name: settings, configMap: {{name: settings}}}}
  - {{name: hidden, secret: {{secretName: hidden, defaultMode: 0400}}}}
"#
    ));
    crate::wait_ready(&machine, "full");
    let inside = |script: &str| machine.kubectl(&["exec", "full", "--", "sh", "-c", script]).ok();
    assert_eq!(inside("cat /shared/order"), "one\ntwo\n");
    assert_eq!(inside("echo $COLOUR $KEY $BOTH; hostname"), "green s3cret green-s3cret\nmyhost\n");
    assert_eq!(inside("cat /settings/colour /hidden/key /one/app.conf"), "greens3cretlevel=1");
    let ip = machine.get("pod", "full")["status"]["podIP"].as_str().expect("the pod has an address").to_owned();
    assert_eq!(inside("echo $IP").trim(), ip);
    assert!(inside("df /memory | tail -1").contains("tmpfs"));
    assert!(inside("grep CapEff /proc/self/status").contains("00000000a80425fb"), "the default capabilities");
    assert!(inside("grep Seccomp: /proc/self/status").contains('2'), "a seccomp filter is on");
    assert!(
        inside("cat /etc/resolv.conf").contains("search default.svc.cluster.local svc.cluster.local cluster.local")
    );
    assert!(inside("cat /var/run/secrets/kubernetes.io/serviceaccount/namespace").contains("default"));
    assert_eq!(inside("nslookup kubernetes.default.svc.cluster.local >/dev/null 2>&1; echo $?"), "0\n");

    // A changed ConfigMap reaches the running pod.
    machine.kubectl(&["patch", "configmap", "settings", "-p", r#"{"data": {"colour": "blue"}}"#]).ok();
    eventually("the new value is in the volume", LIMIT, || (inside("cat /settings/colour") == "blue").then_some(()));

    inside("touch /tmp/done");
    eventually("the pod ends well", LIMIT, || {
        (machine.get("pod", "full")["status"]["phase"] == "Succeeded").then_some(())
    });
    machine.delete_cluster();
}
