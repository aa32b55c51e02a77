//! All tests, and the benchmarks.

use std::ffi::OsString;

use anyhow::Result;

use crate::shell::Profile;
use crate::{kustomize, packages, shell};

/// Installs what the tests need and runs them; `filter` goes to the test runner.
pub(crate) fn run(filter: &[&str]) -> Result<()> {
    let path = prepare()?;
    shell::build(Profile::Debug)?;
    let mut test = shell::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    test.args(["test", "--workspace"]).args(filter).env("PATH", path);
    test.env("KPKG_HELM_PYTHON", packages::python_tools()?.join("python"));
    if let Some(cases) = kustomize::cases()? {
        test.env("KPKG_PARITY_DIR", cases);
    }
    shell::run(&mut test)
}

/// Runs the benchmarks, optimised, against the reference programs; `args` go to them.
pub(crate) fn bench(args: &[OsString]) -> Result<()> {
    let path = prepare()?;
    let mut bench = shell::command(shell::build(Profile::Release)?.join("bench"));
    bench.args(args).env("PATH", path).env("KPKG_HELM_PYTHON", packages::python_tools()?.join("python"));
    shell::run(&mut bench)
}

/// The benchmark of releases, with the charts below a folder.
pub(crate) fn bench_releases(charts: &str) -> Result<()> {
    bench(&["releases".into(), std::path::absolute(charts)?.into()])
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
