//! Trees of charts: values of all layers, dependencies that conditions and tags switch, imported values, documents
//! that are split and sorted, files that are ignored.

use std::collections::BTreeMap;
use std::path::Path;

use kpkg_chart::listing::{self, Selection};
use kpkg_chart::values::{self, Input};
use kpkg_chart::{Ambient, ClusterFacts, ReleaseInfo};
use serde_json::{Map, Value, json};

use crate::chance::Chance;
use crate::engine::{self, Answer};
use crate::setting;

const NAMES: &[&str] = &["one", "two", "three"];
const KEYS: &[&str] =
    &["a", "b", "settings", "global", "exports", "data", "enabled", "tags", "one", "two", "three", "nick"];
const VERSIONS: &[&str] = &["1.0.0", "1.2.3", "0.1.0", "2.0.0-rc.1"];
const RANGES: &[&str] = &["*", "1.x", "^1.0.0", ">=0.1.0-0", "2.0.0", "~1.2", "1.0.0 - 1.2", ""];
const CONDITIONS: &[&str] =
    &["", "one.enabled", "enabled", "global.a", "a.b,one.enabled", "settings.enabled", "two.enabled"];
const KINDS: &[&str] = &[
    "Namespace",
    "Service",
    "Deployment",
    "ConfigMap",
    "Secret",
    "Ingress",
    "CustomResourceDefinition",
    "Odd",
    "APIService",
    "ClusterRole",
    "ClusterRoleList",
    "Job",
    "ServiceAccount",
    "HorizontalPodAutoscaler",
    "MutatingWebhookConfiguration",
];
const SEPARATORS: &[&str] =
    &["---", "--- ", "---\t", "---# note", "--- # note", "\n---\n", "---\n---", "  ---", "----", "---x: 1"];

/// The files of a chart and of all below it.
fn chart(chance: &mut Chance, name: &str, depth: usize, path: &str, files: &mut BTreeMap<String, String>) {
    let mut about = json!({"apiVersion": "v2", "name": name, "version": chance.pick(VERSIONS)});
    let mut wanted = Vec::new();
    for sub in NAMES {
        if depth == 0 || chance.below(3) == 0 {
            continue;
        }
        chart(chance, sub, depth - 1, &format!("{path}charts/{sub}/"), files);
        for _ in 0..[0, 1, 1, 1, 2][chance.below(5)] {
            wanted.push(requirement(chance, sub));
        }
    }
    if !wanted.is_empty() {
        about["dependencies"] = Value::Array(wanted);
    }
    files.insert(format!("{path}Chart.yaml"), about.to_string());
    if chance.below(6) > 0 {
        files.insert(format!("{path}values.yaml"), values(chance).to_string());
    }
    files.insert(
        format!("{path}templates/values.yaml"),
        format!("at: {path}{name}\nvalues: {{{{ toJson .Values }}}}\n"),
    );
    files.insert(
        format!("{path}templates/{}", chance.pick(&["objects.yaml", "b/objects.yaml", "z.txt"])),
        documents(chance),
    );
    if chance.below(4) == 0 {
        files.insert(format!("{path}.helmignore"), ignored(chance));
    }
}

/// One entry of `dependencies`.
fn requirement(chance: &mut Chance, name: &str) -> Value {
    let mut wanted = json!({"name": name, "version": chance.pick(RANGES)});
    let condition = chance.pick(CONDITIONS);
    if !condition.is_empty() {
        wanted["condition"] = condition.into();
    }
    if chance.below(3) == 0 {
        wanted["tags"] = json!([chance.pick(&["a", "b"]), "data"]);
    }
    if chance.below(4) == 0 {
        wanted["alias"] = chance.pick(&["nick", "two", "alias-1"]).into();
    }
    if chance.below(3) == 0 {
        wanted["import-values"] = match chance.below(4) {
            0 => json!(["data"]),
            1 => json!([{"child": "settings", "parent": "imported"}]),
            2 => json!([{"child": "settings.data", "parent": "."}, "a"]),
            _ => json!([{"child": "a", "parent": "settings.data"}]),
        };
    }
    wanted
}

/// All values of a layer; often with globals, which come down to all charts below.
fn values(chance: &mut Chance) -> Value {
    let mut all = mapping(chance, 3);
    if chance.below(2) == 0 {
        let mut globals = mapping(chance, 2);
        if chance.below(2) == 0 {
            globals.insert("a".to_owned(), [true, false][chance.below(2)].into());
        }
        globals.insert("settings".to_owned(), Value::Object(mapping(chance, 2)));
        all.insert("global".to_owned(), Value::Object(globals));
    }
    Value::Object(all)
}

/// Values; keys are few, so that layers meet.
fn mapping(chance: &mut Chance, depth: usize) -> Map<String, Value> {
    (0..chance.below(6)).map(|_| (chance.pick(KEYS).to_owned(), value(chance, depth))).collect()
}

