//! Overlays on charts, and what overlays may use besides files: charts, programs, repositories.

mod charts;
mod fetch;
mod programs;

pub(crate) use charts::NamedCharts;
pub(crate) use fetch::Fetcher;
pub(crate) use programs::Programs;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kpkg_chart::Rendered;
use kpkg_chart::listing::{self, Listed, Selection};
use kpkg_overlay::{Built, Options};
use kpkg_yaml::node::node_text;

use crate::printer::Printer;

/// A kustomization on top of a chart.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct OverlayArgs {
    /// Put a kustomization on top: its folder's `kustomization.yaml` is applied to what the chart writes
    #[arg(long, value_name = "DIR")]
    overlay: Option<PathBuf>,
}

impl OverlayArgs {
    /// The folder, if one is given.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.overlay.as_deref()
    }

    /// What becomes of a chart's manifests and hooks.
    pub(crate) fn apply(&self, rendered: Rendered, printer: &Printer) -> Result<Rendered> {
        let Some(folder) = self.folder() else { return Ok(rendered) };
        let selection = Selection { crds: false, hooks: true, tests: true };
        let listed = listing::list(&[], &rendered, selection);
        let built = overlay(folder, &listed, printer)?;
        let texts = built.documents.iter().map(node_text).collect::<Result<Vec<_>, _>>()?;
        let documents = built.sources.iter().map(String::as_str).zip(texts.iter().map(String::as_str));
        Ok(rendered.clone().with_documents(documents)?)
    }
}

/// Applies a kustomization to what a chart writes; it may name charts as resources.
pub(crate) fn overlay(folder: &Path, listed: &[Listed<'_>], printer: &Printer) -> Result<Built> {
    let (charts, fetcher) = (NamedCharts::default(), Fetcher::new());
    let mut options = Options::default();
    options.charts = Some(&charts);
    options.remote = Some(&fetcher);
    let files = listed.iter().map(|it| (it.source, it.text));
    let built = kpkg_overlay::apply_to_files(folder, files, &options)
        .with_context(|| format!("cannot apply overlay {}", folder.display()))?;
    built.warnings.iter().for_each(|warning| printer.say(warning));
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hooks and manifests go through the overlay together, and are told apart again.
    #[test]
    fn an_overlay_on_manifests_and_hooks() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("extra.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: extra}\n");
        write("kustomization.yaml", "namePrefix: p-\nresources: [extra.yaml]\n");
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
        let hook = "apiVersion: v1\nkind: Pod\nmetadata: {name: h, annotations: {helm.sh/hook: test}}\n";
        let documents = [("c/templates/a.yaml", pod), ("c/templates/h.yaml", hook)];
        let rendered = Rendered { notes: "n".to_owned(), ..Rendered::default() }.with_documents(documents);
        let args = OverlayArgs { overlay: Some(folder.path().to_owned()) };
        let got = args.apply(rendered.expect("documents"), &Printer::new()).expect("applies");
        let manifests: Vec<_> = got.manifests.iter().map(|it| (&*it.source, &*it.name, &*it.text)).collect();
        assert_eq!(
            manifests,
            [
                ("extra.yaml", "p-extra", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: p-extra"),
                ("c/templates/a.yaml", "p-a", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p-a"),
            ]
        );
        assert_eq!((got.hooks.len(), &*got.hooks[0].manifest.name, &*got.notes), (1, "p-h", "n"));
    }
}
