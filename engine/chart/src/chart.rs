//! A chart as loaded: what its files say, before any values are given.

use std::sync::Arc;

use kpkg_yaml::Map;

use crate::metadata::{Dependency, Lock, Metadata};

/// A file of a chart; the name is relative to the chart's folder, with slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The path inside the chart.
    pub name: String,
    /// What the file holds, without a byte order mark.
    pub data: Arc<[u8]>,
}

impl File {
    /// A file with a name and contents.
    pub fn new(name: impl Into<String>, data: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.into(), data: data.into() }
    }

    /// The contents as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        kpkg_template::lossy(&self.data)
    }
}

/// A chart with its subcharts. Cloning shares the files' contents.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// `Chart.yaml`, with the dependencies of a `requirements.yaml`.
    pub metadata: Metadata,
    /// `Chart.lock` or `requirements.lock`.
    pub lock: Option<Lock>,
    /// Every file of the chart itself, as loaded.
    pub raw: Vec<File>,
    /// The files under `templates/`.
    pub templates: Vec<File>,
    /// The files that are nothing else: what `.Files` offers, CRDs among them.
    pub files: Vec<File>,
    /// `values.yaml`.
    pub values: Arc<Map>,
    /// `values.schema.json`.
    pub schema: Option<Arc<[u8]>>,
    /// The charts under `charts/`.
    pub dependencies: Vec<Chart>,
}

/// A file with custom resource definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crd {
    /// The path with the names of the charts it is in: `app/charts/sub/crds/x.yaml`.
    pub source: String,
    /// The file.
    pub file: File,
}

impl Chart {
    /// The chart's name; an alias, once dependencies are resolved.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Whether this is a library: its templates may be included, but render nothing themselves.
    pub fn is_library(&self) -> bool {
        self.metadata.kind.eq_ignore_ascii_case("library")
    }

    /// The `crds/` of this chart and of its subcharts.
    pub fn crds(&self) -> Vec<Crd> {
        let mut found = Vec::new();
        self.collect_crds(self.name(), &mut found);
        found
    }

    fn collect_crds(&self, path: &str, found: &mut Vec<Crd>) {
        let own = self.files.iter().filter(|file| file.name.starts_with("crds/") && is_manifest(&file.name));
        found.extend(own.map(|file| Crd { source: format!("{path}/{}", file.name), file: file.clone() }));
        for dependency in &self.dependencies {
            dependency.collect_crds(&format!("{path}/charts/{}", dependency.name()), found);
        }
    }

    /// Dependencies that `Chart.yaml` declares and `charts/` lacks.
    pub fn missing_dependencies(&self) -> Vec<&Dependency> {
        let present = |wanted: &&Dependency| !self.dependencies.iter().any(|chart| chart.name() == wanted.name);
        self.metadata.dependencies.iter().filter(present).collect()
    }
}

fn is_manifest(name: &str) -> bool {
    let extension = name.rsplit('/').next().and_then(|base| base.rsplit_once('.')).map(|(_, extension)| extension);
    extension.is_some_and(|found| ["yaml", "yml", "json"].iter().any(|known| found.eq_ignore_ascii_case(known)))
}
