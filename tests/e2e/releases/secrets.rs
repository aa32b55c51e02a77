//! Values files that sops sealed, and records that hide their values.

use std::path::Path;
use std::process::Command;

use kpkg_tests::Machine;

use super::{chart, field, statuses};

/// What sops sealed; the password in it.
const SEALED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/secrets/testdata/all.yaml");
const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/secrets/testdata/keys.txt");
const PASSWORD: &str = "s3cret: with \"quotes\" and\nlines é";

fn app(machine: &Machine) -> String {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
        ("values.yaml", "note: one\ndatabase: {user: nobody, password: none}\n"),
        (
            "templates/all.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: app}\nstringData:\n  password: {{ .Values.database.password | quote }}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata:\n  note: {{ .Values.note }}\n  url: {{ printf \"db://%s:%s@host\" .Values.database.user .Values.database.password | quote }}\n",
        ),
        (
            "templates/hook.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: last\n  annotations: {helm.sh/hook: post-delete}\ndata: {password: {{ .Values.database.password | quote }}}\n",
        ),
        ("templates/NOTES.txt", "The password is {{ .Values.database.password }}.\n"),
    ];
    chart(machine, "app", &files).display().to_string()
}

/// The JSON of a record.
fn record(machine: &Machine, revision: i64) -> String {
    let script = format!(
        "kubectl get secret sh.helm.release.v1.app.v{revision} -o jsonpath='{{.data.release}}' | base64 -d | base64 -d | gunzip"
    );
    let mut command = machine.command("sh");
    command.args(["-c", &script]).env("KUBECONFIG", machine.data_dir().join("kubeconfig"));
    let output = command.output().expect("nsenter runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn with_key(machine: &Machine, args: &[&str]) -> (i32, String, String) {
    let mut command = machine.kpkg_command(args);
    let output = command.env("SOPS_AGE_KEY_FILE", KEYS).output().expect("nsenter runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn sealed_values_are_opened_and_hidden_from_the_record() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let chart = app(&machine);
    let run = |args: &[&str]| {
        let (code, out, err) = with_key(&machine, args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        out
    };
    let no_key = machine.kpkg(&["install", "app", &chart, "-f", SEALED]).failure();
    assert!(no_key.contains("none of the 0 age keys at hand opens it") && no_key.contains("SOPS_AGE_KEY"), "{no_key}");

    let said = run(&["install", "app", &chart, "-f", SEALED, "--hide-values"]);
    assert!(said.contains("The password is (hidden)."), "{said}");
    let url = || field(&machine, "configmap", "app", "/data/url");
    assert_eq!(url(), format!("db://admin:{PASSWORD}@host"));
    run(&["upgrade", "app", &chart, "--reuse-values", "--set", "note=two"]);
    assert_eq!(
        (url(), field(&machine, "configmap", "app", "/data/note")),
        (format!("db://admin:{PASSWORD}@host"), "two".into())
    );
    run(&["rollback", "app", "1"]);
    for revision in [1, 2, 3] {
        let record = record(&machine, revision);
        for secret in ["s3cret", "czNjcmV0", "BEGIN KEY"] {
            assert!(!record.contains(secret), "revision {revision}: {secret}");
        }
        opened_by_age(&machine, &record);
    }
    assert_eq!(
        (url(), field(&machine, "configmap", "app", "/data/note")),
        (format!("db://admin:{PASSWORD}@host"), "one".into())
    );
    assert_eq!(with_key(&machine, &["diff", "app"]).0, 0);

    // Who has no key can look, but not act on what is hidden.
    for shown in [["get", "all", "app"], ["get", "values", "app"], ["get", "manifest", "app"]] {
        let text = machine.kpkg(&shown).ok();
        assert!(text.contains("(hidden)") && !text.contains("s3cret"), "{text}");
    }
    let refused = machine.kpkg(&["rollback", "app", "2"]).failure();
    assert!(refused.contains("revision 2 of `app` hides its values") && refused.contains("SOPS_AGE_KEY"), "{refused}");
    assert_eq!(statuses(&machine, "app"), ["superseded", "superseded", "deployed"]);
    let plan = machine.dir().join("plan").display().to_string();
    let (code, _, err) =
        with_key(&machine, &["plan", "upgrade", "app", &chart, "--set", "note=x", "--reuse-values", "-o", &plan]);
    assert!(code != 0 && err.contains("values that are to be hidden"), "{err}");
    assert!(machine.kpkg(&["uninstall", "app"]).failure().contains("hides its values"));
    run(&["uninstall", "app"]);
    assert_eq!(field(&machine, "configmap", "last", "/data/password"), PASSWORD);
    machine.delete_cluster();
}

/// The real age opens what the record seals.
fn opened_by_age(machine: &Machine, record: &str) {
    let record: serde_json::Value = serde_json::from_str(record).expect("a record is JSON");
    let sealed = machine.dir().join("sealed.age");
    std::fs::write(&sealed, record["sealed"]["text"].as_str().expect("the record seals something")).expect("a file");
    let script = "age --decrypt --identity \"$0\" \"$1\" | gunzip";
    let output = Command::new("sh").args(["-c", script]).args([Path::new(KEYS), &sealed]).output().expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("s3cret"));
}
