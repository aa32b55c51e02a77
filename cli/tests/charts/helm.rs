//! Command lines as Helm reads them. What is expected here was recorded from helm 4.2.3, unless it says otherwise.

use std::path::Path;

use crate::{kpkg, kpkg_with, write};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n";

/// A chart whose one template writes what it sees.
fn chart(folder: &Path) {
    write(folder, "app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\n");
    write(folder, "app/values.yaml", "a: 1\nb:\n  list: [1, 2]\n");
    let seen = "  namespace: {{ .Release.Namespace }}\ndata:\n  a: {{ .Values.a | quote }}\n  kube: {{ \
                .Capabilities.KubeVersion }} {{ .Capabilities.KubeVersion.GitVersion }}\n  apis: {{ \
                .Capabilities.APIVersions.Has \"x/v1\" }} {{ .Capabilities.APIVersions.Has \"y/v1,z\" }}\n";
    write(folder, "app/templates/a.yaml", &format!("{MAP}{seen}"));
    write(
        folder,
        "app/templates/b.yaml",
        "kind: Secret\nmetadata: {name: b, annotations: {helm.sh/hook: pre-install}}\n",
    );
    write(folder, "one.yaml", "a: one\n");
    write(folder, "two,three.yaml", "a: two\n");
}

#[test]
fn flags_are_read_as_by_helm() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let cases: &[(&[&str], &str)] = &[
        // Given twice, the last one counts.
        (&["-n", "one", "-n", "two"], "namespace: two"),
        (
            &["--kube-version", "1.20", "--kube-version", "1.21.1", "--is-upgrade", "--is-upgrade"],
            "kube: v1.21.1 v1.21.1",
        ),
        (&["--kube-version", "1.25"], "kube: v1.25 v1.25"),
        (&["--kube-version", "v1.25.3-gke.1"], "kube: v1.25.3 v1.25.3-gke.1"),
        (&["--kube-version", "1.020.x"], "kube: v1.20 v1.020.x"),
        (&["--kube-version", ""], "kube: v1.36.0 v1.36.0"),
        (&["--name-template", "", "-g"], "name: release-name"),
        (&["--output-dir", ""], "name: release-name"),
        (&["-n", ""], "namespace: default"),
        // Lists of values are lines of CSV.
        (&["-a", "\"x/v1\",q"], "apis: true false"),
        (&["-a", "x/v1,\"y/v1,z\""], "apis: true true"),
        (&["-f", "\"two,three.yaml\""], "a: \"two\""),
        (&["-f", "one.yaml,\"two,three.yaml\""], "a: \"two\""),
        (&["-f", ""], "a: \"1\""),
        (&["--set", "-x=1", "--set", "a=-1"], "a: \"-1\""),
        // What changes nothing is still read.
        (&["--dry-run=unset", "--dry-run", "--password", "x", "--cert-file", "x"], "a: \"1\""),
        (&["--timeout", "1h2m3.5s", "--timeout", "0", "--timeout=9us", "--wait=true", "--server-side=F"], "a: \"1\""),
        (&["-l", "a=b,c=d", "--qps", "1.5", "--burst-limit=-1", "--color", "never"], "a: \"1\""),
    ];
    for (flags, want) in cases {
        let ran = kpkg(folder.path(), &[&["template", "app"], *flags].concat());
        assert_eq!(ran.code, 0, "{flags:?}: {}", ran.err);
        assert!(ran.out.lines().any(|line| line.trim() == *want), "{flags:?}: {}", ran.out);
    }
}

