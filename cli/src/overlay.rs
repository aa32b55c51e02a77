//! What overlays may use besides files: charts, rendered by our own engine, and repositories.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use kpkg_chart::listing::{self, Listed, Selection};
use kpkg_chart::values::{self, Checks, Input};
use kpkg_chart::{Ambient, Clock, ClusterFacts, KubeVersion, ReleaseInfo, Rendered};
use kpkg_overlay::{Address, Built, Charts, Error, Functions, HelmChart, HelmGlobals, Options, Remote};
use kpkg_yaml::node::node_text;

use crate::printer::Printer;
use crate::render;

/// A kustomization on top of a chart.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct OverlayArgs {
    /// Put a kustomization on top: its folder's `kustomization.yaml` is applied to what the chart writes
    #[arg(long, value_name = "DIR")]
    overlay: Option<PathBuf>,
}

impl OverlayArgs {
    /// The folder, if one is given.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.overlay.as_deref()
    }

    /// What becomes of a chart's manifests and hooks.
    pub(crate) fn apply(&self, rendered: Rendered, printer: &Printer) -> Result<Rendered> {
        let Some(folder) = self.folder() else { return Ok(rendered) };
        let selection = Selection { crds: false, hooks: true, tests: true };
        let listed = listing::list(&[], &rendered, selection);
        let built = overlay(folder, &listed, printer)?;
        let texts = built.documents.iter().map(node_text).collect::<Result<Vec<_>, _>>()?;
        let documents = built.sources.iter().map(String::as_str).zip(texts.iter().map(String::as_str));
        Ok(rendered.clone().with_documents(documents)?)
    }
}

