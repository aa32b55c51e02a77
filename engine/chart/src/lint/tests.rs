//! Helm's words, recorded from its linter; and kpkg's own rules.

use std::fs;
use std::path::Path;

use super::*;

fn settings<'a>(inputs: &'a [Input], disabled: &'a [String]) -> Settings<'a> {
    Settings { inputs, namespace: "default", kube_version: None, skip_schema: false, strict_values: false, disabled }
}

/// Lints files written into a folder; the folder's own path is shown as `DIR`.
fn messages(files: &[(&str, &str)], inputs: &[Input], disabled: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    let disabled: Vec<String> = disabled.iter().map(|name| (*name).to_owned()).collect();
    let report = lint(folder.path(), &settings(inputs, &disabled));
    let shown = folder.path().display().to_string();
    report.messages.iter().map(|message| message.to_string().replace(&shown, "DIR")).collect()
}

const CHART: &str = "apiVersion: v2\nname: lc\nversion: 1.0.0\nicon: https://x.y/z.png\n";

#[test]
fn metadata() {
    let chart = "apiVersion: v1\nname: lc\nversion: 1.10\nappVersion: 2\ntype: application\nfoo: 1\nicon: nope\n\
                 sources: [x]\nmaintainers: [{email: a}]\ndependencies: [{name: q, version: 1.x.x}]\n";
    let want = [
        "[WARNING] Chart.yaml: failed to strictly parse chart metadata file\n\terror unmarshaling JSON: while decoding \
         JSON: json: unknown field \"foo\"",
        "[ERROR] Chart.yaml: version should be of type string but it's of type float64",
        "[ERROR] Chart.yaml: appVersion should be of type string but it's of type float64",
        "[ERROR] Chart.yaml: each maintainer requires a name",
        "[ERROR] Chart.yaml: invalid source URL 'x'",
        "[ERROR] Chart.yaml: invalid icon URL 'nope'",
        "[ERROR] Chart.yaml: chart type is not valid in apiVersion 'v1'. It is valid in apiVersion 'v2'",
        "[ERROR] Chart.yaml: dependencies are not valid in the Chart file with apiVersion 'v1'. They are valid in \
         apiVersion 'v2'",
        "[WARNING] Chart.yaml: version '1.1' is not a valid SemVerV2",
        "[INFO] values.yaml: file does not exist",
        "[WARNING] templates/: directory does not exist",
        "[WARNING] DIR: chart directory is missing these dependencies: q",
    ];
    assert_eq!(messages(&[("Chart.yaml", chart)], &[], &[]), want);
    let chart = "apiVersion: v2\nname: lc\nversion: 0.0.0-0\nmaintainers: [{name: a, email: b}]\n";
    let want = [
        "[ERROR] Chart.yaml: version \"0.0.0-0\" is less than or equal to \"0.0.0-0\"",
        "[ERROR] Chart.yaml: invalid email 'b' for maintainer 'a'",
        "[INFO] Chart.yaml: icon is recommended",
        "[INFO] values.yaml: file does not exist",
        "[WARNING] templates/: directory does not exist",
    ];
    assert_eq!(messages(&[("Chart.yaml", chart)], &[], &[]), want);
    let want = [
        "[ERROR] Chart.yaml: unable to parse YAML\n\terror converting YAML to JSON: yaml: line 2: mapping values are \
         not allowed in this context",
        "[INFO] values.yaml: file does not exist",
        "[WARNING] templates/: directory does not exist",
        "[ERROR] : unable to load chart\n\tcannot load Chart.yaml: error converting YAML to JSON: yaml: line 2: mapping \
         values are not allowed in this context",
    ];
    assert_eq!(messages(&[("Chart.yaml", "apiVersion: v2\n  name: lc\n")], &[], &[]), want);
}

/// As helm 4.2.3 words it.
#[test]
fn nulls_and_values_of_other_kinds() {
    let nulls = |field: &str| {
        let chart = format!("{CHART}{field}:\n-\n");
        messages(&[("Chart.yaml", &chart), ("values.yaml", ""), ("templates/a.yaml", "a: 1\n")], &[], &["own"])
    };
    let refused = |field: &str| {
        let problem = format!("validation: {field} must not contain empty or null nodes");
        [format!("[ERROR] templates/: {problem}"), format!("[ERROR] : unable to load chart\n\t{problem}")]
    };
    let found = nulls("maintainers");
    assert_eq!(found[0], "[ERROR] Chart.yaml: a maintainer entry is empty");
    assert_eq!(found[1..], refused("maintainers"));
    assert_eq!(nulls("dependencies"), refused("dependencies"));
    for (values, want) in [
        (
            "- a\n",
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type common.Values",
        ),
        ("a: [1\n", "error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'"),
    ] {
        let found = messages(&[("Chart.yaml", CHART), ("values.yaml", values)], &[], &[]);
        assert_eq!(found[0], format!("[ERROR] values.yaml: unable to parse YAML: {want}"));
    }
}

