//! What a chart says of itself, as text: its metadata, values, README and CRDs.

use std::fmt::Write;

use kpkg_yaml::Value;

use crate::chart::{Chart, File};
use crate::metadata::Metadata;

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// `Chart.yaml`, as it was understood.
    Metadata,
    /// `values.yaml`, as it stands.
    Values,
    /// The README, as it stands.
    Readme,
    /// What is in `crds/`, of subcharts too.
    Crds,
}

/// A part of a chart as Helm prints it.
pub fn describe(chart: &Chart, part: Part) -> String {
    let mut text = String::new();
    let is_all = part == Part::All;
    let separator = if is_all { "---\n" } else { "" };
    if is_all || part == Part::Metadata {
        text.push_str(&yaml(&chart.metadata));
        text.push('\n');
    }
    if let Some(values) = file(&chart.raw, &["values.yaml"]).filter(|_| is_all || part == Part::Values) {
        let _ = writeln!(text, "{separator}{}", values.text());
    }
    let readme = file(&chart.files, &["readme.md", "readme.txt", "readme"]);
    if let Some(readme) = readme.filter(|_| is_all || part == Part::Readme) {
        let _ = writeln!(text, "{separator}{}", readme.text());
    }
    if is_all || part == Part::Crds {
        for crd in chart.crds() {
            let separator = if crd.file.text().starts_with("---") { "" } else { "---\n" };
            let _ = writeln!(text, "{separator}{}", crd.file.text());
        }
    }
    text
}

/// Metadata as `Chart.yaml` holds it, its fields in the order of their names.
pub(crate) fn yaml(metadata: &Metadata) -> String {
    let json = serde_json::to_value(metadata).unwrap_or_default();
    kpkg_yaml::write(&Value::from_json(&json))
}

fn file<'a>(files: &'a [File], names: &[&str]) -> Option<&'a File> {
    files.iter().find(|file| names.iter().any(|name| file.name.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_helm_shows() {
        let chart = crate::load_files(vec![
            File::new("Chart.yaml", *b"name: x\nversion: 1.0.0\napiVersion: v2\nkeywords: [b, a]\n"),
            File::new("values.yaml", *b"# why\na: 1\n"),
            File::new("README.md", *b"# X\n"),
            File::new("crds/c.yaml", *b"kind: C\n"),
        ]);
        let chart = chart.expect("it loads");
        let metadata = "apiVersion: v2\nkeywords:\n- b\n- a\nname: x\nversion: 1.0.0\n\n";
        assert_eq!(describe(&chart, Part::Metadata), metadata);
        assert_eq!(describe(&chart, Part::Values), "# why\na: 1\n\n");
        let all = format!("{metadata}---\n# why\na: 1\n\n---\n# X\n\n---\nkind: C\n\n");
        assert_eq!(describe(&chart, Part::All), all);
    }
}
