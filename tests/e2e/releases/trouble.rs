//! What goes wrong besides the chart: each failure names its object and the next step, and the record is true.

use std::process::Stdio;

use kpkg_tests::{Machine, eventually};

use super::{chart, demo, field, names, statuses};

#[test]
fn troubles_are_explained_and_recorded() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let chart = demo(&machine);
    namespaces_that_go(&machine, &chart);
    hooks_that_never_end(&machine);
    fields_that_cannot_change(&machine);
    kinds_that_nobody_serves(&machine);
    definitions_that_are_never_established(&machine);
    rights_that_lack(&machine, &chart);
    records_of_newer_versions(&machine, &chart);
    a_cluster_that_goes_away(&machine, &chart);
    machine.delete_cluster();
}

#[track_caller]
fn told(text: &str, wants: &[&str]) {
    for want in wants {
        assert!(text.contains(want), "no `{want}` in:\n{text}");
    }
}

fn namespaces_that_go(machine: &Machine, chart: &str) {
    machine.apply(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: going}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: going, finalizers: [example.com/hold]}\n",
    );
    machine.kubectl(&["delete", "namespace", "going", "--wait=false"]).ok();
    let said = machine.kpkg(&["install", "t", chart, "-n", "going"]).failure();
    told(
        &said,
        &[
            "demo/templates/maps.yaml: the cluster refused",
            "being terminated",
            "hint: wait until the namespace is gone",
        ],
    );
    assert!(!machine.kpkg(&["list", "-A"]).ok().contains("going"));
    let release = r#"{"metadata":{"finalizers":null}}"#;
    machine.kubectl(&["patch", "configmap", "held", "-n", "going", "--type=merge", "-p", release]).ok();
}

fn hooks_that_never_end(machine: &Machine) {
    let hook = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: endless\n  annotations: {helm.sh/hook: pre-install}\nspec:\n  restartPolicy: Never\n  containers: [{name: a, image: 'example.org/none:1', imagePullPolicy: Never}]\n";
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: endless\nversion: 1.0.0\n"),
        ("templates/hook.yaml", hook),
        ("templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: after}\n"),
    ];
    let chart = chart(machine, "endless", &files).display().to_string();
    let args = ["install", "endless", &chart, "--timeout", "6s"];
    let mut child = machine.kpkg_command(&args).stderr(Stdio::piped()).spawn().expect("nsenter runs");
    // While it runs, the record says so.
    let phase = || {
        let text = machine.kpkg(&["get", "all", "endless", "--template", "{{ .Release.Info.Status }}"]);
        (text.code == 0).then_some(text.out)
    };
    eventually("the pod is there", crate::LIMIT, || (!machine.get("pod", "endless").is_null()).then_some(()));
    assert_eq!(phase().as_deref(), Some("pending-install"));
    let record = machine.kpkg(&["status", "endless", "-o", "json"]).ok();
    told(&record, &["\"phase\":\"Running\""]);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("it was asked for"), &mut said).expect("text");
    assert!(!child.wait().expect("it ends").success());
    told(&said, &["the pre-install hook Pod/endless failed: it did not end within 6s", "hint: "]);
    assert_eq!(statuses(machine, "endless"), ["failed"]);
    told(&machine.kpkg(&["status", "endless", "-o", "json"]).ok(), &["\"phase\":\"Failed\""]);
    assert!(machine.get("configmap", "after").is_null());
    machine.kpkg(&["uninstall", "endless"]).ok();
    machine.kubectl(&["delete", "pod", "endless", "--force", "--grace-period=0"]).ok();
}

fn fields_that_cannot_change(machine: &Machine) {
    let of = |label: &str| {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: fixed}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{app: {label}}}}}\n  template:\n    metadata: {{labels: {{app: {label}}}}}\n    spec: {{containers: [{{name: a, image: x}}]}}\n"
        );
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: fixed\nversion: 1.0.0\n"),
            ("templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\ndata: {label: LABEL}\n"),
            ("templates/x.yaml", text.as_str()),
        ];
        let files = files.map(|(path, text)| (path, text.replace("LABEL", label)));
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        chart(machine, "fixed", &files).display().to_string()
    };
    machine.kpkg(&["install", "fixed", &of("one")]).ok();
    let said = machine.kpkg(&["upgrade", "fixed", &of("two")]).failure();
    told(&said, &["fixed/templates/x.yaml", "Deployment/fixed", "field is immutable", "hint: ", "delete the object"]);
    // It was refused before anything was written.
    assert_eq!(field(machine, "configmap", "first", "/data/label"), "one");
    assert_eq!(statuses(machine, "fixed"), ["deployed"]);
    machine.kubectl(&["delete", "deployment", "fixed"]).ok();
    machine.kpkg(&["upgrade", "fixed", &of("two")]).ok();
    assert_eq!(field(machine, "deployment", "fixed", "/spec/selector/matchLabels/app"), "two");
    machine.kpkg(&["uninstall", "fixed"]).ok();
}

