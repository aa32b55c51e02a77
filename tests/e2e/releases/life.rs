//! Upgrade, rollback, plan, diff, failure: one cluster, one release after the other.

use std::time::Duration;

use kpkg_tests::{Machine, eventually};
use serde_json::Value;

use super::{chart, demo, field, names, statuses};

#[test]
fn releases_live_through_upgrades_rollbacks_and_failures() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let chart = demo(&machine);
    upgrades_change_what_differs(&machine, &chart);
    plans_are_carried_out_or_refused(&machine, &chart);
    differences_are_told(&machine, &chart);
    failures_are_undone(&machine, &chart);
    others_objects_are_left_alone(&machine, &chart);
    mistakes_are_explained(&machine, &chart);
    definitions_are_upgraded(&machine);
    order_is_kept(&machine);
    config_maps_hold_records(&machine, &chart);
    super::overlays::belong_to_the_release(&machine, &chart);
    machine.delete_cluster();
}

fn upgrades_change_what_differs(machine: &Machine, chart: &str) {
    machine.kpkg(&["install", "a", chart]).ok();
    let version = |name: &str| field(machine, "configmap", name, "/metadata/resourceVersion");
    let before = (version("a-0"), version("a-1"));
    // The same again writes no object, with or without a revision.
    machine.kpkg(&["upgrade", "a", chart]).ok();
    machine.kpkg(&["upgrade", "a", chart, "--if-changed"]).ok();
    assert_eq!(before, (version("a-0"), version("a-1")));
    assert_eq!(statuses(machine, "a"), ["superseded", "deployed"]);
    // What changes is changed, what leaves the chart goes, what others added stays.
    machine.kubectl(&["annotate", "configmap", "a-0", "theirs=1"]).ok();
    machine.kpkg(&["upgrade", "a", chart, "--set", "text=two,count=2"]).ok();
    assert_eq!(field(machine, "configmap", "a-0", "/data/text"), "two");
    assert_eq!(field(machine, "configmap", "a-0", "/metadata/annotations/theirs"), "1");
    assert_eq!(names(machine, "configmap"), ["a-0", "a-1"]);
    // Values: kept if none are given, reset, or kept below new ones.
    machine.kpkg(&["upgrade", "a", chart]).ok();
    assert_eq!(field(machine, "configmap", "a-0", "/data/text"), "two");
    machine.kpkg(&["upgrade", "a", chart, "--set", "text=three", "--reset-then-reuse-values"]).ok();
    assert_eq!(names(machine, "configmap"), ["a-0", "a-1"]);
    machine.kpkg(&["upgrade", "a", chart, "--reset-values"]).ok();
    assert_eq!(names(machine, "configmap"), ["a-0", "a-1", "a-2"]);
    // Back to the first, then the history's end.
    machine.kpkg(&["rollback", "a", "3"]).ok();
    assert_eq!(field(machine, "configmap", "a-0", "/data/text"), "two");
    machine.kpkg(&["upgrade", "a", chart, "--history-max", "3"]).ok();
    assert_eq!(statuses(machine, "a"), ["superseded", "superseded", "deployed"]);
    // The client merges when it is told to, and objects follow just the same.
    machine.kpkg(&["upgrade", "a", chart, "--server-side=false", "--set", "text=four,count=1"]).ok();
    assert_eq!(
        (names(machine, "configmap"), field(machine, "configmap", "a-0", "/data/text")),
        (vec!["a-0".into()], "four".into())
    );
    let metadata = machine.kpkg(&["get", "metadata", "a"]).ok();
    assert!(metadata.contains("APPLY_METHOD: client-side apply"), "{metadata}");
    machine.kpkg(&["upgrade", "a", chart, "--server-side", "--set", "text=five"]).ok();
    assert_eq!(field(machine, "configmap", "a-2", "/data/text"), "five");
    let values: Value = serde_json::from_str(&machine.kpkg(&["get", "values", "a", "-o", "json"]).ok()).expect("JSON");
    assert_eq!(values, serde_json::json!({"text": "five"}));
    for what in ["all", "hooks", "manifest", "notes"] {
        machine.kpkg(&["get", what, "a"]).ok();
    }
    // With the history kept, a rollback brings everything back.
    machine.kpkg(&["uninstall", "a", "--keep-history"]).ok();
    assert_eq!(names(machine, "configmap"), Vec::<String>::new());
    let uninstalled = machine.kpkg(&["list", "--uninstalled", "-q"]).ok();
    assert_eq!(uninstalled, "a\n");
    let history: Value = serde_json::from_str(&machine.kpkg(&["history", "a", "-o", "json"]).ok()).expect("JSON");
    let newest = history.as_array().and_then(|it| it.last()).map(|it| it["revision"].to_string());
    machine.kpkg(&["rollback", "a", &newest.expect("there is a revision")]).ok();
    assert_eq!(names(machine, "configmap"), ["a-0", "a-1", "a-2"].map(str::to_owned)[..]);
    machine.kpkg(&["uninstall", "a"]).ok();
    assert_eq!(names(machine, "secret").len() + names(machine, "lease").len(), 0);
}

