//! Asks the real Helm engine and ours the same questions, thousands of them, and compares answers and
//! complaints: templates (`snippets`), functions over characters (`characters`), assignments (`assignments`) and whole trees
//! of charts (`trees`).
//!
//! The reference is the Python package `helm-python-sdk`, in the interpreter that `KPKG_HELM_PYTHON` names
//! (`cargo xtask test` installs it). Without it there is nothing to compare with, and the tests say so.
//! `KPKG_SNIPPETS=N` asks N for every function; `KPKG_SNIPPET_SEED` changes which.

#![expect(clippy::print_stdout, reason = "a test that cannot run says so")]

mod assignments;
mod chance;
mod characters;
mod engine;
mod snippets;
mod trees;

/// The number that a variable of the environment holds.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
