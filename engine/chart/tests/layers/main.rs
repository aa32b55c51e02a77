//! Values of several layers, and the dependencies that they switch: `cases.txt` says what each chart sees.
//!
//! A case begins with `=== NAME`; its parts with `--- FILE`, `--- given` (what the user gives) and `--- want` (each
//! chart's path and its values).

use std::collections::BTreeMap;

use kpkg_chart::values::{self, Input};
use kpkg_chart::{Ambient, ClusterFacts, File, ReleaseInfo, load_files, render_files};

/// Writes down what a chart sees.
const TEMPLATE: &str = "templates/v.txt";

#[test]
fn each_chart_sees_its_values() {
    for case in include_str!("cases.txt").split("\n=== ").skip(1) {
        let (name, parts) = case.split_once('\n').expect("a name");
        let mut parts: BTreeMap<&str, &str> =
            parts.split("--- ").skip(1).map(|part| part.split_once('\n').expect("the name of a part")).collect();
        let given = parts.remove("given").expect("what is given");
        let want = parts.remove("want").expect("what is wanted");
        assert_eq!(seen(&parts, given), want.trim_end(), "{name}");
    }
}

fn seen(files: &BTreeMap<&str, &str>, given: &str) -> String {
    let charts = files.keys().filter_map(|path| path.strip_suffix("Chart.yaml"));
    let templates: Vec<String> = charts.map(|folder| format!("{folder}{TEMPLATE}")).collect();
    let files = files.iter().map(|(path, text)| File::new(*path, text.as_bytes()));
    let templates = templates.iter().map(|path| File::new(path.as_str(), *b"{{ toJson .Values }}"));
    let chart = load_files(files.chain(templates).collect()).expect("a chart");
    let input = Input::File { name: "given".to_owned(), text: given.to_owned() };
    let values = values::merge(&chart, &[input]).expect("values");
    let release = ReleaseInfo { name: "demo".to_owned(), namespace: "demo".to_owned(), revision: 1, is_upgrade: false };
    let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    let (written, _) = render_files(&values, &release, &ClusterFacts::default(), &ambient).expect("rendered");
    let lines = written.iter().map(|(path, text)| {
        let chart = path.strip_suffix(TEMPLATE).expect("the only template").trim_end_matches('/');
        format!("{chart}: {text}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
