//! Charts among the resources.

use std::path::Path;

pub use crate::kustomization::{HelmChart, HelmGlobals};

use crate::error::Result;

/// Renders charts for kustomizations that name them.
pub trait Charts {
    /// The chart's manifests, rendered; paths are relative to the kustomization's folder.
    fn render(&self, chart: &HelmChart, globals: &HelmGlobals, folder: &Path) -> Result<String>;
}