#[test]
fn mistakes_in_flags_fail_as_in_helm() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let cases: &[(&[&str], &str)] = &[
        (&["-f", "none.yaml"], "open none.yaml: no such file or directory"),
        (&["-f", "app"], "read app: is a directory"),
        (&["-f", "\"one.yaml"], "parse error on line 1, column 10: extraneous or missing \" in quoted-field"),
        (&["-a", "a\"b"], "parse error on line 1, column 2: bare \" in non-quoted-field"),
        (&["--set-file", "a=none"], "failed parsing --set-file data: open none: no such file or directory"),
        (&["--set-json", "a={"], "failed parsing --set-json data a={"),
        (&["--set-json", "{\"a\":"], "failed parsing --set-json data JSON: {\"a\":"),
        (&["--kube-version", "1"], "invalid kube version '1': illegal version string \"1\""),
        (&["--kube-version", "x"], "invalid kube version 'x': could not parse \"x\" as version"),
        (&["--kube-version", "01.2"], "illegal zero-prefixed version component \"01\" in \"01.2\""),
        (
            &["--kube-version", "99999999999999999999.1"],
            "illegal non-numeric version component \"99999999999999999999\"",
        ),
        (&["--verify"], "unpacked charts cannot be verified"),
        (&["--labels", "a"], "a must be formatted as key=value"),
        (&["--color", "x"], "invalid color mode \"x\": must be one of: never, auto, always"),
        // In kpkg's words.
        (&["--qps", "x"], "--qps"),
        (&["--burst-limit", "x"], "--burst-limit"),
        (&["--timeout", "5"], "--timeout"),
        (&["--wait=x"], "--wait"),
        (&["--server-side=auto"], "--server-side"),
        (&["--dry-run=none"], "--dry-run"),
        (&["--force-replace", "--force-conflicts"], "--force-conflicts"),
    ];
    for (flags, want) in cases {
        let ran = kpkg(folder.path(), &[&["template", "app"], *flags].concat());
        assert_ne!(ran.code, 0, "{flags:?}: {}", ran.out);
        assert_eq!(ran.out, "", "{flags:?}");
        assert!(ran.err.contains(want), "{flags:?}: {}", ran.err);
    }
}

#[test]
fn the_namespace_is_that_of_the_environment_or_the_kubeconfig() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let config = |context: &str, namespace: &str| {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\nclusters: []\nusers: []\ncontexts:\n- name: one\n  \
             context: {{cluster: c, user: u, namespace: {namespace}}}\n- name: two\n  context: {{cluster: c, user: u, \
             namespace: of-two}}\n"
        )
    };
    write(folder.path(), ".kube/config", &config("one", "of-home"));
    write(folder.path(), "other", &config("one", "of-other"));
    write(folder.path(), "broken", "a: [");
    type Environment = [(&'static str, &'static str)];
    let cases: &[(&Environment, &[&str], &str)] = &[
        (&[], &[], "of-home"),
        (&[], &["--kube-context", "two"], "of-two"),
        (&[], &["--kubeconfig", "other"], "of-other"),
        (&[("KUBECONFIG", "other")], &[], "of-other"),
        (&[("KUBECONFIG", "broken")], &[], "default"),
        (&[("KUBECONFIG", "none")], &[], "default"),
        (&[("HELM_NAMESPACE", "of-env"), ("KUBECONFIG", "other")], &[], "of-env"),
        (&[("HELM_NAMESPACE", "")], &[], "of-home"),
        (&[("HELM_NAMESPACE", "of-env")], &["-n", "of-flag"], "of-flag"),
    ];
    for (environment, flags, want) in cases {
        let ran = kpkg_with(folder.path(), environment, &[&["template", "app"], *flags].concat());
        assert!(ran.out.contains(&format!("namespace: {want}\n")), "{environment:?} {flags:?}: {}{}", ran.out, ran.err);
    }
    write(folder.path(), "app/templates/a.yaml", "kind: Secret\nmetadata: {name: IN_{{ .Release.Namespace }}}\n");
    for (environment, want) in [(&[][..], "of-home"), (&[("HELM_NAMESPACE", "of-env")], "of-env")] {
        let ran = kpkg_with(folder.path(), environment, &["lint", "app", "--disable", "own"]);
        assert!(ran.out.contains(&format!("\"IN_{want}\"")), "{want}: {}", ran.out);
    }
}

