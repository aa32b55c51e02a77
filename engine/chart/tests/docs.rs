//! The examples of docs/templates.md: the files it shows, rendered, write what it says they write.

use std::collections::BTreeMap;

use kpkg_chart::{Ambient, ClusterFacts, File, ReleaseInfo, load_files, render_files, values};

const PAGE: &str = include_str!("../../../docs/templates.md");
const CHART: &str = "apiVersion: v2\nname: app\nversion: 1.0.0\nappVersion: '1.29'\n";

/// The fenced blocks whose first line says more than their language: what it says, and the text.
fn blocks() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in PAGE.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let purpose = info.split_once(' ').map(|(_, rest)| rest.to_owned());
                open = Some((purpose.unwrap_or_default(), String::new()));
            }
            (Some(_), Some(_)) => found.extend(open.take().filter(|(purpose, _)| !purpose.is_empty())),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

#[test]
fn both_languages_write_what_the_page_says() {
    let mut files = vec![File::new("Chart.yaml", CHART.as_bytes())];
    let mut wanted = Vec::new();
    for (purpose, text) in blocks() {
        match purpose.split_once('=') {
            Some(("file", name)) => files.push(File::new(name, text.as_bytes())),
            Some(("output", names)) => wanted.extend(names.split(',').map(|name| (name.to_owned(), text.clone()))),
            _ => panic!("a block says `{purpose}`"),
        }
    }
    let chart = load_files(files).expect("it loads");
    let values = values::merge(&chart, &[]).expect("values fit");
    let release = ReleaseInfo { name: "demo".into(), namespace: "default".into(), revision: 1, is_upgrade: false };
    let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    let written: BTreeMap<String, String> =
        render_files(&values, &release, &ClusterFacts::default(), &ambient).expect("it renders").0;
    assert!(wanted.len() >= 4, "the page has examples");
    for (name, want) in wanted {
        assert_eq!(written[&format!("app/{name}")].trim(), want.trim(), "{name}");
    }
}
