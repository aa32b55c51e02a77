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
    let Profile { counts, order } = merge(&counts, &folder)?;
    let mut flags =
        vec![format!("-Cprofile-use={}", counts.display()), "-Clink-arg=-Wl,-z,keep-text-section-prefix".to_owned()];
    // An option of lld, which is rustc's own linker on this kind of machine.
    if host()?.starts_with("x86_64") {
        flags.push(format!("-Clink-arg=-Wl,--symbol-ordering-file={},--no-warn-symbol-ordering", order.display()));
    }
    compile(&flags)
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

/// What was learnt of the functions that ran.
struct Profile {
    /// The counts as the compiler wants them.
    counts: PathBuf,
    /// Their names, a line each, for the linker to put them together: fewer pages of the binary are touched.
    order: PathBuf,
}

fn merge(counts: &Path, folder: &Path) -> Result<Profile> {
    let [all, ran, order, profile] = ["all.txt", "ran.txt", "order.txt", "kpkg.profdata"].map(|name| folder.join(name));
    shell::run(shell::command(PROFDATA).args(["merge", "--text", "-o"]).args([&all, counts]))?;
    let text = fs::read_to_string(&all).context("cannot read the counts")?;
    let text = functions_that_ran(&text);
    fs::write(&ran, &text).context("cannot write the counts")?;
    fs::write(&order, names(&text)).context("cannot write the order of functions")?;
    shell::run(shell::command(PROFDATA).args(["merge", "-o"]).args([&profile, &ran]))?;
    Ok(Profile { counts: profile, order })
}

/// The names of functions; those that are a file's own have it before theirs.
fn names(profile: &str) -> String {
    let functions = profile.split("\n\n").filter_map(|function| function.lines().find(|line| !is_head(line)));
    functions.map(|name| format!("{}\n", name.rsplit(';').next().unwrap_or(name))).collect()
}

fn is_head(line: &str) -> bool {
    line.starts_with(':')
}

/// LLVM's text form: lines that begin with a colon, then paragraphs, a function each, with its counters last.
fn functions_that_ran(text: &str) -> String {
    let mut kept: String = text.lines().filter(|line| is_head(line)).map(|line| format!("{line}\n")).collect();
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
    use super::{functions_that_ran, names};

    #[test]
    fn functions_without_calls_are_left_out() {
        let text = "# IR level Instrumentation Flag\n:ir\nidle\n# Func Hash:\n1\n# Num Counters:\n2\n# Counter Values:\n0\n0\n\n\
                    busy\n# Func Hash:\n2\n# Num Counters:\n2\n# Counter Values:\n0\n7\n\n";
        assert_eq!(
            functions_that_ran(text),
            ":ir\nbusy\n# Func Hash:\n2\n# Num Counters:\n2\n# Counter Values:\n0\n7\n\n"
        );
    }

    #[test]
    fn functions_are_named_without_their_files() {
        assert_eq!(names(":ir\none\n# Func Hash:\n1\n\nkpkg-cgu.0;two\n# Func Hash:\n2\n\n"), "one\ntwo\n");
    }
}
