//! Both starters pass our linter, and write the same objects.

use super::*;
use crate::lint::{self, Settings};
use crate::values::{self, Input};
use crate::{Ambient, ClusterFacts, ReleaseInfo, render};

const EVERYTHING: &str = "ingress.enabled=true,ingress.className=x,httpRoute.enabled=true,autoscaling.enabled=true,podLabels.a=b,\
                          podAnnotations.c=d,nodeSelector.e=f,service.type=NodePort,image.tag=1.2";

fn made(starter: &Starter) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web");
    create(&path, starter).expect("made");
    (folder, path)
}

/// Kind, name and meaning of everything that a starter writes, and its notes.
fn objects(path: &Path, set: &str) -> (Vec<(String, String, kpkg_yaml::Value)>, String) {
    let chart = crate::load(path).expect("it loads");
    let values = values::merge(&chart, &[Input::Set(set.to_owned())]).expect("values fit");
    let release = ReleaseInfo { name: "demo".into(), namespace: "default".into(), revision: 1, is_upgrade: false };
    let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    let rendered = render(&chart, &values, &release, &ClusterFacts::default(), &ambient).expect("it renders");
    let hooks = rendered.hooks.iter().map(|hook| &hook.manifest);
    let of = |it: &crate::Manifest| {
        let mut value = kpkg_yaml::read(&it.text).expect("YAML");
        drop_empty(&mut value);
        (it.kind.clone(), it.name.clone(), value)
    };
    (rendered.manifests.iter().chain(hooks).map(of).collect(), rendered.notes.trim().to_owned())
}

fn drop_empty(value: &mut kpkg_yaml::Value) {
    use kpkg_yaml::Value;
    if let Value::Map(map) = value {
        map.values_mut().for_each(drop_empty);
        let is_empty = |value: &Value| match value {
            Value::Map(map) => map.is_empty(),
            Value::List(list) => list.is_empty(),
            _ => false,
        };
        *map = std::mem::take(map).into_iter().filter(|(_, value)| !is_empty(value)).collect();
    }
}

#[test]
fn starters_pass_the_linter() {
    for starter in [Starter::Go, Starter::Jinja] {
        for set in ["", EVERYTHING] {
            let (_folder, path) = made(&starter);
            let inputs = [Input::Set(set.to_owned())];
            let settings = Settings {
                inputs: &inputs,
                namespace: "default",
                kube_version: None,
                skip_schema: false,
                strict_values: true,
                disabled: &[],
            };
            let found: Vec<String> = lint::lint(&path, &settings).messages.iter().map(ToString::to_string).collect();
            assert_eq!(found, ["[INFO] Chart.yaml: icon is recommended"], "{starter:?} {set}");
        }
    }
}

#[test]
fn both_languages_write_the_same() {
    let (_go, go) = made(&Starter::Go);
    let (_jinja, jinja) = made(&Starter::Jinja);
    for set in [
        "",
        EVERYTHING,
        "ingress.enabled=true",
        "serviceAccount.create=false,fullnameOverride=x",
        "httpRoute.enabled=true",
        "httpRoute.enabled=true,httpRoute.rules[0].filters[0].type=RequestMirror",
    ] {
        let (left, right) = (objects(&go, set), objects(&jinja, set));
        assert!(!left.0.is_empty());
        for (left, right) in left.0.iter().zip(&right.0) {
            assert_eq!(left, right, "{set}");
        }
        assert_eq!(left.0.len(), right.0.len(), "{set}");
        assert_eq!(left.1, right.1, "{set}");
    }
}

#[test]
fn charts_can_be_starters() {
    let (folder, path) = made(&Starter::Go);
    std::fs::write(path.join("values.yaml"), "name: <CHARTNAME>\n").expect("written");
    let copy = folder.path().join("copy");
    create(&copy, &Starter::Chart(path)).expect("made");
    let read = |name: &str| std::fs::read_to_string(copy.join(name)).expect("it is there");
    assert_eq!(read("values.yaml"), "name: copy\n");
    // As helm 4.2.3 writes it.
    let want = "apiVersion: v2\nappVersion: 0.1.0\ndescription: A Helm chart for Kubernetes\nname: copy\n\
                type: application\nversion: 0.1.0\n";
    assert_eq!(read("Chart.yaml"), want);
}

#[test]
fn names_are_checked() {
    for name in ["a b", "ä", "a:b"] {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = create(&folder.path().join(name), &Starter::Go);
        assert!(matches!(refused, Err(CreateError::Name { .. })), "{name}");
    }
    let refused = create(Path::new("/"), &Starter::Go);
    assert!(matches!(refused, Err(CreateError::Length { .. })), "{refused:?}");
}
