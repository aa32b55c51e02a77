//! All tests, and the benchmarks.

use std::ffi::OsString;

use anyhow::Result;

use crate::{packages, shell};

/// Installs what the tests need and runs them; `filter` goes to the test runner.
pub(crate) fn run(filter: &[&str]) -> Result<()> {
    let path = prepare()?;
    shell::cargo(&["build", "--workspace", "--bins"])?;
    let mut test = shell::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    test.args(["test", "--workspace"]).args(filter).env("PATH", path);
    test.env("KPKG_HELM_PYTHON", packages::python_tools()?.join("python"));
    shell::run(&mut test)
}

/// Runs the benchmarks, optimised, against the reference programs.
pub(crate) fn bench() -> Result<()> {
    let path = prepare()?;
    shell::cargo(&["build", "--release", "--workspace", "--bins"])?;
    let mut bench = shell::command(shell::target_dir().join("release/bench"));
    bench.env("PATH", path);
    shell::run(&mut bench)
}

/// Installs everything; the search path that finds it.
fn prepare() -> Result<OsString> {
    packages::debian(&[&packages::BUILD[..], &packages::RECIPES[..], &packages::TESTS[..]].concat())?;
    let tools = packages::python_tools()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::iter::once(tools).chain(std::env::split_paths(&path)).chain(["/usr/sbin".into(), "/sbin".into()]);
    Ok(std::env::join_paths(folders)?)
}
