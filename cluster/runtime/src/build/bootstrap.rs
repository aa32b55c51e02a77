//! Runs mmdebstrap: packages, then the recipe's files and commands, into one tar.

use std::collections::VecDeque;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{BuildError, Recipe, Variant};

/// Where distributions keep their own list of mirrors; other lists there belong to other vendors.
const SOURCES: [&str; 3] =
    ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list.d/ubuntu.sources", "/etc/apt/sources.list"];

/// Left in the image by the bootstrap though they belong to the machine that built it.
const HOST_TRACES: &str = "etc/apt/apt.conf.d/99mmdebstrap etc/apt/auth.conf.d etc/hostname etc/resolv.conf var/cache/apt var/lib/apt/lists var/log/apt var/log/dpkg.log var/log/bootstrap.log var/log/alternatives.log";

/// The last lines of the bootstrap, kept for the error message.
const TAIL: usize = 12;

/// A build's scratch folder: the staged files, the script and the resulting tar.
pub(super) struct Workspace<'a> {
    /// The folder; the caller removes it.
    pub(super) dir: &'a Path,
}

impl Workspace<'_> {
    /// The tar of the finished root file system.
    pub(super) fn tar(&self) -> PathBuf {
        self.dir.join("rootfs.tar")
    }

    fn staged(&self) -> PathBuf {
        self.dir.join("files")
    }

    fn script(&self) -> PathBuf {
        self.dir.join("run.sh")
    }

    fn hook(&self) -> PathBuf {
        self.dir.join("hook.sh")
    }

    fn apt_conf(&self) -> PathBuf {
        self.dir.join("apt.conf")
    }

    /// Lays out everything that the bootstrap reads.
    pub(super) fn stage(
        &self,
        recipe: &Recipe,
        read: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<(), BuildError> {
        std::fs::create_dir_all(self.staged()).map_err(BuildError::workspace)?;
        for (index, file) in recipe.files.iter().enumerate() {
            let bytes = match (&file.content, &file.source) {
                (Some(text), _) => text.clone().into_bytes(),
                (None, Some(path)) => {
                    read(path).map_err(|source| BuildError::ReadSource { path: path.clone(), source })?
                }
                (None, None) => continue,
            };
            let mode = file.permissions().map_err(|problem| BuildError::Recipe { problem })?;
            write(&self.staged().join(index.to_string()), &bytes, mode).map_err(BuildError::workspace)?;
        }
        let script = format!("set -eu\nexport DEBIAN_FRONTEND=noninteractive\n{}", recipe.run);
        write(&self.script(), script.as_bytes(), 0o755).map_err(BuildError::workspace)?;
        let hook = hook(recipe, &self.staged(), &self.script());
        write(&self.hook(), hook.as_bytes(), 0o755).map_err(BuildError::workspace)
    }

    /// Runs mmdebstrap; `progress` hears its steps.
    pub(super) async fn bootstrap(
        &self,
        recipe: &Recipe,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), BuildError> {
        let suite = match &recipe.suite {
            Some(suite) => suite.clone(),
            None => host_suite()?,
        };
        let sources = host_sources()?;
        self.write_apt_conf().await?;
        let mut command = Command::new("mmdebstrap");
        if recipe.variant == Variant::Extract {
            // Its own cleaning needs what our hook has taken away by then.
            command.arg("--skip=cleanup");
        }
        command
            .arg("--mode=root")
            .arg("--format=tar")
            .arg(format!("--variant={}", recipe.variant.name()))
            .arg(format!("--include={}", recipe.packages.join(",")))
            .arg(format!("--aptopt={}", self.apt_conf().display()))
            .args(["--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*"])
            .arg("--dpkgopt=path-exclude=/usr/share/doc/*")
            .arg(format!("--{}-hook={}", last_step(recipe.variant), self.hook().display()))
            .arg(suite)
            .arg(self.tar())
            .args(sources)
            .env("TMPDIR", self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        run(command, progress).await
    }

    /// How this machine reaches its mirrors (proxies and the like), which may hold passwords: in a
    /// file of its owner's, not on a command line.
    async fn write_apt_conf(&self) -> Result<(), BuildError> {
        let dump = Command::new("apt-config").arg("dump").output().await;
        let dump = dump.map_err(|source| BuildError::Tool { tool: "apt-config", source })?;
        let mut conf = String::from("APT::Install-Recommends \"false\";\n");
        for line in String::from_utf8_lossy(&dump.stdout).lines() {
            let key = line.to_ascii_lowercase();
            if ["acquire::http", "acquire::https", "acquire::check-"].iter().any(|it| key.starts_with(it)) {
                conf.push_str(line);
                conf.push('\n');
            }
        }
        write(&self.apt_conf(), conf.as_bytes(), 0o600).map_err(BuildError::workspace)
    }
}

/// The last of mmdebstrap's steps that a variant comes to.
fn last_step(variant: Variant) -> &'static str {
    if variant == Variant::Extract { "extract" } else { "customize" }
}

