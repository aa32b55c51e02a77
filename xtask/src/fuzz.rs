//! The fuzz targets under `fuzz/`, one after the other.

use anyhow::{Context, Result};

use crate::shell;

const TARGETS: [&str; 4] = ["yaml", "template", "set", "archive"];

/// Gives each target some seconds; the first input that crashes one ends it all and is kept under `fuzz/artifacts/`.
/// Needs `cargo install cargo-fuzz` and a nightly compiler.
pub(crate) fn run(seconds: &str) -> Result<()> {
    seconds.parse::<u32>().with_context(|| format!("`{seconds}` is no number of seconds"))?;
    for target in TARGETS {
        let mut fuzz = shell::command("cargo");
        // The toolchain that runs this chore is not the one that fuzzing needs.
        fuzz.env_remove("CARGO").env_remove("RUSTC").env("RUSTUP_TOOLCHAIN", "nightly");
        // Corpora grow from these; what is found is written to the first folder.
        let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
        std::fs::create_dir_all(shell::root().join(&corpus)).with_context(|| format!("cannot make {corpus}"))?;
        fuzz.args(["fuzz", "run", target, &corpus, &seeds, "--"]);
        fuzz.args([&format!("-max_total_time={seconds}"), "-timeout=20", "-rss_limit_mb=4096"]);
        shell::run(&mut fuzz)?;
    }
    Ok(())
}
