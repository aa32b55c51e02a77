//! The main job, from nothing to a site in the browser.

use anyhow::Result;

use crate::{packages, shell};

/// Installs what is needed, builds kpkg, and installs WordPress with it.
pub(crate) fn run() -> Result<()> {
    packages::debian(&[&packages::BUILD[..], &packages::RECIPES[..]].concat())?;
    // The same selection as the tests build, so that nothing is compiled twice.
    shell::cargo(&["build", "--workspace", "--bins"])?;
    shell::run(shell::command(shell::target_dir().join("debug/kpkg")).args(["install", "wordpress"]))
}