#[test]
fn files_are_named_as_they_were_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let cases: &[(&[&str], &str)] = &[
        (&["--output-dir", "./out/"], "wrote ./out//app/templates/a.yaml\nwrote ./out//app/templates/b.yaml\n\n"),
        (
            &["--output-dir", "./out/", "--release-name"],
            "wrote out/release-name/app/templates/a.yaml\nwrote out/release-name/app/templates/b.yaml\n\n",
        ),
    ];
    for (flags, want) in cases {
        let ran = kpkg(folder.path(), &[&["template", "app"], *flags].concat());
        assert_eq!((ran.code, ran.out.as_str()), (0, *want), "{}", ran.err);
    }
    // What is in files is not shown.
    let ran = kpkg(folder.path(), &["template", "app", "--output-dir", "shown", "-s", "templates/a.yaml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("could not find template templates/a.yaml in chart"), "{}", ran.err);
    assert!(folder.path().join("shown/app/templates/a.yaml").exists());
}

#[test]
fn what_is_no_chart_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let mut cases = vec![
        (vec!["template", "app/templates"], "Chart.yaml file is missing"),
        (vec!["show", "all", "app/templates"], "Chart.yaml file is missing"),
        (vec!["lint", "./none"], "stat none/Chart.yaml: no such file or directory"),
        (vec!["lint", "."], "stat Chart.yaml: no such file or directory"),
        (
            vec!["lint", "one.yaml"],
            "unable to check Chart.yaml file in chart: stat one.yaml/Chart.yaml: not a directory",
        ),
        (vec!["lint", "none.tgz"], "unable to open tarball: open none.tgz: no such file or directory"),
    ];
    for (name, text, problem) in [
        ("empty.tgz", "", "unable to extract tarball: EOF"),
        ("short.tar.gz", "short", "unable to extract tarball: unexpected EOF"),
        ("other.tgz", "this is no archive", "unable to extract tarball: gzip: invalid header"),
    ] {
        write(folder.path(), name, text);
        cases.push((vec!["lint", name], problem));
    }
    for (args, want) in cases {
        let ran = kpkg(folder.path(), &args);
        assert_eq!(ran.code, 1, "{args:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains(want), "{args:?}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn missing_dependencies_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let chart = "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n- {name: gone, version: 0.1.0}\n";
    write(folder.path(), "app/Chart.yaml", chart);
    let ran = kpkg(folder.path(), &["template", "app"]);
    assert_eq!(ran.code, 1);
    for want in [
        "chart dependencies are missing; run dependency update/build first: ",
        "found in Chart.yaml, but missing in charts/ directory: gone",
        "hint: `kpkg dependency build CHART` fetches them",
    ] {
        assert!(ran.err.contains(want), "{}", ran.err);
    }
}

#[test]
fn create_tells_what_it_replaces() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = kpkg(folder.path(), &["create", "web", "--namespace", "x", "--kube-context=y"]);
    assert_eq!((first.code, first.out.as_str()), (0, "Creating web\n"), "{}", first.err);
    std::fs::remove_file(folder.path().join("web/Chart.yaml")).expect("gone");
    let again = kpkg(folder.path(), &["create", "web"]);
    let lines: Vec<&str> = again.out.lines().collect();
    let warning = |name: &str| {
        let path = folder.path().canonicalize().expect("a path").join("web").join(name);
        format!("WARNING: File {path:?} already exists. Overwriting.")
    };
    assert_eq!(lines[..3], ["Creating web", &warning("values.yaml"), &warning(".helmignore")]);
    assert_eq!(lines.last().copied(), Some(warning("templates/tests/test-connection.yaml").as_str()));
    for (name, want) in [
        ("a b", "chart name must match the regular expression \"^[a-zA-Z0-9._-]+$\""),
        (&*"a".repeat(251), "chart name must be between 1 and 250 characters"),
    ] {
        let ran = kpkg(folder.path(), &["create", name]);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains(want), "{}", ran.err);
    }
}

#[test]
fn helms_starters_come_before_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    for (place, values) in [("st", "from: here\n"), (".local/share/helm/starters/st", "from: helm\n")] {
        write(folder.path(), &format!("{place}/Chart.yaml"), "apiVersion: v2\nname: st\nversion: 3.0.0\n");
        write(folder.path(), &format!("{place}/values.yaml"), values);
    }
    assert_eq!(kpkg(folder.path(), &["create", "web", "-p", "st"]).code, 0);
    let read = |name: &str| std::fs::read_to_string(folder.path().join("web").join(name)).expect("it is there");
    assert_eq!(read("values.yaml"), "from: helm\n");
    assert!(!folder.path().join("web/charts").exists());
}

