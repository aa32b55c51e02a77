//! Commands that need no cluster, as a user runs them: create, lint, show, template.

mod helm;
mod template;

use std::path::Path;
use std::process::Command;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs kpkg in a folder.
fn kpkg(folder: &Path, args: &[&str]) -> Ran {
    kpkg_with(folder, &[], args)
}

/// Runs kpkg in a folder, which is its home, too, with some of the environment changed.
fn kpkg_with(folder: &Path, environment: &[(&str, &str)], args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kpkg"))
        .args(args)
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("KUBECONFIG")
        .env_remove("HELM_NAMESPACE")
        .env_remove("HELM_DEBUG")
        .envs(environment.iter().copied())
        .output()
        .expect("kpkg starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

#[test]
fn a_chart_is_made_checked_and_rendered() {
    let folder = tempfile::tempdir().expect("a folder");
    for args in [&["create", "deep/web"][..], &["create", "jin", "--jinja"]] {
        assert_eq!(kpkg(folder.path(), args).code, 0, "{args:?}");
    }
    let lint = kpkg(folder.path(), &["lint", "--strict", "deep/web", "jin"]);
    let want = "==> Linting deep/web\n[INFO] Chart.yaml: icon is recommended\n\n==> Linting jin\n[INFO] Chart.yaml: \
                icon is recommended\n\n2 chart(s) linted, 0 chart(s) failed\n";
    assert_eq!((lint.code, lint.out.as_str()), (0, want), "{}", lint.err);
    for chart in ["deep/web", "jin"] {
        let rendered = kpkg(folder.path(), &["template", "demo", chart]);
        assert_eq!(rendered.code, 0, "{}", rendered.err);
        assert!(rendered.out.contains("kind: Deployment\n"), "{}", rendered.out);
    }
    write(folder.path(), "starters/own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 1.0.0\n");
    write(folder.path(), "starters/own/values.yaml", "of: <CHARTNAME>\n");
    assert_eq!(kpkg(folder.path(), &["create", "new", "-p", "starters/own"]).code, 0);
    assert_eq!(kpkg(folder.path(), &["show", "values", "new"]).out, "of: new\n\n");
    assert_eq!(kpkg(folder.path(), &["show", "values", "new", "--jsonpath", "{.of}!"]).out, "new!");
    let missing = kpkg(folder.path(), &["show", "values", "new", "--jsonpath", "{.none}"]);
    assert!(missing.code == 0 && missing.out.is_empty(), "{}", missing.out);
    assert!(missing.err.contains("none is not found"), "{}", missing.err);
    let refused = kpkg(folder.path(), &["create", "new", "-p", "nowhere"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("there is no starter `nowhere`"), "{}", refused.err);
}

#[test]
fn lint_fails_as_helm_does() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\nicon: https://x.y/z\n");
    write(folder.path(), "a/values.yaml", "");
    write(folder.path(), "a/templates/x.yaml", "kind: Pod\nmetadata: {name: A}\n");
    write(folder.path(), "a/charts/b/Chart.yaml", "apiVersion: v3\nname: b\nversion: 1.0.0\n");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["lint", "a"], 1, "1 chart(s) linted, 1 chart(s) failed"),
        (&["lint", "a", "--with-subcharts"], 1, "2 chart(s) linted, 2 chart(s) failed"),
        (&["lint", "a/charts/b", "--quiet"], 1, "apiVersion 'v3' is not valid"),
        (&["lint", "nope"], 1, "Error unable to check Chart.yaml file in chart: stat nope/Chart.yaml"),
        (&["lint", "a", "--kube-version", "x"], 1, "invalid kube version 'x'"),
        (&["lint", "a", "--disable", "nothing"], 1, "there is no rule `nothing`"),
    ];
    for (args, code, want) in cases {
        let ran = kpkg(folder.path(), args);
        assert_eq!(ran.code, code, "{args:?}\n{}{}", ran.out, ran.err);
        assert!(format!("{}{}", ran.out, ran.err).contains(want), "{args:?}\n{}{}", ran.out, ran.err);
    }
    std::fs::remove_dir_all(folder.path().join("a/charts")).expect("gone");
    assert_eq!(kpkg(folder.path(), &["lint", "a"]).code, 0);
    assert_eq!(kpkg(folder.path(), &["lint", "a", "--strict"]).code, 1);
    let quiet = kpkg(folder.path(), &["lint", "a", "--strict", "--quiet", "--disable", "object-name"]);
    assert_eq!((quiet.code, quiet.out.as_str()), (0, ""));
    assert!(kpkg(folder.path(), &["lint", "--list-rules"]).out.contains("image-tag"));
}

#[test]
fn output_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n");
    write(folder.path(), "a/values.yaml", "count: 1\nimage:\n  tag: x\n");
    write(folder.path(), "a/templates/x.yaml", "kind: A\nmetadata: {name: nn}\nspec:\n  count: {{ .Values.count }}\n");
    let traced = kpkg(folder.path(), &["template", "a", "--set", "count=2", "--trace", "A/nn:spec.count"]);
    let want = "A/nn:spec.count = 2\n  written by   a/templates/x.yaml:4\n               count: {{ .Values.count }}\n  from \
                value   count = 2 (--set count=2)\n";
    assert_eq!(traced.out, want, "{}", traced.err);
    let strict = kpkg(folder.path(), &["template", "a", "--strict-values", "--set", "coutn=2,image.tag=y"]);
    assert_eq!(strict.code, 1);
    for want in [
        "no default declares `coutn` (--set coutn=2,image.tag=y); did you mean `count`?",
        "no template reads `image.tag`",
    ] {
        assert!(strict.err.contains(want), "{}", strict.err);
    }
    write(folder.path(), "a/templates/y.yaml", "a: 1\nb: {{ .Values.imgae.tag }}\n");
    let failed = kpkg(folder.path(), &["template", "a"]);
    assert_eq!(failed.code, 1);
    for want in [
        "error: a/templates/y.yaml:2:13\n  executing \"a/templates/y.yaml\" at <.Values.imgae.tag>:\n    nil pointer \
         evaluating interface {}.tag\n",
        " 2 | b: {{ .Values.imgae.tag }}\n   |       ^^^^^^^^^^^^^^^^^\n",
        "hint: there is no value `imgae`; did you mean `image`?\n",
    ] {
        assert!(failed.err.contains(want), "{}", failed.err);
    }
}