fn kinds_that_nobody_serves(machine: &Machine) {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: kinds\nversion: 1.0.0\n"),
        ("templates/x.yaml", "apiVersion: example.org/v1\nkind: Gizmo\nmetadata: {name: g}\n"),
    ];
    let chart = chart(machine, "kinds", &files).display().to_string();
    let said = machine.kpkg(&["install", "kinds", &chart]).failure();
    told(
        &said,
        &["kinds/templates/x.yaml", "no kind `Gizmo` in `example.org/v1`", "hint: install the chart that brings"],
    );
    assert!(machine.kpkg(&["history", "kinds"]).failure().contains("no release named"));
}

fn definitions_that_are_never_established(machine: &Machine) {
    let definition = |plural: &str| {
        super::life::DEFINITION
            .replace("VERSION", "v1")
            .replace("FIELD", "size")
            .replace("widgets", plural)
            .replace("singular: widget", &format!("singular: {plural}x"))
    };
    machine.apply(&definition("widgets"));
    // Another definition of the same kind: its names are taken.
    let second = definition("gadgets");
    let files =
        [("Chart.yaml", "apiVersion: v2\nname: names\nversion: 1.0.0\n"), ("crds/gadget.yaml", second.as_str())];
    let chart = chart(machine, "names", &files).display().to_string();
    let said = machine.kpkg(&["install", "names", &chart, "--timeout", "3s"]).failure();
    told(&said, &["CustomResourceDefinition/gadgets.example.com", "hint: "]);
    assert_eq!(statuses(machine, "names"), ["failed"]);
    machine.kubectl(&["delete", "crd", "widgets.example.com", "gadgets.example.com"]).ok();
    machine.kpkg(&["uninstall", "names"]).ok();
}

fn rights_that_lack(machine: &Machine, chart: &str) {
    let token = machine.kubectl(&["create", "token", "default"]).ok();
    let path = machine.dir().join("weak");
    std::fs::copy(machine.data_dir().join("kubeconfig"), &path).expect("the cluster has a kubeconfig");
    let kubeconfig = format!("--kubeconfig={}", path.display());
    let token = format!("--token={}", token.trim());
    machine.run("kubectl", &[&kubeconfig, "config", "set-credentials", "weak", &token]).ok();
    machine.run("kubectl", &[&kubeconfig, "config", "set-context", "--current", "--user=weak"]).ok();
    let said = machine.kpkg(&["install", "w", chart, &kubeconfig]).failure();
    told(
        &said,
        &["forbidden", "system:serviceaccount:default:default", "secrets", "hint: the user of this kubeconfig"],
    );
    assert!(machine.kpkg(&["history", "w"]).failure().contains("no release named"));
}

fn records_of_newer_versions(machine: &Machine, chart: &str) {
    machine.apply(
        "apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v2\nmetadata:\n  name: sh.helm.release.v2.future.v1\n  labels: {owner: helm, name: future, version: '1', status: deployed}\ndata: {release: bmV3}\n",
    );
    for args in [vec!["upgrade", "future", chart], vec!["install", "future", chart], vec!["uninstall", "future"]] {
        let said = machine.kpkg(&args).failure();
        told(&said, &["sh.helm.release.v2.future.v1", "a newer version wrote it", "hint: "]);
    }
    let listed = machine.kpkg(&["list"]);
    assert!(listed.code == 0 && listed.err.contains("sh.helm.release.v2.future.v1"), "{}", listed.err);
    machine.kubectl(&["delete", "secret", "sh.helm.release.v2.future.v1"]).ok();
}

fn a_cluster_that_goes_away(machine: &Machine, chart: &str) {
    machine.kpkg(&["install", "away", chart]).ok();
    // It waits for a claim that is never bound.
    let args = ["upgrade", "away", chart, "--set", "broken=true,text=two", "--timeout", "60s"];
    let mut child = machine.kpkg_command(&args).stderr(Stdio::piped()).spawn().expect("nsenter runs");
    eventually("the claim is there", crate::LIMIT, || (!names(machine, "pvc").is_empty()).then_some(()));
    machine.kpkg(&["cluster", "stop"]).ok();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("it was asked for"), &mut said).expect("text");
    assert!(!child.wait().expect("it ends").success());
    told(&said, &["error: cannot ", "hint: nothing is lost"]);
    machine.kpkg(&["cluster", "start"]).ok();
    assert_eq!(statuses(machine, "away"), ["deployed", "pending-upgrade"]);
    machine.kpkg(&["upgrade", "away", chart, "--set", "text=three"]).ok();
    assert_eq!(statuses(machine, "away"), ["superseded", "failed", "deployed"]);
    assert_eq!((field(machine, "configmap", "away-0", "/data/text"), names(machine, "pvc").len()), ("three".into(), 0));
    machine.kpkg(&["uninstall", "away"]).ok();
}
