//! How a chart is loaded and rendered for a release: what install, upgrade, plan and diff have in common.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kpkg_chart::{Chart, KubeVersion, Rendered, split_manifests};

use crate::publish::{self, ChartArgs};
use crate::{naming, post_render, render};

/// The flags of rendering.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RenderArgs {
    /// Program that gets the manifests, hooks included, on standard input and writes those to use
    #[arg(long, value_name = "PROGRAM")]
    post_renderer: Option<PathBuf>,

    /// Argument of the post-renderer
    #[arg(long, value_name = "ARGUMENT", requires = "post_renderer", allow_hyphen_values = true)]
    post_renderer_args: Vec<String>,

    /// Fetch the chart's dependencies if they are missing
    #[arg(long)]
    dependency_update: bool,

    /// Show the notes of subcharts, too
    #[arg(long)]
    render_subchart_notes: bool,

    /// Allow `getHostByName` to ask DNS
    #[arg(long)]
    enable_dns: bool,

    /// Accepted for Helm's sake: the server checks every object in any case
    #[arg(long, hide = true)]
    disable_openapi_validation: bool,
}

impl RenderArgs {
    /// Loads a chart that can be installed, with its dependencies.
    pub(crate) fn load(&self, reference: &str, source: &ChartArgs) -> Result<Chart> {
        let chart = load_complete(reference, source, self.dependency_update, render::load_from)?;
        if chart.is_library() {
            anyhow::bail!("library charts are not installable: their templates are for other charts to use");
        }
        Ok(chart)
    }

    /// How templates find addresses, if they may.
    pub(crate) fn resolver(&self) -> Option<fn(&str) -> String> {
        self.enable_dns.then_some(naming::resolve_host)
    }

    /// What comes after the templates: the post-renderer, and the notes of subcharts.
    pub(crate) fn finish(&self, mut rendered: Rendered) -> Result<Rendered> {
        if self.render_subchart_notes {
            let own = std::mem::take(&mut rendered.notes);
            let subcharts = rendered.subchart_notes.iter().cloned();
            let all: Vec<String> = subcharts.chain([own]).filter(|it| !it.trim().is_empty()).collect();
            rendered.notes = all.join("\n");
        }
        let Some(program) = &self.post_renderer else { return Ok(rendered) };
        let hooks = rendered.hooks.iter().map(|hook| &hook.manifest);
        let all = hooks.chain(&rendered.manifests);
        let text: String = all.map(|it| format!("---\n{SOURCE}{}\n{}\n", it.source, it.text)).collect();
        let text = post_render::run(program, &self.post_renderer_args, &text)?;
        let documents = with_sources(&text);
        Ok(rendered.with_documents(documents.iter().map(|(source, body)| (*source, body.as_str())))?)
    }
}

const SOURCE: &str = "# Source: ";
/// The template that documents are said to be from when the post-renderer lost what said so.
const LOST: &str = "post-rendered/templates/post-rendered.yaml";

/// Documents with the template that their source line names, in the templates' order.
fn with_sources(text: &str) -> Vec<(&str, String)> {
    let documents = split_manifests(text).into_iter().map(|document| {
        let source = document.lines().find_map(|line| line.strip_prefix(SOURCE)).unwrap_or(LOST);
        let body: Vec<&str> = document.lines().filter(|line| !line.starts_with(SOURCE)).collect();
        (source, body.join("\n"))
    });
    let mut documents: Vec<_> = documents.filter(|(_, body)| !body.trim().is_empty()).collect();
    documents.sort_by_key(|(source, _)| *source);
    documents
}

/// Loads a chart with all its dependencies, which are fetched into its folder if that is wanted.
pub(crate) fn load_complete(
    reference: &str,
    source: &ChartArgs,
    dependency_update: bool,
    load: fn(&str, &ChartArgs) -> Result<Chart>,
) -> Result<Chart> {
    let mut chart = load(reference, source)?;
    let folder = Path::new(reference);
    if dependency_update && !chart.missing_dependencies().is_empty() && folder.is_dir() {
        update(folder, source).context("cannot fetch the chart's dependencies")?;
        chart = load(reference, source)?;
    }
    render::check_dependencies(&chart)?;
    Ok(chart)
}

/// The version that `--kube-version` names; an empty one is none, as in Helm.
pub(crate) fn kube_version(text: Option<&String>) -> Result<Option<KubeVersion>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = KubeVersion::parse(text).map_err(anyhow::Error::msg);
    parsed.map(Some).with_context(|| format!("invalid kube version '{text}'"))
}

fn update(folder: &Path, source: &ChartArgs) -> Result<()> {
    let client = source.client()?;
    let time = jiff::Timestamp::from_second(i64::try_from(publish::now())?)?;
    publish::blocking(|| async {
        kpkg_registry::dependency::update(&client, folder, true, time).await?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_templates() {
        let text =
            "---\n# Source: a/templates/x.yaml\nkind: A\n---\nkind: B\n---\n# Source: a/templates/x.yaml\nkind: C\n";
        let documents = with_sources(text);
        let found: Vec<_> = documents.iter().map(|(source, body)| (*source, body.trim())).collect();
        let template = "a/templates/x.yaml";
        assert_eq!(found, [(template, "kind: A"), (template, "kind: C"), (LOST, "kind: B")]);
    }
}
