//! kpkg as it is released: compiled twice. The first program counts what of it runs while it renders charts, and the second
//! is arranged by that: most of the binary is the cluster's and takes no part, and what does lies together.
//!
//! What did not run is compiled as ever, not for size: that it does not render charts does not make it cold.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{packages, shell};

/// What reads the counts. It must know the compiler's format of them; newer ones read older formats.
const PROFDATA: &str = "llvm-profdata-19";
/// How often each chart is rendered: what is counted are calls, so that a few tell enough.
const ROUNDS: usize = 3;

/// Builds it; answers where it is.
pub(crate) fn build() -> Result<PathBuf> {
    packages::debian(&[&packages::BUILD[..], &packages::PROFILES[..]].concat())?;
    let folder = shell::target_dir().join("profile");
    // Counts of other code would not fit.
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the old profile")?;
    }
    let counts = folder.join("counts");
    fs::create_dir_all(&counts).context("cannot make a folder for the profile")?;
    let counting = compile(&[format!("-Cprofile-generate={}", counts.display())])?;
    train(&counting, &folder.join("charts"))?;
    let profile = merge(&counts, &folder)?;
    compile(&[format!("-Cprofile-use={}", profile.display()), "-Clink-arg=-Wl,-z,keep-text-section-prefix".to_owned()])
}

/// Compiles with flags that build scripts and macros are spared, which is so if a target is named.
fn compile(flags: &[String]) -> Result<PathBuf> {
    let target = host()?;
    let mut cargo = shell::command(shell::cargo_program());
    cargo.args(["build", "--release", "--package", "kpkg", "--target", &target]);
    shell::run(cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")))?;
    Ok(shell::target_dir().join(target).join("release/kpkg"))
}

/// The machine's own target.
fn host() -> Result<String> {
    let output = shell::command("rustc").arg("-vV").output().context("cannot ask rustc for its target")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("rustc does not tell its target"),
    }
}

/// Does what users wait for most: renders and checks charts, the bundled ones and new ones.
fn train(kpkg: &Path, folder: &Path) -> Result<()> {
    let create =
        |flags: &[&str], name: &str| shell::run(shell::command(kpkg).arg("create").args(flags).arg(folder.join(name)));
    create(&[], "go")?;
    create(&["--jinja"], "jinja")?;
    let mut charts = vec![folder.join("go"), folder.join("jinja")];
    charts.extend(["mariadb", "nginx", "wordpress"].map(|name| shell::root().join("charts").join(name)));
    for chart in charts.iter().flat_map(|chart| std::iter::repeat_n(chart, ROUNDS)) {
        for command in ["template", "lint"] {
            let output = shell::command(kpkg).arg(command).arg(chart).output().context("cannot run kpkg")?;
            if !output.status.success() {
                bail!("kpkg {command} {}: {}", chart.display(), String::from_utf8_lossy(&output.stderr));
            }
        }
    }
    Ok(())
}

/// The counts as the compiler wants them, of those functions that ran.
fn merge(counts: &Path, folder: &Path) -> Result<PathBuf> {
    let (all, ran, profile) = (folder.join("all.txt"), folder.join("ran.txt"), folder.join("kpkg.profdata"));
    shell::run(shell::command(PROFDATA).args(["merge", "--text", "-o"]).args([&all, counts]))?;
    let text = fs::read_to_string(&all).context("cannot read the counts")?;
    fs::write(&ran, functions_that_ran(&text)).context("cannot write the counts")?;
    shell::run(shell::command(PROFDATA).args(["merge", "-o"]).args([&profile, &ran]))?;
    Ok(profile)
}

/// LLVM's text form: lines that begin with a colon, then paragraphs, a function each, with its counters last.
fn functions_that_ran(text: &str) -> String {
    let is_head = |line: &&str| line.starts_with(':');
    let mut kept: String = text.lines().filter(is_head).map(|line| format!("{line}\n")).collect();
    for function in text.split("\n\n") {
        let counters = function.lines().skip_while(|line| *line != "# Counter Values:").skip(1);
        if counters.map_while(|line| line.parse::<u64>().ok()).any(|count| count > 0) {
            kept.extend(function.lines().filter(|line| !is_head(line)).map(|line| format!("{line}\n")));
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::functions_that_ran;

    #[test]
    fn functions_without_calls_are_left_out() {
        let text = "# IR level Instrumentation Flag\n:ir\nidle\n# Func Hash:\n1\n# Num Counters:\n2\n# Counter Values:\n0\n0\n\n\
                    busy\n# Func Hash:\n2\n# Num Counters:\n2\n# Counter Values:\n0\n7\n\n";
        assert_eq!(
            functions_that_ran(text),
            ":ir\nbusy\n# Func Hash:\n2\n# Num Counters:\n2\n# Counter Values:\n0\n7\n\n"
        );
    }
}
