//! Charts among the resources, and the files that they may reach.

use std::fs;
use std::path::Path;

pub use crate::kustomization::{HelmChart, HelmGlobals};

use crate::error::{Error, Result};
use crate::files::Folder;

/// How deep the folders of a chart may nest.
const MAX_DEPTH: usize = 64;

/// Renders charts for kustomizations that name them.
pub trait Charts {
    /// The chart's manifests, rendered; paths are relative to the kustomization's folder.
    fn render(&self, chart: &HelmChart, globals: &HelmGlobals, folder: &Path) -> Result<String>;
}

/// Whether a chart stays where its kustomization may read: files of values are files like others, and the links of
/// a chart that came with a repository do not lead out of that repository.
pub(crate) fn permitted(chart: &HelmChart, globals: &HelmGlobals, folder: &Folder) -> Result<()> {
    for path in [&chart.values_file].into_iter().chain(&chart.additional_values_files).filter(|path| !path.is_empty()) {
        folder.permitted(&folder.root.join(path))?;
    }
    let Some(top) = folder.clone_root() else { return Ok(()) };
    let home = folder.root.join(if globals.chart_home.is_empty() { "charts" } else { &globals.chart_home });
    let versioned = format!("{}-{}", chart.name, chart.version);
    [home.join(&chart.name), home.join(&versioned), home.join(format!("{versioned}.tgz"))]
        .iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .try_for_each(|path| stays_below(path, top, 0))
}

/// Whether a path and all below it really lie below `top`.
fn stays_below(path: &Path, top: &Path, depth: usize) -> Result<()> {
    let failed = |source| Error::read(path, source);
    let real = fs::canonicalize(path).map_err(failed)?;
    if !real.starts_with(top) {
        return Err(Error::Outside { path: real, root: top.to_owned() });
    }
    if !real.is_dir() {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(Error::rule(format!("the folders of the chart at '{}' nest too deeply", path.display())));
    }
    for entry in fs::read_dir(&real).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A plain file of a folder that is inside is inside.
        if !entry.file_type().map_err(failed)?.is_file() {
            stays_below(&entry.path(), top, depth + 1)?;
        }
    }
    Ok(())
}
