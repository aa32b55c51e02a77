//! What `Chart.yaml` declares, what `charts/` holds, and what `crds/` holds.

use std::collections::BTreeSet;

use super::message::Severity::{Error, Warning};
use super::{Linter, Loaded, manifests};
use crate::chart::Chart;

impl Linter<'_> {
    /// Whether declarations and charts agree.
    pub(super) fn dependencies(&mut self, chart: Loaded<'_>) {
        let chart = match chart {
            Ok(chart) => chart,
            Err(error) => {
                self.check("dependencies", Error, "", Err(format!("unable to load chart\n\t{error}")));
                return;
            }
        };
        let folder = self.folder.clone();
        let declared: BTreeSet<&str> = chart.metadata.dependencies.iter().map(|it| it.name.as_str()).collect();
        let present: BTreeSet<&str> = chart.dependencies.iter().map(|it| it.metadata.name.as_str()).collect();
        let undeclared = chart.dependencies.iter().map(Chart::name).filter(|name| !declared.contains(name));
        let result = none("chart metadata is missing these dependencies", undeclared);
        self.check("dependencies", Error, &folder, result);
        let missing = chart.metadata.dependencies.iter().map(|it| it.name.as_str());
        let missing = missing.filter(|name| !present.contains(name));
        let result = none("chart directory is missing these dependencies", missing);
        self.check("dependencies", Warning, &folder, result);
    }

    /// Whether `crds/` holds definitions, and nothing that needs rendering.
    pub(super) fn crds(&mut self, chart: Loaded<'_>) {
        if self.file("crds").is_some() {
            self.check("crds", Error, "crds/", Err("not a directory".to_owned()));
            return;
        }
        if !self.files.iter().any(|file| file.name.starts_with("crds/")) {
            return;
        }
        let chart = match chart {
            Ok(chart) => chart,
            Err(error) => {
                self.check("crds", Error, "crds/", Err(error.to_string()));
                return;
            }
        };
        for crd in chart.crds() {
            // Helm names the file as in its own chart.
            let path = crd.file.name.clone();
            for head in manifests::heads(&crd.file.text()) {
                let head = match head {
                    Ok(head) => head,
                    Err(problem) => {
                        self.check("crds", Error, &path, Err(format!("unable to parse YAML: {problem}")));
                        return;
                    }
                };
                let Some(head) = head else { continue };
                if !head.api_version.starts_with("apiextensions.k8s.io") {
                    let text = "apiVersion is not in 'apiextensions.k8s.io'";
                    self.check("crds", Error, &path, Err(text.to_owned()));
                }
                if head.kind != "CustomResourceDefinition" {
                    let text = "object kind is not 'CustomResourceDefinition'";
                    self.check("crds", Error, &path, Err(text.to_owned()));
                }
            }
        }
    }
}

fn none<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { Ok(()) } else { Err(format!("{what}: {}", names.join(","))) }
}
