//! The list of advisories in docs/: every test that it names exists.

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

const LIST: &str = "docs/advisories.md";

/// Fails for tests that are named and not there.
pub(crate) fn check() -> Result<()> {
    let read = |path: &str| {
        std::fs::read_to_string(shell::root().join(path))
            .with_context(|| format!("{LIST} names {path}, which cannot be read"))
    };
    let list = read(LIST)?;
    let named: Vec<(&str, &str)> = list.lines().flat_map(tests).collect();
    ensure!(!named.is_empty(), "{LIST} names no tests");
    let mut missing = Vec::new();
    for (path, test) in named {
        let text = read(path)?;
        // Tests with machinery of their own have their names in quotes.
        if !text.contains(&format!("fn {test}(")) && !text.contains(&format!("\"{test}\"")) {
            missing.push(format!("{path}: {test}"));
        }
    }
    if missing.is_empty() { Ok(()) } else { bail!("{LIST} names tests that are not there:\n{}", missing.join("\n")) }
}

/// The tests in a line of the table: `FILE` `NAME`; ...
fn tests(line: &str) -> Vec<(&str, &str)> {
    let Some(cell) = line.strip_prefix('|').and_then(|line| line.trim_end_matches('|').rsplit('|').next()) else {
        return Vec::new();
    };
    let named = cell.split(';').filter_map(|one| one.trim().trim_matches('`').split_once("` `"));
    named.collect()
}
