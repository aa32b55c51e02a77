//! Charts whose templates are read when they are rendered, and documents when a template asks for them.

use std::path::Path;

use kpkg_chart::values::merge;
use kpkg_chart::{Ambient, ClusterFacts, ReleaseInfo, RenderError, Rendered, load, load_to_render, render};

type Outcome = Result<Rendered, RenderError>;

/// A chart whose template shows one of its two documents.
fn chart() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let template = "text: {{ .Files.Get \"docs/shown.txt\" }}\nnames: {{ range $name, $_ := .Files.Glob \"docs/s*\" }}{{ $name }}{{ end }}\n";
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("docs/shown.txt", "\u{FEFF}shown"),
        ("docs/other.txt", "other"),
        ("crds/c.yaml", "kind: C\n"),
        ("templates/a.yaml", template),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

/// Loads a chart, does something to its folder, and renders it.
fn rendered(folder: &Path, meanwhile: impl FnOnce(&Path)) -> Outcome {
    let chart = load_to_render(folder).expect("a chart");
    meanwhile(folder);
    let values = merge(&chart, &[]).expect("no values");
    let release = ReleaseInfo { name: "r".into(), namespace: "n".into(), revision: 1, is_upgrade: false };
    let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    render(&chart, &values, &release, &ClusterFacts::default(), &ambient)
}

#[test]
fn a_file_is_read_when_it_is_asked_for() {
    let folder = chart();
    let removed = rendered(folder.path(), |folder| {
        std::fs::remove_file(folder.join("docs/other.txt")).expect("it is there");
        std::fs::remove_file(folder.join("crds/c.yaml")).expect("it is there");
    });
    assert_eq!(removed.expect("nobody asks for them").manifests[0].text, "text: shown\nnames: docs/shown.txt\n");
}

#[test]
fn a_file_that_is_gone_makes_rendering_fail() {
    let folder = chart();
    let gone =
        rendered(folder.path(), |folder| std::fs::remove_file(folder.join("docs/shown.txt")).expect("it is there"));
    let error = gone.expect_err("the template asks for it");
    assert!(matches!(error, RenderError::File(_)), "{error:?}");
    assert!(error.to_string().contains("docs/shown.txt"), "{error}");
}

#[test]
fn templates_are_read_if_their_chart_takes_part() {
    for is_on in [false, true] {
        let folder = chart();
        let below = folder.path().join("charts/sub");
        std::fs::create_dir_all(below.join("templates")).expect("a folder");
        let wanted = "dependencies: [{name: sub, version: 1.0.0, condition: sub.enabled}]\n";
        for (path, text) in [
            (folder.path().join("Chart.yaml"), format!("apiVersion: v2\nname: c\nversion: 1.0.0\n{wanted}")),
            (folder.path().join("values.yaml"), format!("sub: {{enabled: {is_on}}}\n")),
            (below.join("Chart.yaml"), "apiVersion: v2\nname: sub\nversion: 1.0.0\n".to_owned()),
            (below.join("templates/b.yaml"), "b: 1\n".to_owned()),
        ] {
            std::fs::write(path, text).expect("a file");
        }
        let outcome =
            rendered(folder.path(), |_| std::fs::remove_file(below.join("templates/b.yaml")).expect("it is there"));
        match outcome {
            Ok(rendered) => assert!(!is_on && rendered.manifests.len() == 1, "{rendered:?}"),
            Err(error) => assert!(is_on && error.to_string().contains("templates/b.yaml"), "{error}"),
        }
    }
}

#[test]
fn crds_that_are_gone_are_reported() {
    let folder = chart();
    let chart = load_to_render(folder.path()).expect("a chart");
    std::fs::remove_file(folder.path().join("crds/c.yaml")).expect("it is there");
    assert!(chart.check_read().is_ok(), "nobody has asked for it");
    assert_eq!(chart.crds()[0].file.text(), "");
    assert!(chart.check_read().is_err());
}

#[test]
#[cfg(unix)]
fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = chart();
    let name = std::ffi::OsStr::from_bytes(b"docs/s\xFF.txt");
    std::fs::write(folder.path().join(name), "odd").expect("a file");
    let both = [load_to_render(folder.path()), load(folder.path())].map(|chart| chart.expect("a chart"));
    for chart in both {
        let odd = chart.files.iter().find(|file| file.name.contains('\u{FFFD}')).expect("it is loaded");
        assert_eq!(odd.data(), b"odd");
    }
}

#[test]
fn both_ways_to_load_give_the_same() {
    let folder = chart();
    let (all, needed) = (load(folder.path()).expect("a chart"), load_to_render(folder.path()).expect("a chart"));
    assert_eq!(all.raw, needed.raw);
    assert_eq!(all.crds(), needed.crds());
}
