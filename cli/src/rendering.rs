//! How a chart is loaded and rendered for a release: what install, upgrade, plan and diff have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kpkg_chart::{Chart, Rendered};

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
        let mut chart = render::load_from(reference, source)?;
        let folder = Path::new(reference);
        if self.dependency_update && !chart.missing_dependencies().is_empty() && folder.is_dir() {
            update(folder, source).context("cannot fetch the chart's dependencies")?;
            chart = render::load_from(reference, source)?;
        }
        render::check_dependencies(&chart)?;
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
        let files = by_source(&post_render::run(program, &self.post_renderer_args, &text)?);
        Ok(kpkg_chart::rendered_anew(rendered, &files)?)
    }
}

const SOURCE: &str = "# Source: ";
/// The template that documents are said to be from when the post-renderer lost what said so.
const LOST: &str = "post-rendered/templates/post-rendered.yaml";

/// Documents by the template that their source line names.
fn by_source(text: &str) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for document in format!("\n{text}").split("\n---") {
        let source = document.lines().find_map(|line| line.strip_prefix(SOURCE)).unwrap_or(LOST);
        let body: Vec<&str> = document.lines().filter(|line| !line.starts_with(SOURCE)).collect();
        files.entry(source.to_owned()).or_default().push_str(&format!("---\n{}\n", body.join("\n")));
    }
    files
}

fn update(folder: &Path, source: &ChartArgs) -> Result<()> {
    let client = source.client()?;
    let time = jiff::Timestamp::from_second(i64::try_from(publish::now())?)?;
    publish::blocking(|| {
        crate::runtime::runtime()?.block_on(kpkg_registry::dependency::update(&client, folder, true, time))?;
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
        let files = by_source(text);
        let paths: Vec<&String> =
            files.keys().filter(|path| !files[*path].trim_matches(['-', '\n']).is_empty()).collect();
        assert_eq!(paths, ["a/templates/x.yaml", LOST]);
        assert_eq!(files["a/templates/x.yaml"], "---\n\nkind: A\n---\n\nkind: C\n");
    }
}
