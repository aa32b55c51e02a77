//! `kpkg template` and its flags.

use std::path::Path;

use crate::{kpkg, write};

/// A chart with a bit of everything that flags switch on or off.
fn chart(folder: &Path) {
    let part = |name: &str, text: &str| write(&folder.join("app"), name, text);
    part("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.2.3\n");
    part("values.yaml", "size: 1\nname: x\n");
    part("crds/things.yaml", "kind: CustomResourceDefinition\nmetadata: {name: things.x.y}\n");
    part(
        "templates/a.yaml",
        "kind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata:\n  size: {{ .Values.size | quote }}\n  \
         upgrade: \"{{ .Release.IsUpgrade }}\"\n  kube: {{ .Capabilities.KubeVersion }}\n  \
         crd: \"{{ .Capabilities.APIVersions.Has \"x.y/v1\" }}\"\n  random: {{ randAlpha 8 }}\n",
    );
    part("templates/b.yaml", "kind: Secret\nmetadata: {name: {{ .Values.name }}}\n");
    part(
        "templates/hooks/h.yaml",
        "kind: Job\nmetadata:\n  name: h\n  annotations: {helm.sh/hook: pre-install}\n---\nkind: Pod\nmetadata:\n  \
         name: t\n  annotations: {helm.sh/hook: test}\n",
    );
}

/// What `kpkg template` with some flags prints; it must succeed.
fn rendered(folder: &Path, flags: &[&str]) -> String {
    let ran = kpkg(folder, &[&["template", "demo", "app"], flags].concat());
    assert_eq!(ran.code, 0, "{flags:?}: {}", ran.err);
    ran.out
}

/// The sources that a text names, in order.
fn sources(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# Source: app/")).collect()
}

#[test]
fn flags_choose_what_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let (secret, map) = ("templates/b.yaml", "templates/a.yaml");
    let (hook, crd) = ("templates/hooks/h.yaml", "crds/things.yaml");
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &[secret, map, hook, hook]),
        (&["--include-crds"], &[crd, secret, map, hook, hook]),
        (&["--skip-tests"], &[secret, map, hook]),
        (&["--no-hooks"], &[secret, map]),
        (&["--show-only", map, "-s", secret], &[map, secret]),
        (&["--show-only", "templates/hooks/*.yaml"], &[hook, hook]),
    ];
    for (flags, want) in cases {
        assert_eq!(sources(&rendered(folder.path(), flags)), *want, "{flags:?}");
    }
    let missing = kpkg(folder.path(), &["template", "app", "-s", "templates/c.yaml"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("could not find template templates/c.yaml in chart"), "{}", missing.err);
}

#[test]
fn flags_reach_the_templates() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    write(folder.path(), "more.yaml", "size: 7\n");
    std::fs::write(folder.path().join("keystore"), b"\xFE\xED\0\xC3\xA4").expect("written");
    let cases: &[(&[&str], &str)] = &[
        (&["-f", "more.yaml"], "size: \"7\""),
        (&["-f", "more.yaml", "--set", "size=8"], "size: \"8\""),
        (&["--set-string", "size=true"], "size: \"true\""),
        (&["--set-json", "size=[1]"], "size: \"[1]\""),
        (&["--set-literal", "size=a,b=c"], "size: \"a,b=c\""),
        (&["--set-file", "size=more.yaml"], "size: \"size: 7\\n\""),
        (&["--set-file", "size=keystore"], "size: \"\\xfe\\xed\\x00ä\""),
        (&["--is-upgrade"], "upgrade: \"true\""),
        (&["--kube-version", "1.29"], "kube: v1.29"),
        (&["--api-versions", "x.y/v1"], "crd: \"true\""),
    ];
    for (flags, want) in cases {
        let text = rendered(folder.path(), &[&["--seed", "1"], *flags].concat());
        assert!(text.lines().any(|line| line.trim() == *want), "{flags:?}: {text}");
    }
    let named = kpkg(folder.path(), &["template", "app", "--name-template", "n-{{ add 1 2 }}"]);
    assert!(named.out.contains("name: n-3}"), "{}{}", named.out, named.err);
    let seeded = |seed: &str| rendered(folder.path(), &["--seed", seed]);
    assert_eq!(seeded("1"), seeded("1"));
    assert_ne!(seeded("1"), seeded("2"));
    assert_ne!(rendered(folder.path(), &[]), rendered(folder.path(), &[]), "chance is real without a seed");
}

#[test]
fn files_go_into_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let out = rendered(folder.path(), &["--output-dir", "out", "--release-name", "--include-crds"]);
    let (first, last) = (out.lines().next(), out.lines().last());
    assert_eq!((first, last), (Some("wrote out/app/crds/things.yaml"), Some("")), "{out}");
    let hooks = std::fs::read_to_string(folder.path().join("out/demo/app/templates/hooks/h.yaml")).expect("written");
    assert!(hooks.starts_with("---\n# Source: app/templates/hooks/h.yaml\nkind: "), "{hooks}");
    assert_eq!(sources(&hooks).len(), 2, "both documents of the template: {hooks}");
}

#[test]
fn a_program_may_change_the_manifests() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let script = |name: &str, text: &str| {
        write(folder.path(), name, &format!("#!/bin/sh\n{text}\n"));
        let path = folder.path().join(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    };
    script("upper", "sed \"s/kind: Secret/kind: $1/\"");
    script("none", "true");
    script("fails", "exit 3");
    let changed =
        rendered(folder.path(), &["--post-renderer", "./upper", "--post-renderer-args", "Hidden", "--skip-tests"]);
    assert!(changed.contains("kind: Hidden\n") && changed.contains("kind: Job\n"), "{changed}");
    for (program, want) in
        [("./none", "produced empty output"), ("./fails", "exit status: 3"), ("./absent", "cannot start")]
    {
        let refused = kpkg(folder.path(), &["template", "app", "--post-renderer", program]);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{program}");
        assert!(refused.err.contains(want), "{program}: {}", refused.err);
    }
}