/// Applies a kustomization to what a chart writes; it may name charts as resources.
pub(crate) fn overlay(folder: &Path, listed: &[Listed<'_>], printer: &Printer) -> Result<Built> {
    let (charts, fetcher) = (LocalCharts::default(), Fetcher::new());
    let mut options = Options::default();
    options.charts = Some(&charts);
    options.remote = Some(&fetcher);
    let files = listed.iter().map(|it| (it.source, it.text));
    let built = kpkg_overlay::apply_to_files(folder, files, &options)
        .with_context(|| format!("cannot apply overlay {}", folder.display()))?;
    built.warnings.iter().for_each(|warning| printer.say(warning));
    Ok(built)
}

/// Charts that lie below a kustomization.
#[derive(Debug, Default)]
pub(crate) struct LocalCharts {
    /// API versions that all charts may ask for.
    pub(crate) api_versions: Vec<String>,
    /// The Kubernetes version that charts see unless they name one.
    pub(crate) kube_version: Option<String>,
}

impl Charts for LocalCharts {
    fn render(&self, chart: &HelmChart, globals: &HelmGlobals, folder: &Path) -> kpkg_overlay::Result<String> {
        self.render_chart(chart, globals, folder).map_err(|error| Error::Rule(format!("{error:#}")))
    }
}

impl LocalCharts {
    fn render_chart(&self, wanted: &HelmChart, globals: &HelmGlobals, folder: &Path) -> Result<String> {
        let home = if globals.chart_home.is_empty() { "charts" } else { &globals.chart_home };
        let path = chart_path(wanted, &folder.join(home))?;
        let chart = kpkg_chart::load(&path).with_context(|| format!("cannot load chart {}", path.display()))?;
        render::check_dependencies(&chart)?;
        let values = values::merge_with(&chart, &inputs(wanted, folder)?, Checks { schema: true })?;
        let name = if wanted.release_name.is_empty() { "release-name" } else { &wanted.release_name };
        let namespace = if wanted.namespace.is_empty() { "default" } else { &wanted.namespace };
        let release =
            ReleaseInfo { name: name.to_owned(), namespace: namespace.to_owned(), revision: 1, is_upgrade: false };
        let ambient = Ambient::new(rand::random(), Clock::system());
        let rendered = kpkg_chart::render(&chart, &values, &release, &self.facts(wanted)?, &ambient)?;
        let selection = Selection { crds: wanted.include_crds, hooks: !wanted.skip_hooks, tests: !wanted.skip_tests };
        let crds = listing::crds(&values);
        let listed = listing::list(&crds, &rendered, selection);
        Ok(listing::text(&listing::manifest_text(&listed), &listed))
    }

    fn facts(&self, wanted: &HelmChart) -> Result<ClusterFacts> {
        let mut facts = ClusterFacts::default();
        let version = Some(&wanted.kube_version).filter(|version| !version.is_empty()).or(self.kube_version.as_ref());
        if let Some(text) = version {
            let parsed = KubeVersion::parse(text).map_err(anyhow::Error::msg);
            facts.kube_version = parsed.with_context(|| format!("invalid kube version '{text}'"))?;
        }
        facts.api_versions.extend(self.api_versions.iter().chain(&wanted.api_versions).cloned());
        Ok(facts)
    }
}

/// The folder or archive of a chart: by its name, or with its version as `helm pull` leaves it.
fn chart_path(wanted: &HelmChart, home: &Path) -> Result<PathBuf> {
    let versioned = format!("{}-{}", wanted.name, wanted.version);
    let candidates =
        [home.join(&versioned).join(&wanted.name), home.join(&wanted.name), home.join(format!("{versioned}.tgz"))];
    let found = candidates.into_iter().find(|path| path.exists());
    found.with_context(|| {
        format!("chart `{}` is not below {}; pull it there (`helm pull --untar`)", wanted.name, home.display())
    })
}

/// The values of a chart, the weakest first.
fn inputs(wanted: &HelmChart, folder: &Path) -> Result<Vec<Input>> {
    let read = |path: &str| -> Result<Input> {
        let path = folder.join(path);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Input::File { name: path.display().to_string(), text })
    };
    let inline = || -> Result<Input> {
        Ok(Input::File { name: "valuesInline".to_owned(), text: serde_json::to_string(&wanted.values_inline)? })
    };
    let mut list = Vec::new();
    let file = (!wanted.values_file.is_empty()).then(|| read(&wanted.values_file)).transpose()?;
    match wanted.values_merge.as_str() {
        _ if wanted.values_inline.is_empty() => list.extend(file),
        "" | "override" => {
            list.extend(file);
            list.push(inline()?);
        }
        "merge" => {
            list.push(inline()?);
            list.extend(file);
        }
        "replace" => list.push(inline()?),
        other => anyhow::bail!("valuesMerge must be one of override, replace or merge, not `{other}`"),
    }
    for path in &wanted.additional_values_files {
        list.push(read(path)?);
    }
    Ok(list)
}

/// Programs on this machine, run in the kustomization's folder.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// What they find in their environment besides: `NAME=VALUE`, or `NAME` for what is there already.
    pub(crate) environment: Vec<String>,
}

impl Functions for Programs {
    fn run(&self, program: &str, folder: &Path, input: &str) -> kpkg_overlay::Result<String> {
        let failed = |problem: String| Error::Rule(format!("function {program}: {problem}"));
        let mut command = Command::new(folder.join(program));
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.envs(self.environment.iter().filter_map(|variable| variable.split_once('=')));
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let input = input.to_owned();
        // Written beside the reading, so that neither side waits for the other.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        let written = writer.join().map_err(|_| failed("its input could not be written".to_owned()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        written.map_err(|error| failed(error.to_string()))?;
        String::from_utf8(output.stdout).map_err(|_| failed("its output is not text".to_owned()))
    }
}

/// Repositories and files elsewhere, fetched with `git` and kept in a cache.
#[derive(Debug)]
pub(crate) struct Fetcher {
    cache: PathBuf,
}

impl Fetcher {
    /// With the cache of this user.
    pub(crate) fn new() -> Self {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        Self { cache: cache.unwrap_or_else(std::env::temp_dir).join("kpkg/overlays") }
    }