#[test]
fn an_empty_folder_of_templates_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("Chart.yaml"), CHART).expect("written");
    fs::write(folder.path().join("values.yaml"), "").expect("written");
    fs::create_dir(folder.path().join("templates")).expect("made");
    assert!(lint(folder.path(), &settings(&[], &[])).messages.is_empty());
}

#[test]
fn templates() {
    let files = [
        ("Chart.yaml", CHART),
        ("values.yaml", "a: 1\n"),
        ("templates/a.yaml", "  apiVersion: v1\n  kind: Service\n  metadata:\n    name: A_b\n"),
        ("templates/b.foo", "x"),
        (
            "templates/c.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\napiVersion: v1\nkind: ConfigMap\n\
             metadata:\n  name: 7\n---\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: p}\n",
        ),
        ("templates/d.yaml", "just text"),
        ("templates/e.yaml", "never: [reached"),
    ];
    let want = [
        "[WARNING] templates/a.yaml: document starts with an illegal indent: \"  apiVersion: v1\", which may cause \
         parsing problems",
        "[WARNING] templates/a.yaml: object name does not conform to Kubernetes naming requirements: \"A_b\": \
         metadata.name: Invalid value: \"A_b\": a DNS-1035 label must consist of lower case alphanumeric characters or \
         '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or \
         'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        "[ERROR] templates/b.foo: file extension '.foo' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt",
        "[ERROR] templates/c.yaml: a Deployment must contain matchLabels or matchExpressions, and \"x\" does not",
        "[WARNING] templates/c.yaml: policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in \
         v1.25+; use policy/v1 PodDisruptionBudget",
        "[ERROR] templates/d.yaml: unable to parse YAML: error unmarshaling JSON: while decoding JSON: json: cannot \
         unmarshal string into Go value of type rules.k8sYamlStruct",
    ];
    assert_eq!(messages(&files, &[], &[]), want);
    let files = [("Chart.yaml", CHART), ("values.yaml", ""), ("templates/c.yaml", "name: {{ .Values.x.y }}")];
    let want = [
        "[ERROR] templates/: lc/templates/c.yaml:1:16\n  executing \"lc/templates/c.yaml\" at <.Values.x.y>:\n    nil \
         pointer evaluating interface {}.y",
    ];
    assert_eq!(messages(&files, &[], &[]), want);
    let files = [("Chart.yaml", CHART), ("values.yaml", ""), ("templates/c.yaml", "{{ required \"no\" .Values.x }}")];
    assert_eq!(messages(&files, &[], &[]), Vec::<String>::new());
}

const WORKLOAD: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector:\n    \
                        matchLabels: {a: b}\n  template:\n    spec:\n      containers:\n      - name: web\n        \
                        image: nginx\n";

#[test]
fn own_rules() {
    let files =
        [("Chart.yaml", CHART), ("values.yaml", "replicaCount: 1\n# extra: x\n"), ("templates/c.yaml", WORKLOAD)];
    let inputs = [Input::Set("replicaCuont=2,extra=1,zzz.y=1,global.x=1".to_owned())];
    let want = [
        "[WARNING] templates/c.yaml: container `web` of Deployment `web`: image `nginx` has no tag, which means \
         `latest` (image-tag)",
        "[WARNING] templates/c.yaml: container `web` of Deployment `web` has no resource requests or limits (resources)",
        "[WARNING] templates/c.yaml: container `web` of Deployment `web` has no readiness or liveness probe (probes)",
        "[WARNING] values.yaml: no default declares `replicaCuont` (--set replicaCuont=2,extra=1,zzz.y=1,global.x=1); \
         did you mean `replicaCount`? (unknown-values)",
        "[WARNING] values.yaml: no default declares `zzz` (--set replicaCuont=2,extra=1,zzz.y=1,global.x=1) \
         (unknown-values)",
    ];
    assert_eq!(messages(&files, &inputs, &[]), want);
    assert_eq!(messages(&files, &inputs, &["image-tag", "probes", "resources"]), want[3..]);
}

#[test]
fn rules_are_switched_off() {
    let workload = format!("{{{{/* kpkg-lint: disable=image-tag,probes */}}}}\n{WORKLOAD}");
    let chart = format!("{CHART}annotations:\n  kpkg/lint-disable: resources, chart-icon\n");
    let files = [("Chart.yaml", chart.as_str()), ("values.yaml", ""), ("templates/c.yaml", &workload)];
    assert_eq!(messages(&files, &[], &[]), Vec::<String>::new());
    let names: std::collections::BTreeSet<_> = rules().iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules().len());
}

#[test]
fn what_is_no_chart_is_refused() {
    let report = lint(Path::new("nope"), &settings(&[], &[]));
    let want = "unable to check Chart.yaml file in chart: stat nope/Chart.yaml: no such file or directory";
    assert_eq!(report.refused.as_deref(), Some(want));
}