fn value(chance: &mut Chance, depth: usize) -> Value {
    match chance.below(if depth == 0 { 8 } else { 14 }) {
        0 => Value::Null,
        1 => true.into(),
        2 => false.into(),
        3 => "text".into(),
        4 => json!([1, "x"]),
        5 => json!({}),
        6 => 10_000_000.into(),
        7 => "".into(),
        _ => Value::Object(mapping(chance, depth - 1)),
    }
}

/// Documents of all kinds, told apart in all ways.
fn documents(chance: &mut Chance) -> String {
    let mut text = String::new();
    for number in 0..chance.below(5) {
        if number > 0 || chance.below(2) == 0 {
            text += chance.pick(SEPARATORS);
            text += "\n";
        }
        if chance.below(6) == 0 {
            text += chance.pick(&["", "# only a note\n", "\n\n", "{{ if false }}x{{ end }}\n"]);
            continue;
        }
        text +=
            &format!("kind: {}\nmetadata:\n  name: {}{number}\n", chance.pick(KINDS), chance.pick(&["b", "a", "c-"]));
        match chance.below(8) {
            0 => text += "  annotations: {helm.sh/hook: pre-install}\n",
            1 => text += "  annotations: {helm.sh/hook: unknown}\n",
            2 => text += "  annotations: {helm.sh/resource-policy: keep}\n",
            _ => {}
        }
    }
    text
}

/// Patterns, some of which meet files of [`chart`].
fn ignored(chance: &mut Chance) -> String {
    const PATTERNS: &[&str] = &[
        "objects.yaml",
        "templates/b/",
        "*.txt",
        "!z.txt",
        "/templates/values.yaml",
        "# a note",
        "",
        "charts/two",
        "b/",
        "templates/*/",
        "t*/z.*",
        "[oz]*",
        " z.txt ",
        "*/objects.yaml",
        "values.yaml/",
        "/z.txt",
    ];
    (0..chance.below(4)).map(|_| format!("{}\n", chance.pick(PATTERNS))).collect()
}

fn ours(folder: &Path, supplied: &Value) -> Answer {
    match manifests(folder, supplied) {
        Ok(text) => Answer::Output(text),
        Err(problem) => Answer::Refusal(problem),
    }
}

fn manifests(folder: &Path, supplied: &Value) -> Result<String, String> {
    let chart = kpkg_chart::load(folder).map_err(|error| error.to_string())?;
    let kpkg_yaml::Value::Map(map) = kpkg_yaml::Value::from_json(supplied) else { unreachable!("an object") };
    let values = values::merge(&chart, &[Input::Map(map)]).map_err(|error| error.to_string())?;
    let release =
        ReleaseInfo { name: "demo".to_owned(), namespace: "demo-ns".to_owned(), revision: 1, is_upgrade: false };
    let ambient = Ambient::seeded(1, jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC));
    let rendered = kpkg_chart::render(&chart, &values, &release, &ClusterFacts::default(), &ambient)
        .map_err(|error| error.to_string())?;
    let selection = Selection { crds: false, hooks: false, tests: false };
    Ok(listing::manifest_text(&listing::list(&[], &rendered, selection)))
}

/// Whether both say the same; of complaints, that both complain.
fn agree(wanted: &Answer, got: &Answer) -> bool {
    match (wanted, got) {
        (Answer::Output(wanted), Answer::Output(got)) => wanted.trim() == got.trim(),
        (Answer::Refusal(_), Answer::Refusal(_)) => true,
        // The command line asks that before values are merged.
        (Answer::Refusal(wanted), Answer::Output(_)) => wanted.contains("dependencies are missing"),
        (Answer::Output(_), Answer::Refusal(_)) => false,
    }
}

#[test]
fn trees_equal_the_real_ones() {
    let Some(python) = engine::python() else { return };
    let mut chance = Chance(setting("KPKG_SNIPPET_SEED", 1));
    let cases: Vec<(BTreeMap<String, String>, Value)> = (0..setting("KPKG_SNIPPETS", 20) * 5)
        .map(|_| {
            let mut files = BTreeMap::new();
            chart(&mut chance, "root", 2, "", &mut files);
            (files, values(&mut chance))
        })
        .collect();
    let questions: Vec<_> = cases.iter().map(|(files, values)| json!({"files": files, "values": values})).collect();
    let mut wrong = Vec::new();
    for ((files, supplied), wanted) in cases.iter().zip(engine::ask(&python, &questions)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below the folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        let got = ours(folder.path(), supplied);
        if !agree(&wanted, &got) {
            wrong.push(format!("{}\nwant {wanted:?}\ngot  {got:?}\n", json!({"files": files, "values": supplied})));
        }
    }
    wrong.sort_by_key(String::len);
    let shown: Vec<_> = wrong.iter().take(10).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {} differ, the shortest:\n{}", wrong.len(), cases.len(), shown.join("\n"));
}