#[test]
fn templates_that_do_not_fit_the_values_print_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let values = "a: 1\nb:\n  list: [1, 2]\n\n";
    let cases = [
        ("{.b.list[0]}", 0, "1"),
        ("{.a}{.none}x", 0, ""),
        ("{.b.list[7]}", 0, ""),
        ("{.a[0]}", 0, ""),
        ("{}", 0, "{\"a\":1,\"b\":{\"list\":[1,2]}}"),
        ("", 0, values),
        ("{.a", 1, ""),
    ];
    for (template, code, want) in cases {
        for show in ["show", "inspect"] {
            let ran = kpkg(folder.path(), &[show, "values", "app", "--jsonpath", template]);
            assert_eq!((ran.code, ran.out.as_str()), (code, want), "{template}: {}", ran.err);
        }
    }
    let ran = kpkg(folder.path(), &["show", "values", "app", "--jsonpath", "{.a"]);
    assert!(ran.err.contains("error parsing jsonpath {.a: unclosed action"), "{}", ran.err);
}

#[test]
fn text_that_is_no_yaml_is_shown_when_debugging() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    write(folder.path(), "app/templates/b.yaml", "a: b\n c: {{ .Values.a }}\n");
    let shown = "---\n# Source: app/templates/b.yaml\na: b\n c: 1\n\n";
    for (word, debugs) in [("1", true), ("true", true), ("T", true), ("0", false), ("yes", false), ("", false)] {
        let ran = kpkg_with(folder.path(), &[("HELM_DEBUG", word)], &["template", "app"]);
        assert_eq!((ran.code, ran.out.contains(shown)), (1, debugs), "{word}: {}", ran.out);
        assert_eq!(ran.err.contains("`--debug` prints what the templates wrote"), !debugs, "{word}: {}", ran.err);
    }
    let ran = kpkg(folder.path(), &["template", "app", "--debug"]);
    assert!(ran.code == 1 && ran.out.contains(shown), "{}{}", ran.out, ran.err);
}

/// What Helm's engine renders; its command line refuses both.
#[test]
fn charts_are_rendered_by_the_rules_of_helms_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    write(folder.path(), "app/Chart.yaml", "apiVersion: v3\nname: app\nversion: 0.1.0\n");
    let unknown = kpkg(folder.path(), &["template", "app"]);
    assert_eq!(unknown.code, 0, "{}", unknown.err);
    assert!(unknown.out.starts_with("---\n# Source: app/templates/a.yaml\n"), "{}", unknown.out);
    write(folder.path(), "app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\ntype: library\n");
    let library = kpkg(folder.path(), &["template", "app"]);
    assert_eq!((library.code, library.out.trim()), (0, ""), "{}", library.err);
    assert!(library.err.contains("library charts are not installable"), "{}", library.err);
}

#[test]
fn a_dry_run_asks_no_cluster_and_starts_none() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\n");
    let seen = "data: {kube: {{ .Capabilities.KubeVersion }}, found: {{ (lookup \"v1\" \"Pod\" \"\" \"\").items | toJson }}}\n";
    write(folder.path(), "app/templates/a.yaml", &format!("{MAP}{seen}"));
    let hook = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations: {helm.sh/hook: pre-install}\n";
    write(folder.path(), "app/templates/b.yaml", hook);
    write(folder.path(), "app/templates/NOTES.txt", "{{ .Release.Namespace }} {{ .Release.Revision }}\n");
    let data = folder.path().join("data");
    let environment = [("KPKG_DATA_DIR", data.to_str().expect("text"))];
    let ran = kpkg_with(folder.path(), &environment, &["install", "demo", "app", "--dry-run", "-n", "x"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let timeless: Vec<&str> = ran.out.lines().filter(|line| !line.starts_with("LAST DEPLOYED: ")).collect();
    let want = format!(
        "NAME: demo\nNAMESPACE: x\nSTATUS: pending-install\nREVISION: 1\nDESCRIPTION: Dry run complete\nTEST SUITE: \
         None\nHOOKS:\n---\n# Source: app/templates/b.yaml\n{hook}\nMANIFEST:\n---\n# Source: \
         app/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo\ndata: {{kube: v1.36.0, found: \
         null}}\n\n\nNOTES:\nx 1"
    );
    assert_eq!(timeless.join("\n"), want);
    for args in [&["install", "demo", "app", "--dry-run=server"][..], &["upgrade", "-i", "demo", "app", "--dry-run"]] {
        let ran = kpkg_with(folder.path(), &environment, args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{args:?}");
        assert!(ran.err.contains("there is no cluster to talk to"), "{args:?}: {}", ran.err);
    }
    assert!(!data.exists(), "nothing was started");
}
