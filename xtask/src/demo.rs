//! The main job, from nothing to a site in the browser.

use anyhow::Result;

use crate::{packages, shell};

/// Installs what is needed, builds kpkg, and installs WordPress with it.
pub(crate) fn run() -> Result<()> {
    packages::debian(&[&packages::BUILD[..], &packages::RECIPES[..]].concat())?;
    let programs = shell::build(shell::Profile::Debug)?;
    shell::run(shell::command(programs.join("kpkg")).args(["install", "wordpress"]))
}
