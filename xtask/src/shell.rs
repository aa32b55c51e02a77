//! Running programs from the workspace's root.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A command that runs in the workspace's root.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    // What cargo told this chore of its own package would make build scripts run anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs `command` to its end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{} {}", command.get_program().display(), shown_args(command));
    eprintln!("+ {shown}");
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

fn shown_args(command: &Command) -> String {
    command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs cargo with `args`.
pub(crate) fn cargo(args: &[&str]) -> Result<()> {
    run(command(cargo_program()).args(args))
}

/// The cargo that runs this chore.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// How well programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Builds the workspace's programs; answers the folder with them. Every chore builds this very selection: cargo
/// compiles dependencies with the features of all that is built together, and another one would compile them anew.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    match profile {
        Profile::Debug => cargo(&["build", "--workspace", "--bins"])?,
        Profile::Release => cargo(&["build", "--release", "--workspace", "--bins"])?,
    }
    Ok(target_dir().join(if profile == Profile::Debug { "debug" } else { "release" }))
}

/// kpkg, optimised: the program that `KPKG_BINARY` names, or one that is built here as for a release.
pub(crate) fn optimised_kpkg() -> Result<PathBuf> {
    match std::env::var_os("KPKG_BINARY") {
        Some(binary) => Ok(std::path::absolute(binary)?),
        None => crate::release::build(),
    }
}
