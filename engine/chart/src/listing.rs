//! A rendered chart as one text: documents under their source lines, as `helm template` prints them.

use std::io::Write;

use crate::manifests::split_manifests;
use crate::rendered::{Rendered, Values};

/// What to list besides manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// What stands in the charts' `crds/`.
    pub crds: bool,
    /// Hooks, tests aside.
    pub hooks: bool,
    /// Hooks that are tests; only if hooks are listed at all.
    pub tests: bool,
}

/// Which list a document belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A file of `crds/`, as it is.
    Crd,
    /// A manifest.
    Manifest,
    /// A hook.
    Hook,
}

/// A document, or a file of `crds/`, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Which list it belongs to.
    pub part: Part,
    /// The path, with the names of the charts it is in.
    pub source: &'a str,
    /// The text.
    pub text: &'a str,
}

impl Listed<'_> {
    /// The document behind its source line.
    pub fn block(&self) -> String {
        [SEPARATOR, self.source, "\n", self.text, "\n"].concat()
    }

    fn write(&self, text: &str, out: &mut impl Write) -> std::io::Result<()> {
        [SEPARATOR, self.source, "\n", text, "\n"].iter().try_for_each(|part| out.write_all(part.as_bytes()))
    }
}

/// What stands before a document's source.
const SEPARATOR: &str = "---\n# Source: ";

/// A pattern that no document's source matches.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("could not find template {pattern} in chart")]
pub struct NotFound {
    /// The pattern.
    pub pattern: String,
}

/// The files of `crds/` that the values switch on: path and text.
pub fn crds(values: &Values) -> Vec<(String, String)> {
    values.chart().crds().into_iter().map(|crd| (crd.source, crd.file.text().into_owned())).collect()
}

/// Everything selected, in Helm's order: CRDs, manifests, hooks.
pub fn list<'a>(crds: &'a [(String, String)], rendered: &'a Rendered, selection: Selection) -> Vec<Listed<'a>> {
    let mut listed = Vec::new();
    if selection.crds {
        listed.extend(crds.iter().map(|(source, text)| Listed { part: Part::Crd, source, text }));
    }
    listed.extend(rendered.manifests.iter().map(|it| Listed {
        part: Part::Manifest,
        source: &it.source,
        text: &it.text,
    }));
    if selection.hooks {
        let is_wanted = |events: &[String]| selection.tests || !events.iter().any(|event| event == "test");
        let hooks = rendered.hooks.iter().filter(|hook| is_wanted(&hook.events)).map(|hook| &hook.manifest);
        listed.extend(hooks.map(|it| Listed { part: Part::Hook, source: &it.source, text: &it.text }));
    }
    listed
}

/// The text of CRDs and manifests, which a post-renderer gets.
pub fn manifest_text(listed: &[Listed<'_>]) -> String {
    listed.iter().filter(|it| it.part != Part::Hook).map(Listed::block).collect()
}

/// Prints what [`text`] gives for manifests as they are, without a copy of it.
pub fn write(listed: &[Listed<'_>], out: &mut impl Write) -> std::io::Result<()> {
    let (hooks, manifests): (Vec<_>, Vec<_>) = listed.iter().partition(|it| it.part == Part::Hook);
    let Some((last, others)) = manifests.split_last() else {
        out.write_all(b"\n")?;
        return hooks.iter().try_for_each(|it| it.write(it.text, out));
    };
    others.iter().try_for_each(|it| it.write(it.text, out))?;
    last.write(last.text.trim_end(), out)?;
    hooks.iter().try_for_each(|it| it.write(it.text, out))
}

/// What is printed: the text of CRDs and manifests, or what a post-renderer made of it, then the hooks.
pub fn text(manifests: &str, listed: &[Listed<'_>]) -> String {
    let mut text = manifests.trim().to_owned();
    text.push('\n');
    listed.iter().filter(|it| it.part == Part::Hook).for_each(|it| text.push_str(&it.block()));
    text
}

/// The documents of a printed text whose source below the chart's folder matches one of the patterns,
/// pattern by pattern.
pub fn show_only(text: &str, patterns: &[String]) -> Result<String, NotFound> {
    let documents: Vec<(&str, &str)> = split_manifests(text)
        .into_iter()
        .filter_map(|document| {
            let line = document.lines().find_map(|line| line.split_once("# Source: "))?.1;
            let (_, path) = line.split_once('/')?;
            Some((path, document))
        })
        .collect();
    let mut shown = String::new();
    for pattern in patterns {
        let mut found = false;
        for (_, document) in documents.iter().filter(|(path, _)| kpkg_gopath::matches(pattern, path) == Ok(true)) {
            found = true;
            shown.push_str("---\n");
            shown.push_str(document);
            shown.push('\n');
        }
        if !found {
            return Err(NotFound { pattern: pattern.clone() });
        }
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "---\n# Source: app/templates/a.yaml\nkind: A\n---\n# Source: app/charts/sub/templates/b.yaml\n\
                        kind: B\n---\n# Source: app/templates/a.yaml\nkind: C\n";

    #[test]
    fn shows_by_pattern() {
        let cases: &[(&[&str], &str)] = &[
            (
                &["templates/a.yaml"],
                "---\n# Source: app/templates/a.yaml\nkind: A\n---\n# Source: app/templates/a.yaml\nkind: C\n\n",
            ),
            (&["charts/*/templates/*"], "---\n# Source: app/charts/sub/templates/b.yaml\nkind: B\n"),
        ];
        for (patterns, want) in cases {
            let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(show_only(TEXT, &patterns).expect("found"), *want, "{patterns:?}");
        }
    }

    #[test]
    fn writes_what_the_text_is() {
        let item = |part, text| Listed { part, source: "app/templates/a.yaml", text };
        let (manifest, hook) = (item(Part::Manifest, "kind: A\n\n"), item(Part::Hook, "kind: B\n"));
        for listed in [vec![], vec![hook.clone()], vec![manifest.clone()], vec![manifest.clone(), manifest, hook]] {
            let mut written = Vec::new();
            write(&listed, &mut written).expect("memory");
            assert_eq!(String::from_utf8_lossy(&written), text(&manifest_text(&listed), &listed));
        }
    }

    #[test]
    fn a_pattern_without_match_is_refused() {
        let error = show_only(TEXT, &["*.yaml".to_owned()]).expect_err("`*` stays in its folder");
        assert_eq!(error.to_string(), "could not find template *.yaml in chart");
    }
}