/// The script that mmdebstrap runs with the image's root as its argument.
///
/// Files are put in place from inside the image where it has the tools, so that an absolute link of
/// the image's (`/var/run`) leads into the image and not to this machine.
fn hook(recipe: &Recipe, staged: &Path, script: &Path) -> String {
    let inside = recipe.variant != Variant::Extract;
    let mut hook = String::from("#!/bin/sh\nset -eu\ncd \"$1\"\n");
    if inside {
        hook.push_str(&format!(
            "cp -r '{}' .kpkg-build\ncp '{}' .kpkg-build/run.sh\n",
            staged.display(),
            script.display()
        ));
    }
    for (index, file) in recipe.files.iter().enumerate() {
        let path = shell_quote(&file.path);
        let mode = &file.mode;
        if let Some(target) = &file.link {
            let (ln, at) = if inside { ("chroot . ln", "") } else { ("ln", ".") };
            hook.push_str(&format!("{ln} -sfn {} {at}{path}\n", shell_quote(target)));
        } else if inside {
            hook.push_str(&format!("chroot . install -D -m {mode} /.kpkg-build/{index} {path}\n"));
        } else {
            hook.push_str(&format!("install -D -m {mode} '{}/{index}' .{path}\n", staged.display()));
        }
    }
    if inside {
        hook.push_str("chroot . /bin/sh /.kpkg-build/run.sh\nrm -r .kpkg-build\n");
    }
    hook.push_str(&format!("rm -rf {HOST_TRACES}\n"));
    hook.push_str(if inside {
        "install -d var/cache/apt/archives/partial var/lib/apt/lists/partial\n"
    } else {
        "rm -rf etc/apt etc/dpkg etc/fstab var usr/share/doc\n"
    });
    hook
}

fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

async fn run(mut command: Command, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<(), BuildError> {
    let mut child = command.spawn().map_err(|source| BuildError::Tool { tool: "mmdebstrap", source })?;
    let mut tail = VecDeque::with_capacity(TAIL);
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(step) = line.strip_prefix("I: ") {
                progress(step);
            }
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line);
        }
    }
    let status = child.wait().await.map_err(|source| BuildError::Tool { tool: "mmdebstrap", source })?;
    if status.success() {
        return Ok(());
    }
    Err(BuildError::Bootstrap { status, output: Vec::from(tail).join("\n") })
}

/// The machine's own release: its packages are what its mirrors serve.
fn host_suite() -> Result<String, BuildError> {
    let text = std::fs::read_to_string("/etc/os-release").map_err(|_| BuildError::NotDebian)?;
    text.lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .ok_or(BuildError::NotDebian)
}

fn host_sources() -> Result<Vec<&'static str>, BuildError> {
    let found: Vec<_> = SOURCES.into_iter().filter(|path| names_a_mirror(Path::new(path))).collect();
    if found.is_empty() { Err(BuildError::NotDebian) } else { Ok(found) }
}

fn names_a_mirror(path: &Path) -> bool {
    std::fs::read_to_string(path)
        .is_ok_and(|text| text.lines().any(|line| line.starts_with("deb ") || line.starts_with("Types:")))
}

/// Writes a new file with exactly these permissions, whatever the umask, and its parent folders.
fn write(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}
