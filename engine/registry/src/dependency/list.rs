//! The dependencies of a chart and how they stand.

use std::path::Path;

use kpkg_chart::{Chart, Dependency};
use kpkg_template::semver::{Range, Version};

use crate::Error;
use crate::chart::metadata_of;

/// A dependency and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The version or range that is asked for.
    pub version: String,
    /// Where it is to come from.
    pub repository: String,
    /// Helm's word for how it stands.
    pub status: &'static str,
}

/// Lists what `Chart.yaml` declares.
pub fn list(folder: &Path) -> Result<Vec<Listed>, Error> {
    let chart = super::load(folder)?;
    let listed = |dependency: &Dependency| Listed {
        name: dependency.name.clone(),
        version: dependency.version.clone(),
        repository: dependency.repository.clone(),
        status: status(folder, &chart, dependency),
    };
    Ok(chart.metadata.dependencies.iter().map(listed).collect())
}

fn status(folder: &Path, chart: &Chart, dependency: &Dependency) -> &'static str {
    let Ok(range) = Range::parse(&dependency.version) else { return "invalid version" };
    let charts = folder.join("charts");
    let prefix = format!("{}-", dependency.name);
    let archives: Vec<_> = std::fs::read_dir(&charts)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let version = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".tgz"));
            version.is_some_and(|version| Version::parse(version).is_ok())
        })
        .collect();
    match archives.as_slice() {
        [] => {}
        [one] => {
            let Ok(bytes) = std::fs::read(charts.join(one)) else { return "corrupt" };
            let Ok(metadata) = metadata_of(&bytes, one) else { return "corrupt" };
            if metadata.name != dependency.name {
                return "misnamed";
            }
            return match Version::parse(&metadata.version) {
                Ok(version) if range.contains(&version) => "ok",
                Ok(_) => "wrong version",
                Err(_) => "invalid version",
            };
        }
        _ => return "too many matches",
    }
    if !charts.join(&dependency.name).is_dir() {
        return "missing";
    }
    match chart.dependencies.iter().find(|it| it.metadata.name == dependency.name) {
        None => "misnamed",
        Some(found) => match Version::parse(&found.metadata.version) {
            Ok(version) if range.contains(&version) => "unpacked",
            Ok(_) => "wrong version",
            Err(_) => "invalid version",
        },
    }
}