    fn git(folder: &Path, args: &[&str], timeout: Option<Duration>) -> Result<(), String> {
        let mut git = Command::new("git");
        git.current_dir(folder)
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = git.spawn().map_err(|error| format!("cannot run git: {error}"))?;
        if let Some(limit) = timeout {
            wait(&mut child, limit)?;
        }
        let output = child.wait_with_output().map_err(|error| format!("cannot run git: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    fn fetch(&self, address: &Address) -> Result<PathBuf, String> {
        let repository = address.repository();
        let key: String = format!("{repository}@{}", address.reference)
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' })
            .collect();
        let folder = self.cache.join(key);
        // A commit never changes; anything else is asked for again.
        let is_commit = address.reference.len() == 40 && address.reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_commit && folder.join(".git/kpkg-complete").exists() {
            return Ok(folder);
        }
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let git = |args: &[&str]| Self::git(&folder, args, address.timeout);
        git(&["init", "--quiet"])?;
        // Submodules may be named relative to it.
        git(&["config", "remote.origin.url", &repository])?;
        let reference = if address.reference.is_empty() { "HEAD" } else { &address.reference };
        git(&["fetch", "--quiet", "--depth=1", "--", &repository, reference])?;
        git(&["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "FETCH_HEAD"])?;
        if address.submodules && folder.join(".gitmodules").exists() {
            git(&["submodule", "update", "--quiet", "--init", "--recursive"])?;
        }
        std::fs::write(folder.join(".git/kpkg-complete"), "").map_err(|error| error.to_string())?;
        Ok(folder)
    }
}

/// Waits for a program to end, for so long at most.
fn wait(child: &mut Child, limit: Duration) -> Result<(), String> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if waited >= limit {
            drop(child.kill());
            drop(child.wait());
            return Err(format!("hit {}s timeout running git", limit.as_secs()));
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
    Ok(())
}

impl Remote for Fetcher {
    fn get(&self, url: &str) -> kpkg_overlay::Result<Vec<u8>> {
        let failed = |problem: String| Error::Remote { url: url.to_owned(), problem };
        let mut curl = Command::new("curl");
        curl.args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--max-time",
            "60",
            "--max-filesize",
            "67108864",
        ]);
        curl.args(["--proto", "=http,https", "--", url]);
        let output = curl.output().map_err(|error| failed(format!("cannot run curl: {error}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    fn clone_repository(&self, url: &str) -> kpkg_overlay::Result<kpkg_overlay::Clone> {
        let failed = |problem: String| Error::Remote { url: url.to_owned(), problem };
        let address = Address::parse(url).ok_or_else(|| failed("no address of a repository".to_owned()))?;
        let root = self.fetch(&address).map_err(failed)?;
        let folder = root.join(address.folder.trim_start_matches('/'));
        Ok(kpkg_overlay::Clone { root, folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hooks and manifests go through the overlay together, and are told apart again.
    #[test]
    fn an_overlay_on_manifests_and_hooks() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("extra.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: extra}\n");
        write("kustomization.yaml", "namePrefix: p-\nresources: [extra.yaml]\n");
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
        let hook = "apiVersion: v1\nkind: Pod\nmetadata: {name: h, annotations: {helm.sh/hook: test}}\n";
        let documents = [("c/templates/a.yaml", pod), ("c/templates/h.yaml", hook)];
        let rendered = Rendered { notes: "n".to_owned(), ..Rendered::default() }.with_documents(documents);
        let args = OverlayArgs { overlay: Some(folder.path().to_owned()) };
        let got = args.apply(rendered.expect("documents"), &Printer::new()).expect("applies");
        let manifests: Vec<_> = got.manifests.iter().map(|it| (&*it.source, &*it.name, &*it.text)).collect();
        assert_eq!(
            manifests,
            [
                ("extra.yaml", "p-extra", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: p-extra"),
                ("c/templates/a.yaml", "p-a", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p-a"),
            ]
        );
        assert_eq!((got.hooks.len(), &*got.hooks[0].manifest.name, &*got.notes), (1, "p-h", "n"));
    }
}