fn plans_are_carried_out_or_refused(machine: &Machine, chart: &str) {
    machine.kpkg(&["install", "p", chart]).ok();
    let file = machine.dir().join("plan.json").display().to_string();
    let shown = machine.kpkg(&["plan", "upgrade", "p", chart, "--set", "text=planned", "-o", &file]).ok();
    assert!(shown.contains("change ConfigMap/p-0") && shown.contains("data.text: \"planned\""), "{shown}");
    assert!(!shown.contains("planned-secret"), "{shown}");
    assert_eq!(field(machine, "configmap", "p-0", "/data/text"), "one");
    machine.kpkg(&["apply", &file]).ok();
    assert_eq!(field(machine, "configmap", "p-0", "/data/text"), "planned");
    let refused = machine.kpkg(&["apply", &file]).failure();
    assert!(refused.contains("changed since this was planned") && refused.contains("plan it again"), "{refused}");
    machine.kpkg(&["plan", "rollback", "p", "1", "-o", &file]).ok();
    machine.kubectl(&["patch", "configmap", "p-1", "-p", r#"{"data":{"text":"moved"}}"#]).ok();
    let refused = machine.kpkg(&["apply", &file]).failure();
    assert!(refused.contains("ConfigMap/p-1 was changed"), "{refused}");
    assert_eq!(statuses(machine, "p"), ["superseded", "deployed"]);
    machine.kpkg(&["uninstall", "p"]).ok();
}

fn differences_are_told(machine: &Machine, chart: &str) {
    machine.kpkg(&["install", "d", chart]).ok();
    assert_eq!(machine.kpkg(&["diff", "d"]).code, 0);
    machine.kubectl(&["patch", "configmap", "d-0", "-p", r#"{"data":{"text":"drifted"}}"#]).ok();
    let drift = machine.kpkg(&["diff", "d"]);
    assert_eq!(drift.code, 2, "{}", drift.err);
    assert!(
        drift.out.contains("-     data.text: \"drifted\"") && drift.out.contains("+     data.text: \"one\""),
        "{}",
        drift.out
    );
    // Who took a field over is asked, or told.
    let refused = machine.kpkg(&["upgrade", "d", chart]).failure();
    assert!(refused.contains("conflict with \"kubectl-patch\"") && refused.contains("--force-conflicts"), "{refused}");
    machine.kpkg(&["upgrade", "d", chart, "--force-conflicts"]).ok();
    assert_eq!(machine.kpkg(&["diff", "d"]).code, 0);
    let new = machine.kpkg(&["diff", "d", chart, "--set", "text=new"]);
    assert!(new.code == 2 && new.out.contains("data.password: (hidden)"), "{}", new.out);
    machine.kpkg(&["upgrade", "d", chart, "--set", "text=new"]).ok();
    let old = machine.kpkg(&["diff", "d", "--revision", "1"]);
    assert!(old.code == 2 && old.out.contains("+     data.text: \"new\""), "{}", old.out);
    machine.kpkg(&["uninstall", "d"]).ok();
}

fn failures_are_undone(machine: &Machine, chart: &str) {
    machine.kpkg(&["install", "f", chart]).ok();
    let broken = ["upgrade", "f", chart, "--set", "text=bad,broken=true", "--timeout", "2s"];
    let told = machine.kpkg(&broken).failure();
    assert!(told.contains("PersistentVolumeClaim/f-never"), "{told}");
    assert_eq!(statuses(machine, "f"), ["deployed", "failed"]);
    // The next upgrade starts from what there is: nothing of the failed one is left over.
    machine.kpkg(&["upgrade", "f", chart, "--reset-values"]).ok();
    no_claim_is_left(machine);
    assert_eq!(statuses(machine, "f"), ["superseded", "failed", "deployed"]);
    let told = machine.kpkg(&[&broken[..], &["--rollback-on-failure"]].concat()).failure();
    assert!(told.contains("has been rolled back to revision 3"), "{told}");
    assert_eq!(statuses(machine, "f"), ["superseded", "failed", "superseded", "failed", "deployed"]);
    assert_eq!(field(machine, "configmap", "f-0", "/data/text"), "one");
    no_claim_is_left(machine);
    machine.kpkg(&["uninstall", "f"]).ok();
    let told = machine.kpkg(&["install", "f", chart, "--set", "broken=true", "--timeout", "2s", "--atomic"]).failure();
    assert!(told.contains("f-never"), "{told}");
    assert_eq!(names(machine, "configmap").len() + names(machine, "secret").len(), 0);
}

/// Claims that are deleted go when the controller that protects them has seen that no pod uses them.
fn no_claim_is_left(machine: &Machine) {
    eventually("no claim is left", Duration::from_secs(30), || names(machine, "pvc").is_empty().then_some(()));
}

fn others_objects_are_left_alone(machine: &Machine, chart: &str) {
    machine.kubectl(&["create", "configmap", "o-1", "--from-literal=text=mine"]).ok();
    let refused = machine.kpkg(&["install", "o", chart]).failure();
    assert!(refused.contains("ConfigMap/o-1 exists") && refused.contains("--take-ownership"), "{refused}");
    assert_eq!(names(machine, "configmap"), ["o-1"]);
    machine.kpkg(&["install", "o", chart, "--take-ownership", "--force-conflicts"]).ok();
    assert_eq!(field(machine, "configmap", "o-1", "/data/text"), "one");
    machine.kpkg(&["uninstall", "o"]).ok();
}

fn mistakes_are_explained(machine: &Machine, chart: &str) {
    for (args, want) in [
        (vec!["upgrade", "none", chart], "`none` has no deployed releases"),
        (vec!["rollback", "none"], "no release named `none`"),
        (vec!["install", "Bad_Name", chart], "`Bad_Name` is not a release name"),
        (vec!["install", "x", chart, "--labels", "owner=me"], "`owner` is a label of the release record itself"),
        (vec!["install", "x", chart, "-n", "nowhere"], "namespace `nowhere` does not exist"),
    ] {
        let told = machine.kpkg(&args).failure();
        assert!(told.contains(want), "{args:?}: {told}");
    }
    machine.kpkg(&["install", "m", chart]).ok();
    // A record that nobody can read is told by name and stops nothing but its own release.
    let garbage = r#"{"data":{"release":"Z2FyYmFnZQ=="}}"#;
    machine.kubectl(&["patch", "secret", "sh.helm.release.v1.m.v1", "-p", garbage]).ok();
    let told = machine.kpkg(&["upgrade", "m", chart]).failure();
    assert!(told.contains("sh.helm.release.v1.m.v1"), "{told}");
    machine.kpkg(&["list"]).ok();
    machine.kubectl(&["delete", "secret", "sh.helm.release.v1.m.v1"]).ok();
    // What is left without a record is the release's still, and is taken up again.
    machine.kpkg(&["install", "m", chart]).ok();
    machine.kpkg(&["uninstall", "m"]).ok();
}

pub(super) const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: VERSION
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {FIELD: {type: string}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
    subresources: {status: {}}
";

fn definitions_are_upgraded(machine: &Machine) {
    let of = |version: &str, field: &str, api: &str| {
        let crd = DEFINITION.replace("VERSION", version).replace("FIELD", field);
        let widget =
            format!("apiVersion: example.com/{api}\nkind: Widget\nmetadata: {{name: w}}\nspec: {{{field}: x}}\n");
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: crds\nversion: 1.0.0\n"),
            ("crds/widget.yaml", crd.as_str()),
            ("templates/widget.yaml", widget.as_str()),
        ];
        chart(machine, "crds", &files).display().to_string()
    };
    // The definition is established before its object is made.
    machine.kpkg(&["install", "crd", &of("v1", "size", "v1")]).ok();
    assert_eq!(field(machine, "widget", "w", "/spec/size"), "x");
    machine.kpkg(&["upgrade", "crd", &of("v1", "colour", "v1")]).ok();
    assert_eq!(field(machine, "widget", "w", "/spec/colour"), "x");
    // By the new schema an object that exists would be invalid: the text may not become a list.
    let narrow = DEFINITION.replace("{FIELD: {type: string}}", "{colour: {type: array, items: {type: string}}}");
    let narrow = narrow.replace("VERSION", "v1");
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: crds\nversion: 1.0.0\n"),
        ("crds/widget.yaml", narrow.as_str()),
        ("templates/widget.yaml", ""),
    ];
    let narrow = chart(machine, "narrow", &files).display().to_string();
    let told = machine.kpkg(&["upgrade", "crd", &narrow]).failure();
    assert!(told.contains("w in default exists and would be invalid: spec.colour"), "{told}");
    let told = machine.kpkg(&["upgrade", "crd", &of("v2", "colour", "v2")]).failure();
    assert!(told.contains("version v1 still stores objects and cannot be dropped"), "{told}");
    machine.kpkg(&["uninstall", "crd"]).ok();
    machine.kubectl(&["delete", "crd", "widgets.example.com"]).ok();
}

fn order_is_kept(machine: &Machine) {
    let map = |name: &str, needs: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations: {{kpkg.dev/depends-on: '{needs}'}}\n"
        )
    };
    let of = |first: &str, second: &str| {
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: order\nversion: 1.0.0\n"),
            ("templates/a.yaml", &map("first", first)),
            ("templates/b.yaml", &map("second", second)),
        ];
        chart(machine, "order", &files).display().to_string()
    };
    let told = machine.kpkg(&["install", "w", &of("ConfigMap/second", "ConfigMap/first")]).failure();
    assert!(told.contains("objects wait for each other"), "{told}");
    assert_eq!(names(machine, "configmap").len(), 0);
    let said = machine.kpkg(&["install", "w", &of("ConfigMap/second", "")]);
    let at = |what: &str| said.err.find(what).unwrap_or_else(|| panic!("no `{what}` in {}", said.err));
    assert!(at("created ConfigMap/second") < at("created ConfigMap/first"), "{}", said.err);
    machine.kpkg(&["uninstall", "w"]).ok();
}

fn config_maps_hold_records(machine: &Machine, chart: &str) {
    machine.kpkg(&["install", "c", chart, "--storage", "configmap"]).ok();
    assert!(names(machine, "configmap").contains(&"sh.helm.release.v1.c.v1".to_owned()));
    machine.kpkg(&["upgrade", "c", chart, "--storage", "configmap", "--set", "count=1"]).ok();
    machine.kpkg(&["uninstall", "c", "--storage", "configmap"]).ok();
    assert_eq!(names(machine, "configmap").len(), 0);
}
