//! The real Helm on our cluster, and releases that go from one program to the other and back.

use kpkg_tests::helm::Helm;
use kpkg_tests::{Machine, images};
use serde_json::json;

use super::{chart, demo, field, names, statuses};

#[test]
fn a_release_goes_from_kpkg_to_helm_and_back() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let chart = demo(&machine);
    let helm = Helm::new(&machine);
    let text = || field(&machine, "configmap", "r-0", "/data/text");
    machine.kpkg(&["install", "r", &chart]).ok();
    helm.ok("upgrade", json!([chart, "r"]), json!({"values": {"text": "helm", "count": 2}, "wait": "watcher"}));
    assert_eq!((text(), names(&machine, "configmap").len()), ("helm".to_owned(), 2));
    assert_eq!(statuses(&machine, "r"), ["superseded", "deployed"]);
    machine.kpkg(&["upgrade", "r", &chart, "--set", "text=kpkg", "--reset-then-reuse-values"]).ok();
    assert_eq!((text(), names(&machine, "configmap").len()), ("kpkg".to_owned(), 2));
    helm.ok("rollback", json!(["r"]), json!({"version": 1}));
    assert_eq!((text(), names(&machine, "configmap").len()), ("one".to_owned(), 3));
    machine.kpkg(&["rollback", "r", "2"]).ok();
    assert_eq!(text(), "helm");
    let both = ["superseded", "superseded", "superseded", "superseded", "deployed"];
    assert_eq!(
        (helm.statuses("r"), statuses(&machine, "r")),
        (both.map(str::to_owned).to_vec(), both.map(str::to_owned).to_vec())
    );
    helm.ok("uninstall", json!(["r"]), json!({"wait": "watcher"}));
    assert_eq!(names(&machine, "configmap").len() + names(&machine, "secret").len(), 0);

    // The other way round: Helm's release, ended by kpkg.
    helm.ok("install", json!([chart, "h"]), json!({"values": {"text": "helm"}, "wait": "watcher"}));
    machine.kpkg(&["upgrade", "h", &chart, "--set", "text=kpkg"]).ok();
    helm.ok("upgrade", json!([chart, "h"]), json!({"values": {"text": "again"}}));
    assert_eq!(field(&machine, "configmap", "h-0", "/data/text"), "again");
    machine.kpkg(&["uninstall", "h"]).ok();
    assert_eq!(names(&machine, "configmap").len() + names(&machine, "secret").len(), 0);
    machine.delete_cluster();
}

#[test]
fn helm_waits_tests_and_fails_as_on_kubernetes() {
    let machine = crate::busybox_machine();
    let helm = Helm::new(&machine);
    let image = images::BUSYBOX;
    let pod = |command: &str| format!("containers: [{{name: main, image: '{image}', command: [sh, -c, '{command}']}}]");
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: '{{{{ .Release.Name }}}}'}}\nspec:\n  replicas: {{{{ .Values.replicas }}}}\n  selector: {{matchLabels: {{app: x}}}}\n  template:\n    metadata: {{labels: {{app: x}}}}\n    spec:\n      terminationGracePeriodSeconds: 0\n      {}\n",
        pod("exec sleep 3600")
    );
    let hook = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: '{{{{ .Release.Name }}}}-migrate'\n  annotations: {{helm.sh/hook: 'pre-upgrade', helm.sh/hook-output-log-policy: hook-succeeded}}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      {}\n",
        pod("echo migrated; exit {{ .Values.code }}")
    );
    let test = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: '{{{{ .Release.Name }}}}-test'\n  annotations: {{helm.sh/hook: test}}\nspec:\n  restartPolicy: Never\n  {}\n",
        pod("echo all is well")
    );
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
        ("values.yaml", "replicas: 1\ncode: 0\n"),
        ("templates/app.yaml", deployment.as_str()),
        ("templates/hook.yaml", hook.as_str()),
        ("templates/test.yaml", test.as_str()),
    ];
    let chart = chart(&machine, "app", &files).display().to_string();
    for (round, wait) in ["watcher", "legacy", "hookOnly"].into_iter().enumerate() {
        let name = format!("w{round}");
        helm.ok("install", json!([chart, name]), json!({"wait": wait, "timeout": 60}));
        helm.ok("upgrade", json!([chart, name]), json!({"wait": wait, "timeout": 60, "values": {"replicas": 2}}));
        helm.ok("uninstall", json!([name]), json!({"wait": wait, "timeout": 60}));
    }
    helm.ok("install", json!([chart, "t"]), json!({"wait": "watcher", "timeout": 60}));
    helm.ok("test", json!(["t"]), json!({}));
    // Both programs see a hook fail, and what it printed.
    let failed = helm.run("upgrade", &json!([chart, "t"]), &json!({"values": {"code": 1}, "timeout": 60}));
    assert!(failed.is_err());
    let told = machine.kpkg(&["upgrade", "t", &chart, "--set", "code=1"]).failure();
    assert!(told.contains("pre-upgrade hook Job/t-migrate failed"), "{told}");
    let said = machine.kpkg(&["upgrade", "t", &chart, "--set", "replicas=2"]);
    assert!(said.code == 0 && said.err.contains("migrated"), "{}", said.err);
    let tested = machine.kpkg(&["test", "t", "--logs"]).ok();
    assert!(tested.contains("Phase:          Succeeded") && tested.contains("all is well"), "{tested}");
    machine.kpkg(&["uninstall", "t"]).ok();
    machine.delete_cluster();
}
