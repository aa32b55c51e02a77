//! The charts that kustomizations name, rendered by our own engine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kpkg_chart::listing::{self, Selection};
use kpkg_chart::values::{self, Checks, Input};
use kpkg_chart::{Ambient, Chart, Clock, ClusterFacts, ReleaseInfo};
use kpkg_overlay::{Charts, Error, HelmChart, HelmGlobals};

use crate::publish::{self, ChartArgs};
use crate::{render, rendering};

/// Charts that lie below a kustomization, or in the repository that it names.
#[derive(Debug, Default)]
pub(crate) struct NamedCharts {
    /// Whether no chart may be fetched.
    pub(crate) offline: bool,
    /// API versions that all charts may ask for.
    pub(crate) api_versions: Vec<String>,
    /// The Kubernetes version that charts see unless they name one.
    pub(crate) kube_version: Option<String>,
}

impl Charts for NamedCharts {
    fn render(&self, chart: &HelmChart, globals: &HelmGlobals, folder: &Path) -> kpkg_overlay::Result<String> {
        self.render_chart(chart, globals, folder).map_err(|error| Error::Rule(format!("{error:#}")))
    }
}

impl NamedCharts {
    fn render_chart(&self, wanted: &HelmChart, globals: &HelmGlobals, folder: &Path) -> Result<String> {
        let home = if globals.chart_home.is_empty() { "charts" } else { &globals.chart_home };
        let chart = self.load(wanted, &folder.join(home))?;
        render::check_dependencies(&chart)?;
        let values = values::merge_with(&chart, &inputs(wanted, folder)?, Checks { schema: true })?;
        let name = if wanted.release_name.is_empty() { "release-name" } else { &wanted.release_name };
        let namespace = if wanted.namespace.is_empty() { "default" } else { &wanted.namespace };
        let release =
            ReleaseInfo { name: name.to_owned(), namespace: namespace.to_owned(), revision: 1, is_upgrade: false };
        let ambient = Ambient::new(rand::random(), Clock::system());
        let rendered = kpkg_chart::render(&chart, &values, &release, &self.facts(wanted)?, &ambient)?;
        let selection = Selection { crds: wanted.include_crds, hooks: !wanted.skip_hooks, tests: !wanted.skip_tests };
        let crds = listing::crds(&values);
        let listed = listing::list(&crds, &rendered, selection);
        Ok(listing::text(&listing::manifest_text(&listed), &listed))
    }

    /// A chart that lies below a folder, or else is fetched.
    fn load(&self, wanted: &HelmChart, home: &Path) -> Result<Chart> {
        if let Some(path) = chart_path(wanted, home) {
            return kpkg_chart::load(&path).with_context(|| format!("cannot load chart {}", path.display()));
        }
        if wanted.repo.is_empty() {
            bail!("no repo specified for pull, no chart found at '{}'", home.join(&wanted.name).display());
        }
        if self.offline {
            bail!("chart `{}` is not below {}, and nothing may be fetched", wanted.name, home.display());
        }
        let (reference, mut args) = if wanted.repo.starts_with("oci://") {
            (format!("{}/{}", wanted.repo.trim_end_matches('/'), wanted.name), ChartArgs::default())
        } else {
            (wanted.name.clone(), ChartArgs::of_repository(&wanted.repo))
        };
        args.version.clone_from(&wanted.version);
        args.devel = wanted.devel;
        let fetched =
            publish::fetch(&reference, &args, false).with_context(|| format!("cannot fetch chart `{reference}`"))?;
        let source = fetched.source.clone();
        let bytes = fetched.archive.bytes().with_context(|| format!("cannot read chart {source}"))?;
        let files = kpkg_chart::unpack(&bytes)?;
        kpkg_chart::load_files(files).with_context(|| format!("cannot load chart {source}"))
    }

    fn facts(&self, wanted: &HelmChart) -> Result<ClusterFacts> {
        let mut facts = ClusterFacts::default();
        let version = Some(&wanted.kube_version).filter(|version| !version.is_empty()).or(self.kube_version.as_ref());
        if let Some(version) = rendering::kube_version(version)? {
            facts.kube_version = version;
        }
        facts.api_versions.extend(self.api_versions.iter().chain(&wanted.api_versions).cloned());
        Ok(facts)
    }
}

/// The folder or archive of a chart: by its name, or with its version as `helm pull` leaves it.
fn chart_path(wanted: &HelmChart, home: &Path) -> Option<PathBuf> {
    let versioned = format!("{}-{}", wanted.name, wanted.version);
    let candidates =
        [home.join(&versioned).join(&wanted.name), home.join(&wanted.name), home.join(format!("{versioned}.tgz"))];
    candidates.into_iter().find(|path| path.exists())
}

/// The values of a chart, the weakest first.
fn inputs(wanted: &HelmChart, folder: &Path) -> Result<Vec<Input>> {
    let read = |path: &str| -> Result<Input> {
        let path = folder.join(path);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Input::File { name: path.display().to_string(), text })
    };
    let inline = || -> Result<Input> {
        Ok(Input::File { name: "valuesInline".to_owned(), text: serde_json::to_string(&wanted.values_inline)? })
    };
    let mut list = Vec::new();
    let file = (!wanted.values_file.is_empty()).then(|| read(&wanted.values_file)).transpose()?;
    match wanted.values_merge.as_str() {
        _ if wanted.values_inline.is_empty() => list.extend(file),
        "" | "override" => {
            list.extend(file);
            list.push(inline()?);
        }
        "merge" => {
            list.push(inline()?);
            list.extend(file);
        }
        "replace" => list.push(inline()?),
        other => bail!("valuesMerge must be one of override, replace or merge, not `{other}`"),
    }
    for path in &wanted.additional_values_files {
        list.push(read(path)?);
    }
    Ok(list)
}
