//! What must hold besides the tests: formatting, lints, documentation, generated files, house rules.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{advisories, schema, shell};

/// A source file may have this many lines of code (STYLE: over 500 needs a reason).
const MAX_LINES: usize = 600;

/// Files that are longer, each for a reason.
const LONG: [(&str, &str); 1] =
    [("engine/template/src/datetime.rs", "Go's date layouts, read and written by one table")];

/// Runs all checks, the quick ones first.
pub(crate) fn run() -> Result<()> {
    house_rules()?;
    advisories::check()?;
    shell::cargo(&["fmt", "--all", "--check"])?;
    shell::cargo(&["clippy", "--workspace", "--quiet", "--", "-D", "warnings"])?;
    let mut doc = shell::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    doc.args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut doc)?;
    schema::run(true)
}

/// Every module says what it is for, and no file of logic grows past what one can hold in mind.
fn house_rules() -> Result<()> {
    let mut broken = Vec::new();
    for path in sources()? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let shown = path.strip_prefix(shell::root()).unwrap_or(&path).display().to_string();
        let is_test = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        if !text.starts_with("//!") && !is_test {
            broken.push(format!("{shown}: begins without a `//!` line that says what it is for"));
        }
        let lines = lines_of_code(&text);
        if lines > MAX_LINES && !LONG.iter().any(|(name, _)| *name == shown) {
            broken.push(format!("{shown}: {lines} lines of code (at most {MAX_LINES})"));
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("house rules:\n{}", broken.join("\n")) }
}

/// Lines that are neither blank, comment, nor inline tests.
fn lines_of_code(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

fn sources() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["cli", "cluster", "engine", "tests", "xtask"] {
        collect(&shell::root().join(folder), &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}
