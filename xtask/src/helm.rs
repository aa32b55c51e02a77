//! Side by side with the real Helm engine: what charts render to, and how fast.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{packages, shell};

/// Renders every chart below `charts`, with every values file it brings, by both; prints totals by repository.
pub(crate) fn parity(charts: &str) -> Result<()> {
    side_by_side("parity.py", None, charts)
}

/// Prints how much faster and smaller `kpkg template` is than the real program, and than the engine alone, on the charts
/// below `charts` and on an umbrella of a hundred subcharts.
pub(crate) fn bench(charts: &str) -> Result<()> {
    packages::debian(&packages::BENCHES)?;
    let helm = packages::helm()?;
    side_by_side("bench.py", Some(&helm), charts)
}

fn side_by_side(script: &str, helm: Option<&Path>, charts: &str) -> Result<()> {
    let charts = std::path::absolute(charts)?;
    if !charts.is_dir() {
        bail!("{} is not a folder", charts.display());
    }
    packages::debian(&packages::BUILD)?;
    let python = packages::python_tools()?.join("python");
    let kpkg = shell::optimised_kpkg()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/helm").join(script);
    shell::run(shell::command(python).env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(kpkg).args(helm).arg(charts))
}
